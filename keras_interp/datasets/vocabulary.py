"""Sentences as numbers: words, and the numbers that stand for them."""

from __future__ import annotations

import collections
import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

START = "<start>"
UNKNOWN = "<unk>"
TERMINAL = "."
START_ID, UNKNOWN_ID, TERMINAL_ID = 0, 1, 2
SPECIAL = (START, UNKNOWN, TERMINAL)
# Of the authors' arrays of sentences.
LONGEST = 76
# A word may have apostrophes and hyphens inside; numbers are words.
_TOKEN = re.compile(r"<unk>|[^\W_]+(?:['-][^\W_]+)*|,")


def tokenize(sentence: str) -> list[str]:
    """The words of a sentence, in lower case, with a period at the end.

    Commas stay, for they part the clauses of a description; all other punctuation goes.
    A sentence without a period gets one, and periods inside it go.

    Example:

    ```python
    print(ki.datasets.tokenize("A small bird, it's yellow-bellied!"))
    # ['a', 'small', 'bird', ',', "it's", 'yellow-bellied', '.']
    ```

    Args:
        sentence: text of any language that parts its words.

    Returns:
        List of str, of which the last is `"."`, and no other.

    Raises:
        ValueError: for anything but a str.
    """
    if not isinstance(sentence, str):
        raise ValueError(
            f"Expected a sentence as a str. Received: sentence={sentence!r}. Give the "
            "text."
        )
    # Composed, so that an accent is part of its letter whichever way it was typed.
    text = unicodedata.normalize("NFC", sentence.lower()).replace("\u2019", "'")
    if not text.isascii():
        text = _without_marks(text)
    words = _TOKEN.findall(text)
    kept = [
        word
        for place, word in enumerate(words)
        if word != "," or (place and words[place - 1] != ",")
    ]
    while kept and kept[-1] == ",":
        kept.pop()
    return [*kept, TERMINAL]


def _without_marks(text: str) -> str:
    """Signs that are no letters, to the pattern, but stand inside words go."""
    return "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Mc", "Cf"))


@keras.saving.register_keras_serializable(package="keras_interp")
class Vocabulary:
    """Words, and the numbers that stand for them.

    Number 0 is the start of a sentence and fills what follows its end, 1 is `"<unk>"`,
    for a word that is not known, 2 is `"."`, the terminal word.

    Example:

    ```python
    sentences = ["A red bird.", "a bird, and a tree"]
    vocabulary = ki.datasets.Vocabulary.from_sentences(sentences)
    ids, lengths = vocabulary.encode(["a red tree"])
    print(vocabulary.decode(ids), lengths)  # ['a red tree.'] [4]
    ```

    Args:
        words: the words in the order of their numbers; `"<start>"`, `"<unk>"` and `"."`
            may be among them, and get the numbers 0, 1 and 2 in any case.

    Attributes:
        words: all words by their number, a tuple, those three among them.

    Raises:
        ValueError: if there is no word beside those three, or one comes twice.

    Reference:
        Barratt, "InterpNET: Neural Introspection for Interpretable Deep Learning",
        2017, section 2.3; numbers and the longest sentence are those of its released
        code.
    """

    def __init__(self, words: Iterable[str]):
        given = list(words)
        strange = [w for w in given if not isinstance(w, str) or not w.strip()]
        plain = [word for word in given if word not in SPECIAL]
        if strange or not plain or len(set(plain)) < len(plain):
            twice = [
                w for w, n in collections.Counter(map(str, plain)).items() if n > 1
            ]
            raise ValueError(
                "Expected words, each once and none empty. Received: "
                f"{len(plain)} words"
                + (f", {twice[:3]} more than once" if twice else "")
                + (f", {strange[:3]} among them" if strange else "")
                + ". Give a list of str, or use Vocabulary.from_sentences."
            )
        self.words = (*SPECIAL, *plain)
        self._ids = {word: number for number, word in enumerate(self.words)}

    @classmethod
    def from_sentences(cls, sentences: Any, min_count: int = 1) -> Vocabulary:
        """The words of sentences, the frequent ones first.

        Args:
            sentences: list of str; or a list of str for each image, as
                `PartsDataset.captions` has them.
            min_count: how often a word must come. Defaults to 1, all words.

        Returns:
            `Vocabulary`.

        Raises:
            ValueError: if no word comes so often, or `min_count` is no positive
                integer.
        """
        whole = isinstance(min_count, int) and not isinstance(min_count, bool)
        if not whole or min_count < 1:
            raise ValueError(
                "Expected min_count as a positive integer. Received: "
                f"min_count={min_count!r}. Pass 1 for all words."
            )
        counts = collections.Counter(
            word for sentence in _flat(sentences) for word in tokenize(sentence)
        )
        kept = [(-n, word) for word, n in counts.items() if n >= min_count]
        return cls(word for _, word in sorted(kept))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} words>"

    def encode(
        self, sentences: Any, max_length: int = LONGEST
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sentences as rows of numbers.

        A longer sentence is cut and keeps its terminal word; a warning says how many
        were.

        Args:
            sentences: list of str, or a list of str for each image.
            max_length: most words of a sentence, the terminal one among them. Defaults
                to 76.

        Returns:
            int32 `(N, T)`, with zeros after the end, T being the length of the longest;
            and int32 `(N,)`, number of words of each, the terminal one among them.

        Raises:
            ValueError: if there is no sentence, one is no str, or `max_length` is no
                positive integer.
        """
        whole = isinstance(max_length, int | np.integer)
        if not whole or isinstance(max_length, bool) or max_length < 1:
            raise ValueError(
                "Expected max_length as a positive integer. Received: "
                f"max_length={max_length!r}. Pass 76, say."
            )
        rows = [tokenize(sentence) for sentence in _flat(sentences)]
        if not rows:
            raise ValueError(
                "Expected at least one sentence. Received none. Give a list of str."
            )
        longer = sum(len(row) > max_length for row in rows)
        if longer:
            warnings.warn(
                f"{longer} of {len(rows)} sentences are longer than max_length="
                f"{max_length} words and were cut; their terminal word was kept.",
                stacklevel=2,
            )
            rows = [
                [*row[: max_length - 1], TERMINAL] if len(row) > max_length else row
                for row in rows
            ]
        lengths = np.array([len(row) for row in rows], "int32")
        ids = np.zeros((len(rows), lengths.max()), "int32")
        flat = [self._ids.get(word, UNKNOWN_ID) for row in rows for word in row]
        ids[np.arange(ids.shape[1]) < lengths[:, None]] = flat
        return ids, lengths

    def decode(self, ids: Any) -> list[str]:
        """Rows of numbers as sentences.

        Args:
            ids: integers `(N, T)`, or `(T,)` for one sentence. What follows the
                terminal word is left out, and it is put where there is none.

        Returns:
            List of str, `"this bird has a red crown, and a white belly."` say.

        Raises:
            ValueError: for a number that stands for no word.
        """
        rows = np.atleast_2d(np.asarray(keras.ops.convert_to_numpy(ids)))
        if rows.dtype.kind not in "iu" or rows.ndim != 2:
            raise ValueError(
                "Expected integers (sentences, words). Received: ids of shape "
                f"{rows.shape} and type {rows.dtype}. Give what encode gives."
            )
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise ValueError(
                f"Expected numbers from 0 to {len(self) - 1}. Received: ids from "
                f"{rows.min()} to {rows.max()}. Use the vocabulary that made them."
            )
        return [self._sentence(row) for row in rows]

    def _sentence(self, row: np.ndarray) -> str:
        ends = np.flatnonzero(row == TERMINAL_ID)
        row = row[: ends[0]] if len(ends) else row
        text = " ".join(self.words[number] for number in row if number != START_ID)
        return text.replace(" ,", ",") + TERMINAL

    def unknown_share(self, sentences: Any) -> float:
        """Share of the words of sentences that the vocabulary does not have.

        Args:
            sentences: list of str, or a list of str for each image.

        Returns:
            Number from 0 to 1; the terminal word counts as no word.

        Raises:
            ValueError: if there is no word.
        """
        words = [w for sentence in _flat(sentences) for w in tokenize(sentence)[:-1]]
        if not words:
            raise ValueError(
                "Expected sentences with words. Received none. Give a list of str."
            )
        unknown = sum(word not in self._ids or word == UNKNOWN for word in words)
        return unknown / len(words)

    def get_config(self) -> dict[str, Any]:
        """The words; a saved model holds them."""
        return {"words": list(self.words)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Vocabulary:
        """The vocabulary that `get_config` describes."""
        return cls(config["words"])


def _flat(sentences: Any) -> list[str]:
    """All sentences, whether they come in lists or not."""
    if isinstance(sentences, str):
        raise ValueError(
            "Expected a list of sentences. Received: one str, "
            f"sentences={sentences[:40]!r}. Put it in a list."
        )
    flat: list[str] = []
    for one in sentences:
        nested = isinstance(one, Sequence | np.ndarray) and not isinstance(one, str)
        flat.extend(one if nested else [one])
    return flat
