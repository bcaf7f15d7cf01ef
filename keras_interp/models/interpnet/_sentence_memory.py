"""Sentences that people wrote, kept to judge which sentence agrees most with others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from keras_interp.datasets.vocabulary import (
    START_ID,
    UNKNOWN_ID,
    Vocabulary,
)
from keras_interp.models.interpnet._arguments import check_whole
from keras_interp.models.interpnet._captions import check_captions
from keras_interp.models.interpnet._expected_bleu import ExpectedBleu
from keras_interp.models.interpnet._word_runs import MeanCider, WordRuns

# Pictures that are compared with all sentences at once.
PICTURES = 64
AGREEMENTS = ("cider", "bleu")


class SentenceMemory:
    """Sentences about training pictures, for `explain_by_consensus`.

    They say how telling a run of words is: one that stands in the sentences of few
    pictures counts for more. With the classes of the pictures they are also evidence of
    what people would say of a new one, and may be said themselves.

    Example:

    ```python
    captions = [["a red bird."], ["a bird with a red head."], ["a blue bird."]]
    vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
    memory = ki.models.SentenceMemory(vocabulary, captions, labels=[0, 0, 1])
    print(memory)  # <SentenceMemory of 3 sentences, 2 classes>
    ```

    Args:
        vocabulary: `keras_interp.datasets.Vocabulary` of the decoder.
        captions: for each of two pictures or more a list of sentences.
        labels: integers `(N,)`, the pictures' classes as the classifier numbers them.
            None (default): the sentences only weigh the runs of words.
        weight: share of the evidence, from 0 to 1, that the sentences of the classes
            are; the others are those that the decoder draws. Defaults to 0.75.
        sharpness: power to which the probabilities of the classes are raised before the
            sentences of each class are weighted by them. Defaults to 2.
        agreement: what is said has the highest mean CIDEr against the evidence
            (`"cider"`, the default), or the highest BLEU-4 that may be expected against
            sentences drawn from it (`"bleu"`): telling words, or the usual ones.
        references: how many sentences are drawn, as many as a picture will be scored
            against; for `"bleu"` alone. Defaults to 10.

    Raises:
        ValueError: for fewer than two pictures, a picture without a sentence, labels
            that do not fit, another agreement, or a number out of its range.

    Reference:
        Devlin, Gupta, Girshick, Mitchell, Zitnick, "Exploring Nearest Neighbor
        Approaches for Image Captioning", 2015, section 3.2, the consensus caption; the
        agreement is the cosine of Vedantam, Zitnick, Parikh, CIDEr, CVPR 2015, eq. (2),
        or the BLEU of Papineni, Roukos, Ward, Zhu, ACL 2002, as in Kumar, Byrne,
        "Minimum Bayes-Risk Decoding for Statistical Machine Translation", NAACL 2004.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        captions: Any,
        labels: Any = None,
        weight: float = 0.75,
        sharpness: float = 2.0,
        agreement: str = "cider",
        references: int = 10,
    ):
        listed = isinstance(captions, Sequence | np.ndarray)
        count = len(captions) if listed else 0
        if count < 2:
            raise ValueError(
                "Expected the sentences of two pictures or more. Received: "
                + (f"captions of {count}" if listed else f"captions={captions!r:.60}")
                + ". Give those of the training pictures."
            )
        check_captions(captions, count, "captions")
        for name, value, most in (
            ("weight", weight, 1.0),
            ("sharpness", sharpness, np.inf),
        ):
            if not 0.0 <= value <= most or not np.isfinite(value):
                words = "from 0 to 1" if most == 1.0 else "of 0 or more"
                raise ValueError(
                    f"Expected {name} {words}. Received: {name}={value!r}. Leave it "
                    "out for the default."
                )
        if agreement not in AGREEMENTS:
            raise ValueError(
                f"Expected agreement out of {AGREEMENTS}. Received: "
                f"agreement={agreement!r}. Choose one of these."
            )
        check_whole(references, "references")
        self.agreement, self.references = agreement, references
        self.vocabulary = vocabulary
        self.weight, self.sharpness = float(weight), float(sharpness)
        sizes = [len(group) for group in captions]
        self.ids, _ = vocabulary.encode(captions)
        pictures = np.repeat(np.arange(count), sizes)
        self._runs = WordRuns(self.ids, pictures, vocabulary)
        self.labels: np.ndarray | None = None
        if labels is not None:
            array = np.asarray(labels)
            if array.shape != (count,) or array.dtype.kind not in "iu":
                raise ValueError(
                    f"Expected an integer label for each of {count} pictures. "
                    f"Received: labels of shape {array.shape} and type {array.dtype}. "
                    "Give the class numbers."
                )
            if array.min() < 0:
                raise ValueError(
                    "Expected labels from 0. Received: labels with "
                    f"{array.min()} among them. Number the classes from 0."
                )
            self.labels = np.repeat(array, sizes)

    def __repr__(self) -> str:
        classes = (
            "" if self.labels is None else f", {len(np.unique(self.labels))} classes"
        )
        return f"<SentenceMemory of {len(self.ids)} sentences{classes}>"

    def chosen(self, drawn: np.ndarray, probabilities: Any, longest: int) -> np.ndarray:
        """The sentence for each picture that agrees most with the evidence.

        Args:
            drawn: int32 `(pictures, samples, words)`, sentences that a decoder drew.
            probabilities: `(pictures, classes)`, used where there are labels.
            longest: most words of a sentence, the terminal one among them.

        Returns:
            int32 `(pictures, words)`.
        """
        pictures, samples, words = drawn.shape
        width = max(words, self.ids.shape[1])
        both = [_padded(self.ids, width), _padded(drawn.reshape(-1, words), width)]
        # A sentence is compared once, however often it was written or drawn.
        every, place = np.unique(np.concatenate(both), axis=0, return_inverse=True)
        place = place.reshape(-1)
        kept, own = place[: len(self.ids)], place[len(self.ids) :]
        measure: MeanCider | ExpectedBleu = (
            MeanCider(self._runs.directions(every))
            if self.agreement == "cider"
            else ExpectedBleu(every, len(self.vocabulary), self.references)
        )
        once = 1.0 / samples
        owner = np.repeat(np.arange(pictures), samples)
        entries = np.full(len(owner), once), (owner, own)
        evidence = sparse.csr_matrix(entries, shape=(pictures, len(every)))
        common = np.empty(0, int)
        if self.labels is not None:
            classes = self._by_class(kept, probabilities, len(every))
            evidence = (1.0 - self.weight) * evidence + self.weight * classes
            once *= 1.0 - self.weight
            common = np.unique(kept)
            common = common[_can_be_said(every[common], longest)]
        own = own.reshape(pictures, samples)
        found = []
        for some in np.array_split(np.arange(pictures), -(-pictures // PICTURES)):
            scores = measure.scores(evidence[some], own[some], common, once)
            found.append(_best(*scores, own[some], common))
        return every[np.concatenate(found)]

    def _by_class(self, kept: np.ndarray, probabilities: Any, count: int) -> Any:
        """Weights of the sentences of the classes, by what each picture may be."""
        labels = self.labels
        assert labels is not None
        classes = probabilities.shape[1]
        if labels.max() >= classes:
            raise ValueError(
                f"Expected labels below {classes}, the classes of the model. Received: "
                f"a memory with the label {labels.max()}. Number them as the "
                "classifier does."
            )
        chances = np.asarray(probabilities, "float64") ** self.sharpness
        # A class without sentences is no evidence.
        sizes = np.bincount(labels, minlength=classes)
        chances = chances * (sizes > 0)
        chances /= np.maximum(chances.sum(axis=1, keepdims=True), 1e-300)
        shape = classes, count
        members = sparse.csr_matrix((1.0 / sizes[labels], (labels, kept)), shape=shape)
        return sparse.csr_matrix(chances) @ members


def _best(
    of_own: np.ndarray, of_common: np.ndarray, own: np.ndarray, common: np.ndarray
) -> np.ndarray:
    """For each picture the best sentence, of its own candidates and the common ones."""
    best = np.take_along_axis(own, of_own.argmax(axis=1)[:, None], axis=1)[:, 0]
    if not len(common):
        return best
    better = of_common.max(axis=1) > of_own.max(axis=1)
    return np.where(better, common[of_common.argmax(axis=1)], best)


def _padded(ids: np.ndarray, width: int) -> np.ndarray:
    return np.pad(ids, [(0, 0), (0, width - ids.shape[1])])


def _can_be_said(ids: np.ndarray, longest: int) -> np.ndarray:
    """Which sentences have words of the vocabulary alone, and not too many."""
    known = (ids != UNKNOWN_ID).all(axis=1)
    return known & ((ids != START_ID).sum(axis=1) <= longest)
