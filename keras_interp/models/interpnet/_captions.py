"""Sentences of pictures as batches of nearly equal length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_interp.datasets.vocabulary import Vocabulary

# Shares of the sentences below which a bucket's longest lies.
QUANTILES = (0.5, 0.8, 0.95, 1.0)


class SentenceBatch(NamedTuple):
    """Sentences that are computed together.

    Attributes:
        pictures: int32 `(batch,)`, which picture each is about.
        words: int32 `(batch, steps)`, what is to be said, zeros at the end.
        lengths: int32 `(batch,)`, number of words; 0 for a row that does not count.
    """

    pictures: np.ndarray
    words: np.ndarray
    lengths: np.ndarray


class Captions:
    """The sentences of pictures as numbers.

    Args:
        captions: for each picture a list of sentences.
        count: number of pictures.
        vocabulary: gives the numbers.
        max_length: most words of a sentence.
        name: of the argument, for error messages.

    Attributes:
        pictures: int32 `(sentences,)`, which picture each is about.
        words: int32 `(sentences, steps)`.
        lengths: int32 `(sentences,)`.
    """

    def __init__(
        self,
        captions: Any,
        count: int,
        vocabulary: Vocabulary,
        max_length: int,
        name: str = "captions",
    ):
        rows = check_captions(captions, count, name)
        self.words, self.lengths = vocabulary.encode(
            [sentence for row in rows for sentence in row], max_length
        )
        sizes = [len(row) for row in rows]
        self.pictures = np.repeat(np.arange(count, dtype="int32"), sizes)
        edges = np.quantile(self.lengths, QUANTILES, method="higher")
        self._edges = np.unique(edges).astype(int)

    def __len__(self) -> int:
        return len(self.lengths)

    def shuffled(
        self, batch_size: int, rng: np.random.Generator
    ) -> list[SentenceBatch]:
        """Batches of one size for an epoch, in a random order.

        Sentences of a bucket come together. What is left over in a bucket goes into
        the next longer one, and what is left over in the last is left out.
        """
        order = rng.permutation(len(self))
        buckets = np.searchsorted(self._edges, self.lengths[order])
        left: np.ndarray = order[:0]
        batches = []
        for bucket, longest in enumerate(self._edges):
            rows = np.concatenate([left, order[buckets == bucket]])
            whole = len(rows) - len(rows) % batch_size
            for start in range(0, whole, batch_size):
                batches.append((rows[start : start + batch_size], longest))
            left = rows[whole:]
        return [self._batch(*batches[place]) for place in rng.permutation(len(batches))]

    def in_order(self, batch_size: int) -> Iterator[SentenceBatch]:
        """All sentences, from short to long; rows of length 0 fill the last batch."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            last = np.searchsorted(self._edges, self.lengths[rows].max())
            batch = self._batch(rows, self._edges[last])
            missing = batch_size - len(rows)
            yield SentenceBatch(
                *(np.pad(a, [(0, missing)] + [(0, 0)] * (a.ndim - 1)) for a in batch)
            )

    def _batch(self, rows: np.ndarray, longest: int) -> SentenceBatch:
        return SentenceBatch(
            self.pictures[rows], self.words[rows, :longest], self.lengths[rows]
        )


def check_captions(captions: Any, count: int, name: str) -> list[list[str]]:
    """Captions as a list of str for each picture, none of them empty."""
    listed = isinstance(captions, Sequence | np.ndarray) and not isinstance(
        captions, str
    )
    if not listed or len(captions) != count:
        received = f"{len(captions)} of them" if listed else f"{captions!r}"
        raise ValueError(
            f"Expected {name} as a list of sentences for each of {count} pictures. "
            f"Received: {received}. Give dataset.captions, say."
        )
    rows = []
    for place, row in enumerate(captions):
        inner = isinstance(row, Sequence | np.ndarray) and not isinstance(row, str)
        sentences = list(row) if inner else [row]
        said = [isinstance(s, str) and bool(s.strip(" .\t\n")) for s in sentences]
        if not inner or not sentences or not all(said):
            raise ValueError(
                f"Expected {name} with at least one sentence for each picture, and no "
                f"empty one. Received: {sentences[:3]!r} for the picture at place "
                f"{place}. Leave the picture out, or give its sentences."
            )
        rows.append(sentences)
    return rows
