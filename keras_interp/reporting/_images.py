"""The images of a report, in whatever form they come, as one array."""

from __future__ import annotations

import dataclasses
import functools
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp.datasets._images import in_threads, list_images, read_photograph
from keras_interp.metrics._peaks import to_numpy
from keras_interp.reporting._preparation import shown_image

_FORMS = (
    "a PartsDataset, an array (images, height, width, channels), a folder of image "
    "files or of a folder for each class, or a tf.data.Dataset, "
    "keras.utils.PyDataset or other iterable of batches"
)


@dataclasses.dataclass(frozen=True)
class GatheredImages:
    """Images without landmarks, and what comes with them.

    Args:
        images: `(N, H, W, C)` in the numbers that they came in.
        labels: `(N,)`, or one-hot, or `None` where none came.
        class_names: names of the classes of `labels`, or `None`.
        titles: a word for each image, such as the name of its file; `""` for none.
        are_files: whether the images were read here, from 0 to 255.
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    titles: tuple[str, ...]
    are_files: bool = False


def gathered_images(model: keras.Model, images: Any) -> GatheredImages:
    """Images without landmarks, from any of the forms that a report takes.

    Args:
        model: whose input size and channels the files of a folder get.
        images: one of `_FORMS`. Of batches `(images, labels, ...)` the first two count.
    """
    if isinstance(images, str | os.PathLike):
        return _of_folder(Path(images), model)
    labels = None
    if keras.ops.is_tensor(images) or hasattr(images, "__array__"):
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
    return GatheredImages(array, labels, None, ("",) * len(array))


def _of_folder(folder: Path, model: keras.Model) -> GatheredImages:
    """The image files of a folder, or of folders in it that are classes."""
    paths = list_images(folder) if folder.is_dir() else []
    classes = _classes(folder)
    if paths and classes:
        warnings.warn(
            f"The {len(paths)} image files in {str(folder)!r} itself are read; its "
            f"folders, {', '.join(list(classes)[:3])} and so on, are left out. Move "
            "the files away to read the folders as classes.",
            stacklevel=5,
        )
    names, labels = None, None
    if not paths and classes:
        paths = [path for files in classes.values() for path in files]
        names = tuple(classes)
        labels = np.repeat(np.arange(len(names)), list(map(len, classes.values())))
    if not paths:
        raise ValueError(
            f"Expected dataset as {_FORMS}. Received: {str(folder)!r}, which is no "
            "folder with image files or with folders of them."
        )
    height, width = model.input_shape[1:3]
    if height is None or width is None:
        raise ValueError(
            "Expected a model of one image size to read a folder for. Received: a "
            f"model that takes {model.input_shape}. Pass the images as an array."
        )
    read = functools.partial(read_photograph, size=(height, width))
    images = in_threads(read, paths)
    if model.input_shape[-1] == 1:
        images = [shown_image(model, image) for image in images]
    titles = tuple(path.name for path in paths)
    return GatheredImages(np.stack(images), labels, names, titles, are_files=True)


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Image files by folder, as `keras.utils.image_dataset_from_directory` has them.

    That is every folder that is not hidden, in the order of the names, with all that
    lies anywhere below it. A folder without images counts as a class there; here it
    does where another one has some.
    """
    if not folder.is_dir():
        return {}
    inside = sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )
    files = {
        path.name: [file for below in _folders(path) for file in list_images(below)]
        for path in inside
    }
    return files if any(files.values()) else {}


def _folders(folder: Path) -> list[Path]:
    return [Path(name) for name, _, _ in sorted(os.walk(folder))]


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
