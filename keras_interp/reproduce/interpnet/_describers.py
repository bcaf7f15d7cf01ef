"""What sentences are worth that no decoder wrote, for comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_interp.metrics._captions import splitter, text_package
from keras_interp.metrics._cider import LONGEST_RUN, RunCounts


class Consensus:
    """Finds, among sentences about some images, those that agree most with the others.

    Agreement is the mean cosine of CIDEr, so that what is chosen is chosen for that
    score; nothing of a test image is known.

    Args:
        captions: the sentences of the training images, a list for each.
        labels: int `(N,)`, their classes.
    """

    def __init__(self, captions: Sequence[Sequence[str]], labels: np.ndarray):
        split = splitter("words")
        precook = text_package("pycocoevalcap.cider.cider_scorer").precook
        counted = [
            [precook(split(s), LONGEST_RUN) for s in group] for group in captions
        ]
        self.sentences = [s for group in captions for s in group]
        self._labels = np.repeat(labels, [len(group) for group in captions])
        self._directions = RunCounts.of(counted).directions(
            [counts for group in counted for counts in group]
        )

    def of_all(self) -> str:
        """The one sentence that fits all images best."""
        return self._best(np.arange(len(self.sentences)))

    def of_classes(self, classes: int) -> list[str]:
        """A sentence for each class; that of all where a class has none."""
        rows = [np.flatnonzero(self._labels == number) for number in range(classes)]
        return [self._best(some) if len(some) else self.of_all() for some in rows]

    def _best(self, rows: np.ndarray) -> str:
        agreement = np.zeros(len(rows))
        for directions in self._directions:
            some = directions[rows]
            agreement += np.asarray(some @ some.mean(axis=0).T).ravel()
        return self.sentences[rows[agreement.argmax()]]


def human_sentences(
    captions: Sequence[Sequence[str]], seed: int
) -> tuple[list[str], list[list[str]]]:
    """One of the sentences about each image, and the others as its references.

    An image with one sentence alone is left out.
    """
    rng = np.random.default_rng(seed)
    spoken, written = [], []
    for group in captions:
        if len(group) > 1:
            place = int(rng.integers(len(group)))
            spoken.append(group[place])
            written.append([s for n, s in enumerate(group) if n != place])
    return spoken, written


def random_sentences(
    captions: Sequence[Sequence[str]], count: int, seed: int
) -> list[str]:
    """Sentences about any training images."""
    every = [s for group in captions for s in group]
    chosen = np.random.default_rng(seed).integers(len(every), size=count)
    return [every[place] for place in chosen]


def other_images(labels: np.ndarray, seed: int, same_class: bool) -> np.ndarray:
    """For each image the row of another one, each once: of its class, or of any.

    In a class of one image that image stays.
    """
    rng = np.random.default_rng(seed)
    groups = labels if same_class else np.zeros(len(labels), int)
    chosen = np.arange(len(labels))
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group))
        chosen[rows] = np.roll(rows, 1)
    return chosen
