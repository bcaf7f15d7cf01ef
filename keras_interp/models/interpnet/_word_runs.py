"""Runs of words, how telling each is, and how far sentences agree in them: CIDEr."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from keras_interp.datasets.vocabulary import START_ID, TERMINAL, Vocabulary

# The longest run of words that CIDEr looks at, and the score of the same sentence.
LONGEST_RUN = 4
HIGHEST = 10.0
# Runs of two words by which a sentence may be longer or shorter, in CIDEr-D.
LENGTH_SPREAD = 6.0


class WordRuns:
    """Runs of one to four words of sentences about pictures.

    A run that stands in the sentences of few pictures is more telling. Commas and the
    period do not count.

    Args:
        ids: int `(K, words)`, sentences as `vocabulary.encode` gives them.
        pictures: int `(K,)`, the picture of each, from 0.
        vocabulary: of the sentences.

    Reference:
        Vedantam, Zitnick, Parikh, CIDEr, CVPR 2015, eq. (1) and (2), and section 5.
    """

    def __init__(self, ids: np.ndarray, pictures: np.ndarray, vocabulary: Vocabulary):
        self._size = len(vocabulary)
        marks = [
            n for n, word in enumerate(vocabulary.words) if word in (",", TERMINAL)
        ]
        self._silent = [START_ID, *marks]
        self._tables: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []
        self._count = int(pictures.max()) + 1
        for rows, column, width in self._runs(ids):
            shape = self._count, width
            entries = np.ones(len(rows)), (pictures[rows], column)
            held = np.asarray((sparse.csr_matrix(entries, shape=shape) > 0).sum(axis=0))
            self._weights.append(np.log(self._count) - np.log(held.ravel()))
        self._order = np.argsort(pictures, kind="stable")
        self._sizes = np.bincount(pictures, minlength=self._count)
        self._written = self._weighted(ids)

    def directions(self, ids: np.ndarray) -> list[Any]:
        """Sentences as directions in the space of runs.

        Args:
            ids: int `(sentences, words)`.

        Returns:
            A sparse matrix `(sentences, runs)` for each length of run from 1, with rows
            of length 1, or 0 where no run tells anything. Runs that are in none of the
            sentences at hand come last.
        """
        return [
            sparse.csr_matrix(sparse.diags(1.0 / norms) @ weighted)
            for weighted, norms in self._weighted(ids)[0]
        ]

    def cider_d(self, ids: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """CIDEr-D of sentences against those at hand about their pictures.

        Args:
            ids: int `(sentences, words)`.
            pictures: int `(sentences,)`.

        Returns:
            float64 `(sentences,)`, from 0 to 10.
        """
        # Each sentence with each of its picture's.
        sizes = self._sizes[pictures]
        owner = np.repeat(np.arange(len(ids)), sizes)
        first = (np.cumsum(self._sizes) - self._sizes)[pictures]
        place = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        other = self._order[np.repeat(first, sizes) + place]
        said, lengths = self._weighted(ids)
        written, known_lengths = self._written
        total = np.zeros(len(owner))
        for (one, norms), (known, known_norms) in zip(said, written, strict=True):
            reference = known[other]
            # What is said more often than by the other does not count.
            both = one[:, : known.shape[1]][owner].minimum(reference)
            product = np.asarray(both.multiply(reference).sum(axis=1)).ravel()
            total += product / (norms[owner] * known_norms[other])
        difference = lengths[owner] - known_lengths[other]
        total *= np.exp(-(difference**2) / (2.0 * LENGTH_SPREAD**2))
        mean = np.bincount(owner, total, len(ids)) / sizes
        return mean * HIGHEST / LONGEST_RUN

    def _weighted(self, ids: np.ndarray) -> tuple[list[Any], np.ndarray]:
        """For each length of run weighted counts and their norms; runs of two words."""
        found, pairs = [], np.zeros(len(ids))
        for place, (rows, column, width) in enumerate(self._runs(ids)):
            counts = sparse.csr_matrix(
                (np.ones(len(rows)), (rows, column)), shape=(len(ids), width)
            )
            weights = np.full(width, np.log(self._count))
            weights[: len(self._weights[place])] = self._weights[place]
            weighted = sparse.csr_matrix(counts @ sparse.diags(weights))
            norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
            found.append((weighted, np.where(norms > 0, norms, 1.0)))
            if place == 1:
                pairs = np.bincount(rows, minlength=len(ids)).astype(float)
        return found, pairs

    def _runs(self, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        return numbered_runs(spoken(ids, self._silent), self._size, self._tables)


class MeanCider:
    """Mean CIDEr of sentences against evidence.

    Args:
        directions: Of all sentences, from `WordRuns.directions`.
    """

    def __init__(self, directions: list[Any]):
        self._directions = directions

    def scores(
        self, evidence: Any, own: np.ndarray, common: np.ndarray, once: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The scores, on any scale; arguments and shapes as in `ExpectedBleu.scores`.

        A sentence is compared with itself, too, whatever its share `once`.
        """
        pictures, samples = own.shape
        of_own = np.zeros(own.size)
        of_common = np.zeros((pictures, len(common)))
        for matrix in self._directions:
            mean = sparse.csr_matrix(evidence @ matrix)
            # The evidence has many runs, a sentence few: they are looked up in it.
            rows = sparse.coo_matrix(matrix[own.ravel()])
            values = rows.data * mean.toarray()[rows.row // samples, rows.col]
            of_own += np.bincount(rows.row, values, own.size)
            of_common += (mean @ matrix[common].T).toarray()
        return of_own.reshape(own.shape), of_common


def numbered_runs(
    words: np.ndarray, size: int, tables: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """For each length the sentence and the column of all runs, and all columns.

    Args:
        words: int `(sentences, words)`, zeros behind the last word of each.
        size: of the vocabulary.
        tables: for each length the known runs, which have the first columns. Where it
            is empty, those of the sentences are put into it.
    """
    learn = not tables
    numbers, whole = words.astype("int64"), words > 0
    for length in range(1, LONGEST_RUN + 1):
        if length > 1:
            # A run is the run without its last word, and that word.
            last = words[:, length - 1 :]
            whole = whole[:, :-1] & (last > 0)
            numbers = numbers[:, :-1] * size + last
        found = numbers[whole]
        if learn:
            tables.append(np.unique(found))
        table = tables[length - 1]
        column, new = np.searchsorted(table, found), ~np.isin(found, table)
        others, place = np.unique(found[new], return_inverse=True)
        column[new] = len(table) + place
        numbers = np.zeros(whole.shape, "int64")
        numbers[whole] = column
        yield np.nonzero(whole)[0], column, len(table) + len(others)


def spoken(ids: np.ndarray, silent: list[int]) -> np.ndarray:
    """The words that count, one after another, and zeros."""
    skipped = np.isin(ids, silent)
    order = np.argsort(skipped, axis=1, kind="stable")
    return np.take_along_axis(np.where(skipped, 0, ids), order, axis=1)
