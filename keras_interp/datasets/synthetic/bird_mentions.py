"""Reads from sentences what they say about a bird."""

from __future__ import annotations

import re

from keras_interp.datasets.synthetic.bird_vocabulary import (
    MEANINGS,
    NOUNS,
    PART_MEANINGS,
    PATTERN_NOUNS,
)

_MARKS = {word for words in PATTERN_NOUNS.values() for word in words}
# Words after which the adjectives to come belong to another part.
_BREAKS = {"a", "an", "the", "its", "it", "has", "this", ",", "while", "features"}


def synthetic_bird_mentions(sentence: str) -> set[tuple[str, str]]:
    """Reads from a sentence which parts it names and what it says of them.

    It understands the sentences of `synthetic_birds` and those of networks that learnt
    from them; words that it does not know are passed over.

    Example:

    >>> from keras_interp.datasets import synthetic_bird_mentions
    >>> sorted(synthetic_bird_mentions("a small bird with a short black bill."))
    [('beak', 'black'), ('beak', 'conical'), ('bird', 'small')]

    Args:
        sentence: in English, lower or upper case.

    Returns:
        Pairs of a part, as in `BirdSpecies.looks`, or `"bird"`, and a colour, pattern,
        shape, size or build of the species table.
    """
    words = re.findall(r"[a-z]+|,", sentence.lower().replace("eye ring", "eyering"))
    mentions: set[tuple[str, str]] = set()
    waiting: list[str] = []
    part, tells = "", False  # the last part, and whether a verb follows it
    for word in [*words, ","]:
        if word in _MARKS:
            # The colour before it is that of the marks.
            mentions |= _pairs(part, [word])
            waiting = []
        elif word in NOUNS:
            part, tells = NOUNS[word], False
            if word == "crest":
                waiting.append("crested")
            mentions |= _pairs(part, waiting)
            waiting = []
        elif word in _BREAKS or (tells and word in ("and", "with", "in")):
            if tells:
                mentions |= _pairs(part, waiting)
            tells = tells and word in ("and", ",")
            waiting = []
        elif word in ("is", "are"):
            tells, waiting = True, []
        else:
            waiting.append(word)
    return mentions


def _pairs(part: str, words: list[str]) -> set[tuple[str, str]]:
    """What the words mean when they are said of a part."""
    meanings = MEANINGS | PART_MEANINGS.get(part, {}) if part else {}
    return {(part, meanings[word]) for word in words if word in meanings}
