"""BLEU that a sentence may expect where only evidence of what people write is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from keras_interp.datasets.vocabulary import START_ID
from keras_interp.models.interpnet._word_runs import LONGEST_RUN, numbered_runs, spoken

# Added to counted and to possible runs: a sentence without a known run of four words is
# not worth nothing.
SMOOTHING = 0.1


class ExpectedBleu:
    """BLEU-4 of sentences against some that are drawn from evidence.

    A share p of the evidence has a run of words k times or more. The k-th time that a
    sentence has the run counts if one of R drawn sentences has it so often, too: with
    probability 1 - (1 - p)^R. The mean over all draws is taken of the counted runs and
    of the exponent of the brevity penalty, before the logarithm of BLEU.

    Args:
        ids: int `(sentences, words)`, all that can be said or is evidence.
        words: size of the vocabulary.
        references: R.

    Reference:
        Papineni, Roukos, Ward, Zhu, BLEU, ACL 2002, sections 2.1 and 2.2; Kumar, Byrne,
        "Minimum Bayes-Risk Decoding for Statistical Machine Translation", NAACL 2004.
    """

    def __init__(self, ids: np.ndarray, words: int, references: int):
        said = spoken(ids, [START_ID])
        self._references = references
        self._lengths = (said > 0).sum(axis=1)
        count = len(ids)
        self._runs = [
            _each_time(rows, column, count)
            for rows, column, _ in numbered_runs(said, words, [])
        ]
        shape = count, self._lengths.max() + 1
        entries = np.ones(count), (np.arange(count), self._lengths)
        self._of_length = sparse.csr_matrix(entries, shape=shape)

    def scores(
        self, evidence: Any, own: np.ndarray, common: np.ndarray, once: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of the expected scores.

        Args:
            evidence: sparse `(pictures, sentences)`, rows of sum 1.
            own: int `(pictures, samples)`, sentences that were drawn for each picture.
            common: int `(candidates,)`, sentences that can be said of every picture.
            once: share of the evidence that each of the `own` is, and by which no
                sentence speaks for itself.

        Returns:
            `(pictures, samples)` and `(pictures, candidates)`.
        """
        pictures, samples = own.shape
        flat, owner = own.ravel(), np.repeat(np.arange(pictures), samples)
        brevity = self._brevity(np.asarray((evidence @ self._of_length).todense()))
        of_own = brevity[owner, self._lengths[flat]]
        of_common = brevity[:, self._lengths[common]]
        for place, matrix in enumerate(self._runs):
            shares = sparse.csr_matrix(evidence @ matrix)
            rows = sparse.coo_matrix(matrix[flat])
            others = shares.toarray()[rows.row // samples, rows.col] - once
            counted = self._counted(others / max(1.0 - once, 1e-12))
            counted = np.bincount(rows.row, counted, flat.size)
            of_own = of_own + _log_precision(counted, self._lengths[flat] - place)
            shares.data = self._counted(shares.data)
            counted = (shares @ matrix[common].T).toarray()
            possible = self._lengths[common] - place
            of_common = of_common + _log_precision(counted, possible)
        return of_own.reshape(own.shape), of_common

    def _counted(self, shares: np.ndarray) -> np.ndarray:
        """Probability that a reference has what a share of the evidence has."""
        return 1.0 - (1.0 - np.clip(shares, 0.0, 1.0)) ** self._references

    def _brevity(self, shares: np.ndarray) -> np.ndarray:
        """Mean exponent of the brevity penalty for a sentence of each length.

        Args:
            shares: `(pictures, lengths)`, how much of the evidence has that length.
        """
        lengths, references = shares.shape[1], self._references
        padded = np.pad(shares, [(0, 0), (lengths, lengths)])
        no_nearer, total = 1.0 - shares, np.zeros(shares.shape)
        for apart in range(1, lengths):
            # Of two references that are as near, the shorter one counts.
            shorter = padded[:, lengths - apart : 2 * lengths - apart]
            longer = padded[:, lengths + apart : 2 * lengths + apart]
            no_shorter = np.maximum(no_nearer - shorter, 0.0)
            no_nearer = np.maximum(no_shorter - longer, 0.0)
            total -= apart * (no_shorter**references - no_nearer**references)
        total[:, 1:] /= np.arange(1, lengths)
        total[:, 0] = -np.inf
        return total


def _each_time(rows: np.ndarray, column: np.ndarray, count: int) -> Any:
    """Ones at the sentences that have a run for the first, second, ... time."""
    order = np.lexsort((column, rows))
    rows, column = rows[order], column[order]
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]) | (column[1:] != column[:-1])
    first = np.flatnonzero(new)
    time = np.arange(len(rows)) - np.repeat(first, np.diff([*first, len(rows)]))
    every, place = np.unique(np.stack([column, time]), axis=1, return_inverse=True)
    entries = np.ones(len(rows)), (rows, place.reshape(-1))
    return sparse.csr_matrix(entries, shape=(count, every.shape[1]))


def _log_precision(counted: np.ndarray, possible: np.ndarray) -> np.ndarray:
    possible = np.maximum(possible, 0) + SMOOTHING
    return np.log((counted + SMOOTHING) / possible) / LONGEST_RUN
