"""The images of a report, in whatever form they come, as one array."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp.datasets._images import list_images, read_images
from keras_interp.metrics._peaks import to_numpy

_FORMS = (
    "a PartsDataset, an array (images, height, width, channels), a folder of image "
    "files, or a tf.data.Dataset, keras.utils.PyDataset or other iterable of batches"
)


def gathered_images(
    model: keras.Model, images: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images without landmarks, and the labels that come with them.

    Args:
        model: whose input size the files of a folder get.
        images: one of `_FORMS`. Of batches `(images, labels, ...)` the first two count.

    Returns:
        Images `(N, H, W, C)` in the numbers that they came in, and labels `(N,)`, or
        `None` where none came.
    """
    labels = None
    if isinstance(images, str | os.PathLike):
        array = _of_folder(Path(images), model)
    elif keras.ops.is_tensor(images) or hasattr(images, "__array__"):
        array = to_numpy(images)
    else:
        array, labels = _of_batches(images)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or not len(array):
        raise ValueError(
            f"Expected dataset as {_FORMS}, with at least one image. Received: images "
            f"of shape {array.shape}."
        )
    return array, labels


def _of_folder(folder: Path, model: keras.Model) -> np.ndarray:
    paths = list_images(folder) if folder.is_dir() else []
    if not paths:
        raise ValueError(
            f"Expected dataset as {_FORMS}. Received: {str(folder)!r}, which is no "
            "folder with image files."
        )
    height, width = model.input_shape[1:3]
    if height is None or width is None:
        raise ValueError(
            "Expected a model of one image size to read a folder for. Received: a "
            f"model that takes {model.input_shape}. Pass the images as an array."
        )
    return read_images(paths, (height, width))


def _of_batches(batches: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """All that an iterable of batches of images holds."""
    _check_finite(batches)
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for batch in _each(batches):
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        shown = to_numpy(parts[0])
        if shown.ndim not in (3, 4):
            raise ValueError(
                f"Expected dataset as {_FORMS}. Received: {type(batches).__name__} "
                f"whose batches begin with an array of shape {shown.shape}."
            )
        images.append(shown if shown.ndim == 4 else shown[None])
        if len(parts) > 1 and parts[1] is not None:
            labels.append(np.atleast_1d(to_numpy(parts[1])))
    if not images:
        raise ValueError(
            f"Expected dataset as {_FORMS}, with at least one image. Received: no "
            "image."
        )
    together = np.concatenate(images)
    if sum(map(len, labels)) != len(together):
        return together, None
    return together, np.concatenate(labels)


def _check_finite(batches: Any) -> None:
    """Refuses what is no iterable, and a tf.data.Dataset that never ends."""
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise ValueError(
            f"Expected dataset as {_FORMS}. Received: {type(batches).__name__}."
        )
    cardinality = getattr(batches, "cardinality", None)
    if callable(cardinality) and int(to_numpy(cardinality())) == -1:
        raise ValueError(
            "Expected a dataset that ends. Received: a tf.data.Dataset that repeats "
            "for ever. Pass dataset.take(n), or leave .repeat() out."
        )


def _each(batches: Any) -> Iterable[Any]:
    # A PyDataset has a length and places, but goes on for ever as an iterable.
    if isinstance(batches, keras.utils.PyDataset):
        return (batches[place] for place in range(batches.num_batches or 0))
    return batches
