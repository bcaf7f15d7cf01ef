"""Arguments of the sentence classifier and of GVE: what they may be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_interp.datasets.vocabulary import Vocabulary


class Seen(NamedTuple):
    """What a generator is given, and what it is trained with.

    Attributes:
        image: whether it is given the image's features.
        label: whether it is given the class.
        discriminative: whether the second phase is part of it.
    """

    image: bool
    label: bool
    discriminative: bool


ABLATIONS = {
    "explanation": Seen(image=True, label=True, discriminative=True),
    "explanation-label": Seen(image=True, label=True, discriminative=False),
    "explanation-dis": Seen(image=True, label=False, discriminative=True),
    "description": Seen(image=True, label=False, discriminative=False),
    "definition": Seen(image=False, label=True, discriminative=False),
}


def check_ablation(ablation: Any) -> None:
    """Refuse an ablation that is none of them."""
    if ablation not in ABLATIONS:
        raise ValueError(
            f"Expected ablation as one of {tuple(ABLATIONS)}. Received: ablation="
            f"{ablation!r}. Choose one of these."
        )


def check_vocabulary(vocabulary: Any) -> None:
    """Refuse what is no vocabulary."""
    if not isinstance(vocabulary, Vocabulary):
        raise ValueError(
            "Expected a keras_interp.datasets.Vocabulary. Received: vocabulary of type "
            f"{type(vocabulary).__name__}. Make one with "
            "Vocabulary.from_sentences(captions)."
        )


def checked_labels(
    labels: Any, count: int | None, num_classes: int, name: str
) -> np.ndarray:
    """Labels as int32 `(count,)`.

    Args:
        labels: integers from 0; or probabilities `(count, num_classes)`, of which the
            largest is taken.
        count: number of images; None for any.
        num_classes: number of classes.
        name: of the argument, for error messages.
    """
    array = np.asarray([] if labels is None else ops.convert_to_numpy(labels))
    if array.ndim == 2 and array.shape[1] == num_classes and len(array):
        if not np.isfinite(array).all():
            raise ValueError(
                f"Expected {name} as finite probabilities. Received: NaN or infinity "
                "among them. Look at the classifier."
            )
        array = array.argmax(axis=-1)
    whole = array.dtype.kind in "iu" and array.ndim == 1 and len(array) > 0
    fits = whole and (count is None or len(array) == count)
    if not fits or not 0 <= array.min() <= array.max() < num_classes:
        images = "each image" if count is None else f"each of {count} images"
        raise ValueError(
            f"Expected {name} as an integer from 0 to {num_classes - 1} for {images}. "
            f"Received: {name} of shape {array.shape}, type {array.dtype}"
            + (f", from {array.min()} to {array.max()}" if array.size else "")
            + ". Number the classes from 0."
        )
    return array.astype("int32")


def checked_features(features: Any, width: int, name: str) -> np.ndarray:
    """Features as finite float32 `(images, width)`."""
    array = None if features is None else np.asarray(ops.convert_to_numpy(features))
    if array is None or array.ndim != 2 or array.shape[1] != width or not len(array):
        received = "none" if array is None else f"an array of shape {array.shape}"
        raise ValueError(
            f"Expected {name} (images, {width}). Received: {received}. Give a vector "
            "of feature_dim numbers for each image."
        )
    array = array.astype("float32")
    wrong = np.flatnonzero(~np.isfinite(array).all(axis=-1))
    if len(wrong):
        raise ValueError(
            f"Expected {name} of finite numbers. Received: NaN or infinity for "
            f"{len(wrong)} of {len(array)} images, the first at place {wrong[0]}. Look "
            "at the network that they come from."
        )
    return array


def validation_parts(validation_data: Any, *names: str) -> tuple[Any, ...]:
    """The parts of validation data, which must be there."""
    listed = isinstance(validation_data, list | tuple)
    if not listed or len(validation_data) != len(names):
        raise ValueError(
            f"Expected validation_data=({', '.join(names)}) of images that are not "
            "trained on: they decide which epoch is the best. Received: "
            f"validation_data of type {type(validation_data).__name__}"
            + (f" and length {len(validation_data)}" if listed else "")
            + ". Hold some images back."
        )
    return tuple(validation_data)
