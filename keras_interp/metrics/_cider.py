"""CIDEr: how much a sentence says what most people say about just this image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.metrics._captions import CaptionScore, checked_captions, text_package

LONGEST_RUN = 4
# By run of words how often a sentence holds it.
Counts = dict[tuple[str, ...], int]


def cider(hypotheses: Any, references: Any, *, tokens: str = "blanks") -> CaptionScore:
    """Measures plain CIDEr of sentences against several references each.

    The mean cosine between a sentence and its references, each counted as runs of one
    to four words, where a run that stands in the references of many images counts
    little. The score depends on the whole set of references: compare models on the
    same images alone. It is what the InterpNET paper reports, times 100; `cider_d` is
    the later form, which pycocoevalcap calls CIDEr.

    Example:

    >>> import keras_interp as ki
    >>> spoken = ["this bird has a red head", "a small bird with a blue tail"]
    >>> written = [["this bird has a red head"], ["a small bird with a red tail"]]
    >>> score = ki.metrics.cider(spoken, written)
    >>> round(score, 3), score.per_sentence.round(3).tolist()
    (8.37, [10.0, 6.741])

    Args:
        hypotheses: list of str `(N,)`, a sentence for each image.
        references: list of lists of str, one or more sentences for each of the same
            images; their number may differ.
        tokens: how words are found. `"blanks"`: the sentences are split at blanks and
            nothing else, as by the public scorers, so that `"belly."` is a word and
            `"A"` differs from `"a"`. `"words"`: lower case, NLTK's word tokeniser,
            punctuation left out, as the published evaluation prepares its text.
            `"words_and_punctuation"`: that with punctuation. Defaults to `"blanks"`.

    Returns:
        `CaptionScore`, a float from 0 to 10 as the public scorers scale it, with
        `.per_sentence`, of which it is the mean. For one image it is 0, with a
        warning: every run of words stands in the references of all images.

    Raises:
        ValueError: if a sentence or a reference is missing.
        ImportError: without the packages of the extra `text`.

    Reference:
        Vedantam, Zitnick, Parikh, CIDEr, CVPR 2015, equations 1 to 3.
    """
    spoken, written = checked_captions(hypotheses, references, tokens)
    counted = _counted(spoken, written)
    runs = RunCounts.of(counted.crefs)
    owner = np.repeat(np.arange(len(written)), [len(group) for group in written])
    sentences = [counts for group in counted.crefs for counts in group]
    each = np.zeros(len(spoken))
    for one, other in zip(
        runs.directions(counted.ctest), runs.directions(sentences), strict=True
    ):
        cosine = np.asarray(one[owner].multiply(other).sum(axis=1)).ravel()
        each += np.bincount(owner, cosine, len(spoken))
    each *= 10.0 / LONGEST_RUN / np.bincount(owner, minlength=len(spoken))
    return CaptionScore(float(each.mean()), each)


def cider_d(
    hypotheses: Any, references: Any, *, tokens: str = "blanks"
) -> CaptionScore:
    """Measures CIDEr-D of sentences against several references each.

    CIDEr that repeating a word cannot raise: counts beyond those of the reference are
    left out, and a sentence of another length than the reference loses. pycocoevalcap
    computes it, under the name CIDEr.

    Example:

    >>> import keras_interp as ki
    >>> spoken = ["this bird has a red head", "a small bird with a blue tail"]
    >>> written = [["this bird has a red head"], ["a small bird with a red tail"]]
    >>> score = ki.metrics.cider_d(spoken, written)
    >>> round(score, 3), score.per_sentence.round(3).tolist()
    (8.37, [10.0, 6.741])

    Args:
        hypotheses: list of str `(N,)`, a sentence for each image.
        references: list of lists of str, one or more sentences for each of the same
            images; their number may differ.
        tokens: how words are found. `"blanks"`: the sentences are split at blanks and
            nothing else, as by the public scorers, so that `"belly."` is a word and
            `"A"` differs from `"a"`. `"words"`: lower case, NLTK's word tokeniser,
            punctuation left out, as the published evaluation prepares its text.
            `"words_and_punctuation"`: that with punctuation. Defaults to `"blanks"`.

    Returns:
        `CaptionScore`, a float from 0 to 10 as the public scorers scale it, with
        `.per_sentence`, of which it is the mean. For one image it is 0, with a
        warning: every run of words stands in the references of all images.

    Raises:
        ValueError: if a sentence or a reference is missing.
        ImportError: without the packages of the extra `text`.

    Reference:
        Vedantam, Zitnick, Parikh, CIDEr, CVPR 2015, section 5, "CIDEr-D".
    """
    spoken, written = checked_captions(hypotheses, references, tokens)
    value, each = _counted(spoken, written).compute_score()
    return CaptionScore(float(value), each)


def _counted(spoken: list[str], written: list[list[str]]) -> Any:
    """pycocoevalcap's scorer, which has counted the runs of words."""
    if len(spoken) == 1:
        warnings.warn(
            "CIDEr of one image is 0: every run of words stands in the references of "
            "all images. Score all test images in one call.",
            stacklevel=3,
        )
    scorer = text_package("pycocoevalcap.cider.cider_scorer").CiderScorer(n=LONGEST_RUN)
    for sentence, group in zip(spoken, written, strict=True):
        scorer += (sentence, group)
    return scorer


class RunCounts:
    """Runs of words that documents hold, and sentences as directions in their space.

    Args:
        places: by run of words its column.
        weights: float64 `(columns + 1,)`, log of the number of documents over those
            that hold the run; last the weight of a run that none holds.
    """

    def __init__(self, places: dict[tuple[str, ...], int], weights: np.ndarray):
        self.places = places
        self.weights = weights

    @classmethod
    def of(cls, documents: Sequence[Sequence[Counts]]) -> RunCounts:
        """From documents of several counted sentences each."""
        held: Counts = {}
        for sentences in documents:
            for run in {run for counts in sentences for run in counts}:
                held[run] = held.get(run, 0) + 1
        places = {run: place for place, run in enumerate(held)}
        frequency = np.array([*held.values(), 1.0])
        return cls(places, np.log(len(documents)) - np.log(frequency))

    def directions(self, sentences: Sequence[Counts]) -> list[Any]:
        """Sparse matrices `(sentences, columns)`, one for each length of run.

        A row has length 1, or 0 where all weights are 0. Runs that no document holds
        have no column, and count in the length of the row alone.
        """
        from scipy import sparse

        entries = [
            (row, self.places.get(run, -1), len(run), count)
            for row, counts in enumerate(sentences)
            for run, count in counts.items()
        ]
        row, column, length, count = np.array(entries, int).reshape(-1, 4).T
        weight = count * self.weights[column]
        found = []
        for run_length in range(1, LONGEST_RUN + 1):
            of_length = length == run_length
            square = np.bincount(row, of_length * weight**2, len(sentences))
            norm = np.sqrt(np.where(square > 0, square, 1.0))
            kept = of_length & (column >= 0)
            places = row[kept], column[kept]
            shape = len(sentences), len(self.places)
            values = weight[kept] / norm[row[kept]]
            found.append(sparse.csr_matrix((values, places), shape=shape))
        return found
