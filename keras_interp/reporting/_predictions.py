"""What a model says about the images of a report, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_interp import attribution, plotting
from keras_interp.metrics._progress import announce
from keras_interp.reporting._filter_pictures import jpeg, thumbnails
from keras_interp.reporting._page import ReportFigure, ReportSection, ReportTable
from keras_interp.reporting._results import threshold_of

_METHODS = ("grad_cam", "excitation_backprop")
_MOST_ROWS = 200
_CARDS = 4


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The classes that a model gives to images.

    Args:
        scores: what the model gave, a row for each of N images.
        confidence: float `(N, classes)`, that add up to 1.
        names: a name for each class.
        right: int `(N,)`, the right classes, or `None` where they are not known.
    """

    scores: np.ndarray
    confidence: np.ndarray
    names: Sequence[str]
    right: np.ndarray | None

    @classmethod
    def of(
        cls,
        model: keras.Model,
        scores: np.ndarray,
        names: Sequence[str] | None,
        right: np.ndarray | None,
    ) -> Predictions:
        """From what a model gave: probabilities, or logits.

        Args:
            model: that gave the scores.
            scores: `(N, classes)` or, of one output, `(N, 1)`.
            names: of the classes, or `None`.
            right: int `(N,)`, the right classes, or `None`.
        """
        given = scores
        scores = scores.reshape(len(scores), -1).astype("float64")
        if scores.shape[1] == 1:
            yes = scores[:, 0]
            if threshold_of(model) == 0:
                yes = 1 / (1 + np.exp(-np.clip(yes, -500, 500)))
            scores = np.stack([1 - yes, yes], axis=1)
            right = None if right is None else (right > 0).astype(int)
            names = names or ("no", "yes")
            if len(names) == 1:
                names = (f"not {names[0]}", names[0])
        elif scores.min() < 0 or not np.allclose(scores.sum(axis=1), 1, atol=1e-3):
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        count = scores.shape[1]
        if names is None or len(names) != count:
            names = [f"class {place}" for place in range(count)]
        return cls(given, scores, names, right)

    @property
    def said(self) -> np.ndarray:
        """int `(N,)`, the class that each image is given."""
        return self.confidence.argmax(axis=1)

    @property
    def sureness(self) -> np.ndarray:
        """float `(N,)`, the confidence in that class."""
        return self.confidence.max(axis=1)

    @property
    def wrong(self) -> np.ndarray:
        """bool `(N,)`, the mistakes; none where the right classes are not known."""
        if self.right is None:
            return np.zeros(len(self.confidence), bool)
        return self.said != self.right

    def order(self) -> np.ndarray:
        """The images as they are listed: the most confident mistakes, then doubts."""
        mistakes = np.flatnonzero(self.wrong)
        mistakes = mistakes[np.argsort(-self.sureness[mistakes], kind="stable")]
        others = np.flatnonzero(~self.wrong)
        others = others[np.argsort(self.sureness[others], kind="stable")]
        return np.concatenate([mistakes, others])

    def examples(self) -> np.ndarray:
        """Images to explain: confident mistakes, or the surest of common classes."""
        if self.wrong.any():
            return self.order()[: min(_CARDS, int(self.wrong.sum()))]
        classes, counts = np.unique(self.said, return_counts=True)
        common = classes[np.argsort(-counts, kind="stable")][:_CARDS]
        sure = np.where(self.said[:, None] == common, self.sureness[:, None], -1.0)
        return sure.argmax(axis=0)


def predictions_section(
    found: Predictions, images: np.ndarray, titles: Sequence[str]
) -> ReportSection:
    """What the model says, image by image.

    Args:
        found: the predictions.
        images: `(N, H, W, C)`.
        titles: N words, such as names of files; `""` for none.
    """
    places = found.order()[:_MOST_ROWS]
    number = len(found.said)
    classes, counts = np.unique(found.said, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:5]
    common = ", ".join(f"{found.names[classes[i]]} ({counts[i]})" for i in most)
    words = f"Most often the model says {common}, over {number} images."
    caption = "All images" if len(places) == number else f"{len(places)} images"
    if found.right is None:
        words += " Whether that is right cannot be told without labels."
        caption += ", those first of which the model is least sure."
    else:
        wrong = int(found.wrong.sum())
        words += (
            f" It is wrong on {wrong} of them."
            if wrong
            else " It is wrong on none of them."
        )
        caption += ", the most confident mistakes first, then what it is least sure of."
    second = np.argsort(-found.confidence, axis=1, kind="stable")[:, 1]
    rows = [
        [
            titles[place] or str(place),
            found.names[found.said[place]],
            f"{found.sureness[place]:.1%}",
            f"{found.names[second[place]]}, "
            f"{found.confidence[place, second[place]]:.1%}",
            *_judged(found, place),
        ]
        for place in places.tolist()
    ]
    pictures = [
        ReportFigure(jpeg(tile), alt=f"{row[0]}, which the model calls {row[1]}")
        for tile, row in zip(thumbnails(images, places), rows, strict=True)
    ]
    columns = ["image", "model says", "confidence", "then"]
    columns += [] if found.right is None else ["it is", "mistake"]
    return ReportSection(
        "What the model says",
        [
            words,
            "Confidence is what the model claims, and not how often it is right: "
            "networks are often surer than they should be.",
        ],
        tables=[ReportTable(columns, rows, caption, pictures=pictures)],
    )


def _judged(found: Predictions, place: int) -> list[str]:
    if found.right is None:
        return []
    right = int(found.right[place])
    name = found.names[right] if right < len(found.names) else str(right)
    return [name, "yes" if found.wrong[place] else "no"]


def cards_section(
    model: keras.Model,
    found: Predictions,
    images: np.ndarray,
    titles: Sequence[str],
    preprocess: Callable[[np.ndarray], Any] | None,
    verbose: int,
) -> list[ReportSection]:
    """Where a few predictions come from; nothing where no method suits the model."""
    places = found.examples()
    announce(f"Explaining {len(places)} predictions", verbose)
    batch = images[places]
    batch = batch if preprocess is None else preprocess(batch.copy())
    said = found.said[places]
    # A model with one output has one score, which no is the lack of.
    target = np.zeros_like(said) if model.output_shape[-1] == 1 else said
    maps, left_out = {}, []
    for method in _METHODS:
        try:
            maps[method] = getattr(attribution, method)(model, batch, target)
        except ValueError as error:
            left_out.append(f"{method} is left out: {error}")
    if not maps:
        return []
    kind = "The most confident mistakes" if found.wrong.any() else "Images of which "
    if not found.wrong.any():
        kind += "the model is surest, one of each of the commonest classes"
    names = [found.names[label] for label in said]
    axes = plotting.attribution_grid(
        images[places], maps, explained=names, color_bar=False
    )
    seen = "; ".join(
        f"{titles[place] or f'image {place}'} called {name}"
        for place, name in zip(places.tolist(), names, strict=True)
    )
    return [
        ReportSection(
            "Why single predictions",
            [
                f"{kind}. A map shows where a method says the score comes from, not "
                "what is seen there; where methods disagree, none of them is proof."
            ],
            points=left_out,
            figures=[
                ReportFigure.drawn(
                    axes,
                    "Each map has its own scale.",
                    alt=f"Maps of {' and '.join(maps).replace('_', ' ')} for: {seen}.",
                )
            ],
        )
    ]
