"""How well a sentence tells the class of its image from the other classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.metrics._captions import (
    CaptionScore,
    checked_sentences,
    splitter,
    text_package,
)
from keras_interp.metrics._cider import LONGEST_RUN, RunCounts
from keras_interp.metrics._peaks import to_numpy


def class_similarity(
    hypotheses: Any, labels: Any, class_references: Any, *, tokens: str = "blanks"
) -> CaptionScore:
    """Measures CIDEr of sentences against all sentences about their class.

    Example:

    >>> import keras_interp as ki
    >>> about = [["a red bird", "the bird is red"], ["a blue bird"]]
    >>> score = ki.metrics.class_similarity(["a red bird"], [0], about)
    >>> round(score, 3), score.per_sentence.round(3).tolist()
    (4.472, [4.472])

    Args:
        hypotheses: list of str `(N,)`, a sentence for each image.
        labels: int `(N,)`, the class of each image, from 0.
        class_references: list of lists of str, the sentences that people wrote about
            the images of each class. Words that stand in those of many classes count
            little.
        tokens: how words are found. `"blanks"`: the sentences are split at blanks and
            nothing else, so that `"belly."` is a word and `"A"` differs from `"a"`.
            `"words"`: lower case, NLTK's word tokeniser, punctuation left out.
            `"words_and_punctuation"`: that with punctuation. Defaults to `"blanks"`.

    Returns:
        `CaptionScore`, a float from 0 to 10, with `.per_sentence`, of which it is the
        mean.

    Raises:
        ValueError: if a sentence is missing, a label has no class, or there are fewer
            than two classes.
        ImportError: without the packages of the extra `text`.

    Reference:
        Hendricks et al., Generating Visual Explanations, ECCV 2016, section 4,
        "Class similarity". The weights of words, which it does not state, are counted
        with one document for each class.
    """
    table, chosen = _similarities(hypotheses, labels, class_references, tokens)
    each = table[np.arange(len(chosen)), chosen]
    return CaptionScore(float(each.mean()), each)


def class_rank(
    hypotheses: Any, labels: Any, class_references: Any, *, tokens: str = "blanks"
) -> CaptionScore:
    """Measures the place of the right class among all that a sentence could be about.

    The classes are ordered by the CIDEr of the sentence against all sentences about
    each. A sentence that fits all classes has the place in the middle.

    Example:

    >>> import keras_interp as ki
    >>> about = [["a red bird", "the bird is red"], ["a blue bird"]]
    >>> ki.metrics.class_rank(["a red bird", "a bird"], [0, 0], about).per_sentence
    array([1. , 1.5])

    Args:
        hypotheses: list of str `(N,)`, a sentence for each image.
        labels: int `(N,)`, the class of each image, from 0.
        class_references: list of lists of str, the sentences that people wrote about
            the images of each class. Words that stand in those of many classes count
            little.
        tokens: how words are found. `"blanks"`: the sentences are split at blanks and
            nothing else, so that `"belly."` is a word and `"A"` differs from `"a"`.
            `"words"`: lower case, NLTK's word tokeniser, punctuation left out.
            `"words_and_punctuation"`: that with punctuation. Defaults to `"blanks"`.

    Returns:
        `CaptionScore`, a float from 1 (the right class is first) to the number of
        classes; chance is in the middle. With `.per_sentence`, of which it is the mean.

    Raises:
        ValueError: if a sentence is missing, a label has no class, or there are fewer
            than two classes.
        ImportError: without the packages of the extra `text`.

    Reference:
        Hendricks et al., Generating Visual Explanations, ECCV 2016, section 4, "Class
        rank".
    """
    table, chosen = _similarities(hypotheses, labels, class_references, tokens)
    own = table[np.arange(len(chosen)), chosen][:, None]
    above = (table > own + 1e-12).sum(axis=1)
    level = (np.abs(table - own) <= 1e-12).sum(axis=1)
    each = 1.0 + above + (level - 1) / 2
    return CaptionScore(float(each.mean()), each)


def _similarities(
    hypotheses: Any, labels: Any, class_references: Any, tokens: str
) -> tuple[np.ndarray, np.ndarray]:
    """CIDEr of each sentence with each class `(N, classes)`, and the labels."""
    from scipy import sparse

    spoken = checked_sentences("hypotheses", hypotheses)
    if not isinstance(class_references, Sequence) or len(class_references) < 2:
        raise ValueError(
            "Expected class_references as the sentences of two classes or more. "
            f"Received: class_references={class_references!r:.60}. With one class "
            "every sentence is about it."
        )
    written = [
        checked_sentences(f"class_references[{number}]", sentences)
        for number, sentences in enumerate(class_references)
    ]
    chosen = _class_numbers(labels, len(spoken), len(written))
    split = splitter(tokens)
    precook = text_package("pycocoevalcap.cider.cider_scorer").precook
    counted = [[precook(split(s), LONGEST_RUN) for s in group] for group in written]
    runs = RunCounts.of(counted)
    owner = np.repeat(np.arange(len(written)), [len(group) for group in written])
    ones = 1.0 / np.bincount(owner)[owner]
    mean = sparse.csr_matrix((ones, (owner, np.arange(len(owner)))))
    table = np.zeros((len(spoken), len(written)))
    for one, other in zip(
        runs.directions([precook(split(s), LONGEST_RUN) for s in spoken]),
        runs.directions([counts for group in counted for counts in group]),
        strict=True,
    ):
        table += (one @ (mean @ other).T).toarray()
    return 10.0 / LONGEST_RUN * table, chosen


def _class_numbers(labels: Any, sentences: int, classes: int) -> np.ndarray:
    numbers = to_numpy(labels)
    if numbers.shape != (sentences,) or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"Expected labels as {sentences} integers, one for each hypothesis. "
            f"Received: labels of {numbers.dtype}, shape {numbers.shape}. Pass "
            "dataset.labels of the same images."
        )
    if numbers.min() < 0 or numbers.max() >= classes:
        raise ValueError(
            f"Expected labels from 0 to {classes - 1}, the places of "
            f"class_references. Received: labels from {numbers.min()} to "
            f"{numbers.max()}. Give sentences for each class."
        )
    return numbers
