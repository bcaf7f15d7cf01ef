"""The words for the parts of birds: how they are said, and how they are read."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np

from keras_interp.datasets.synthetic.bird_species import (
    COLORS,
    PARTS,
    PATTERNS,
    SHAPES,
)

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


UNSAID = max(len(shapes) for shapes in SHAPES.values())  # a shape nobody can see
_DARK = ("black", "brown", "red", "green", "blue", "purple")  # marked with white


class _Words:
    """The words for one look of a part, in one choice of synonyms."""

    def __init__(
        self, part: str, color: str, pattern: str, shape: str, choice: int
    ) -> None:
        # Parts take different synonyms, so that "grey" and "bill" do not go together.
        self.noun = PART_NOUNS[part][choice]
        self.color = COLOR_WORDS[color][(choice + PARTS.index(part)) % SYNONYMS]
        self.pattern = PATTERN_ADJECTIVES.get(pattern, ("",) * SYNONYMS)[choice]
        self.shape = SHAPE_WORDS.get((part, shape), ("",) * SYNONYMS)[choice]
        marks = PATTERN_NOUNS.get(pattern, ("",) * SYNONYMS)[choice]
        tone = "white" if color in _DARK else "dark"
        self.marks = f" with {tone} {marks}" if marks else ""
        self.plural = part == "wing"
        self.verb = "are" if self.plural else "is"

    def with_article(self, *words: str) -> str:
        """The words that are not empty, after "a", "an" or nothing."""
        phrase = " ".join(word for word in words if word)
        if self.plural:
            return phrase
        return ("an " if phrase[0] in "aeiou" else "a ") + phrase

    def told(self) -> str:
        """What stands after "is" or "are"."""
        shape = f" and {self.shape}" if self.shape else ""
        return f"{self.verb} {self.color}{shape}{self.marks}"


def _short(words: _Words) -> str:
    """As "a short barred brown tail"."""
    return words.with_article(words.shape, words.pattern, words.color, words.noun)


def _marked(words: _Words) -> str:
    """As "a tan breast with dark stripes"."""
    return words.with_article(words.shape, words.color, words.noun) + words.marks


def _partial(words: _Words) -> str:
    """As "a striped breast", "a forked tail"; the colour where nothing else is."""
    chosen = words.shape or words.pattern or words.color
    return words.with_article(chosen, words.noun)


def _relative(words: _Words) -> str:
    """As "a breast that is tan with dark stripes"."""
    return f"{words.with_article(words.noun)} that {words.told()}"


def _clause(words: _Words) -> str:
    """As "breast is tan with dark stripes"."""
    return f"{words.noun} {words.told()}"


def _table(*forms: Callable[[_Words], str]) -> np.ndarray:
    """Strings `(part, variant, color, pattern, shape)`, all synonyms of all forms."""
    shape = (len(PARTS), len(forms) * SYNONYMS, len(COLORS), len(PATTERNS), UNSAID + 1)
    table = np.empty(shape, object)
    for place in itertools.product(*map(range, shape)):
        part, variant, color, pattern, form = place
        name = PARTS[part]
        shapes = SHAPES.get(name, ())
        words = _Words(
            name,
            COLORS[color],
            PATTERNS[pattern],
            shapes[form] if form < len(shapes) else "",
            variant % SYNONYMS,
        )
        table[place] = forms[variant // SYNONYMS](words)
    return table


@functools.lru_cache(maxsize=1)
def noun_phrases() -> np.ndarray:
    """As "a white breast with dark spots": `(part, variant, color, pattern, shape)`."""
    return _table(_short, _marked, _partial)


@functools.lru_cache(maxsize=1)
def relative_phrases() -> np.ndarray:
    """As "a breast that is white": indexed like `noun_phrases`."""
    return _table(_relative)


@functools.lru_cache(maxsize=1)
def clauses() -> np.ndarray:
    """As "breast is white", to follow "the" or "its": indexed like `noun_phrases`."""
    return _table(_clause)
