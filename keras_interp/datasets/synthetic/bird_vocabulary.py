"""The words of sentences about birds, and what each of them means."""

from __future__ import annotations

# For every value the words that say it, the first ones the most usual.
COLOR_WORDS = {
    "black": ("black", "black", "jet black"),
    "white": ("white", "white", "white"),
    "gray": ("gray", "grey", "grey"),
    "brown": ("brown", "brown", "brown"),
    "tan": ("tan", "buff", "tan"),
    "red": ("red", "red", "bright red"),
    "orange": ("orange", "orange", "bright orange"),
    "yellow": ("yellow", "yellow", "bright yellow"),
    "green": ("green", "green", "bright green"),
    "blue": ("blue", "blue", "bright blue"),
    "purple": ("purple", "violet", "purple"),
}
PATTERN_ADJECTIVES = {
    "striped": ("striped", "streaked", "striped"),
    "spotted": ("spotted", "speckled", "spotted"),
    "barred": ("barred", "banded", "barred"),
}
PATTERN_NOUNS = {
    "striped": ("stripes", "streaks", "stripes"),
    "spotted": ("spots", "speckles", "spots"),
    "barred": ("bars", "bands", "bars"),
}
SHAPE_WORDS = {
    ("beak", "conical"): ("short conical", "short", "stubby"),
    ("beak", "pointed"): ("long pointed", "long", "sharp pointed"),
    ("beak", "hooked"): ("hooked", "hooked", "hooked"),
    ("beak", "curved"): ("curved", "curved", "downward curved"),
    ("tail", "short"): ("short", "short", "stubby"),
    ("tail", "long"): ("long", "long", "long"),
    ("tail", "forked"): ("forked", "forked", "forked"),
    ("crown", "crested"): ("crested", "crested", "tufted"),
}
SIZE_WORDS = {
    "small": ("small", "small", "little"),
    "medium": ("medium sized", "medium sized", "mid sized"),
    "large": ("large", "large", "big"),
}
BUILD_WORDS = {
    "plump": ("plump", "round", "plump"),
    "slender": ("slender", "slim", "slender"),
    "long-necked": ("long necked", "long necked", "long necked"),
}
PART_NOUNS = {
    "crown": ("crown", "crown", "cap"),
    "nape": ("nape", "nape", "nape"),
    "throat": ("throat", "throat", "throat"),
    "beak": ("beak", "bill", "beak"),
    "breast": ("breast", "breast", "chest"),
    "belly": ("belly", "belly", "abdomen"),
    "back": ("back", "back", "back"),
    "wing": ("wings", "wings", "wings"),
    "tail": ("tail", "tail", "tail"),
    "eye_ring": ("eyering", "eye ring", "eyering"),
}
SYNONYMS = 3  # words for each value above

# What a single word means, whatever the part it is said of ...
MEANINGS = {
    word: value
    for words in (COLOR_WORDS, PATTERN_ADJECTIVES, PATTERN_NOUNS)
    for value, phrases in words.items()
    for phrase in phrases
    for word in phrase.split()
    if word not in ("jet", "bright")
}
# ... and what it means for some of them only.
PART_MEANINGS = {
    "beak": {
        "short": "conical",
        "conical": "conical",
        "stubby": "conical",
        "long": "pointed",
        "pointed": "pointed",
        "sharp": "pointed",
        "hooked": "hooked",
        "curved": "curved",
    },
    "tail": {"short": "short", "stubby": "short", "long": "long", "forked": "forked"},
    "crown": {"crested": "crested", "tufted": "crested"},
    "bird": {
        "small": "small",
        "little": "small",
        "medium": "medium",
        "mid": "medium",
        "large": "large",
        "big": "large",
        "plump": "plump",
        "round": "plump",
        "slender": "slender",
        "slim": "slender",
        "necked": "long-necked",
    },
}
# The nouns of parts; a mention of "bird" is about the bird as a whole.
NOUNS = {
    **{noun: part for part, nouns in PART_NOUNS.items() for noun in nouns},
    "eyerings": "eye_ring",
    "wing": "wing",
    "crest": "crown",
    "bird": "bird",
}
