"""What every score of sentences shares: its result, its arguments, its words."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

TOKENS = ("blanks", "words", "words_and_punctuation")
# What the public evaluation leaves out of a tokenised sentence (methods of COCO).
_PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "(", ")", "{", "}", "[", "]", '"']
    + [".", "?", "!", ",", ":", "-", "--", "...", ";"]
)


class CaptionScore(float):
    """Result of the scores of sentences: a number that also knows its sentences.

    It is a `float` in everything, so that it can be compared, averaged and printed.

    Example:

    >>> import keras_interp as ki
    >>> score = ki.metrics.CaptionScore(55.0, [50.0, 60.0])
    >>> score > 50, score.value, score.count
    (True, 55.0, 2)

    Args:
        value: the score of all sentences together.
        per_sentence: float64 `(N,)`, the score of each hypothesis.
    """

    per_sentence: np.ndarray

    def __new__(cls, value: float, per_sentence: Any = ()) -> CaptionScore:
        score = super().__new__(cls, value)
        score.per_sentence = np.asarray(per_sentence, dtype="float64")
        return score

    @property
    def value(self) -> float:
        """The score of all sentences together, a plain float."""
        return float(self)

    @property
    def count(self) -> int:
        """Number of sentences."""
        return len(self.per_sentence)


def text_package(module: str) -> Any:
    """A module of the packages that score sentences.

    Raises:
        ImportError: where they are not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            "scores of sentences need nltk and pycocoevalcap: "
            "pip install 'keras_interp[text]'"
        ) from None


def checked_captions(
    hypotheses: Any, references: Any, tokens: str
) -> tuple[list[str], list[list[str]]]:
    """Hypotheses and references as words with blanks between them.

    Args:
        hypotheses: list of str, a sentence for each image.
        references: list of lists of str, the sentences that people wrote about each.
        tokens: one of `TOKENS`.

    Raises:
        ValueError: where a sentence or a reference is missing.
    """
    spoken = checked_sentences("hypotheses", hypotheses)
    if isinstance(references, str) or not isinstance(references, Sequence | np.ndarray):
        raise ValueError(
            "Expected references as a list with a list of sentences for each "
            f"hypothesis. Received: references of {type(references).__name__}. Pass "
            "dataset.captions."
        )
    if len(references) != len(spoken):
        raise ValueError(
            "Expected references for each hypothesis. Received: "
            f"{len(spoken)} hypotheses and {len(references)} lists of references. "
            "Take both from the same images."
        )
    checked = [
        checked_sentences(f"references[{place}]", sentences)
        for place, sentences in enumerate(references)
    ]
    split = splitter(tokens)
    return [split(s) for s in spoken], [[split(s) for s in group] for group in checked]


def checked_sentences(name: str, sentences: Any) -> list[str]:
    """A list of one sentence or more."""
    if isinstance(sentences, str) or not isinstance(sentences, Sequence | np.ndarray):
        raise ValueError(
            f"Expected {name} as a list of sentences. Received: {name} of "
            f"{type(sentences).__name__}. Put a single sentence into a list."
        )
    wrong = [s for s in sentences if not isinstance(s, str)]
    if wrong or not len(sentences):
        told = f"{wrong[0]!r} in it" if wrong else "no sentence"
        raise ValueError(
            f"Expected {name} as one sentence or more, each a str. Received: {told}. "
            "Leave out images without sentences."
        )
    return list(sentences)


def splitter(tokens: str) -> Any:
    """A function from a sentence to its words with single blanks between them."""
    if tokens == "blanks":
        return lambda sentence: " ".join(sentence.split())
    if tokens not in TOKENS:
        raise ValueError(
            f"Expected tokens out of {TOKENS}. Received: tokens={tokens!r}. Choose "
            'one of these; "blanks" takes sentences as they are.'
        )
    text_package("nltk.tokenize")
    return functools.partial(_tokenized, punctuation=tokens != "words")


# The same sentences of the same images are asked for by each score and each decoder.
@functools.lru_cache(maxsize=100_000)
def _tokenized(sentence: str, punctuation: bool) -> str:
    words = _word_tokenizer().tokenize(sentence.lower())
    return " ".join(word for word in words if punctuation or word not in _PUNCTUATION)


@functools.cache
def _word_tokenizer() -> Any:
    return text_package("nltk.tokenize").NLTKWordTokenizer()
