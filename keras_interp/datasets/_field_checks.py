"""Checks of the fields of a `PartsDataset`: each returns the field as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BACKGROUND = "background"


def check_size(size: Any) -> tuple[int, int]:
    """Checks an image size, an integer or a (height, width) pair of them."""
    pair = (size, size) if isinstance(size, int | np.integer) else size
    valid = isinstance(pair, Sequence | np.ndarray) and len(pair) == 2
    if not valid or not all(isinstance(n, int | np.integer) and n > 0 for n in pair):
        raise ValueError(
            f"size must be a (height, width) pair of integers > 0, got {size!r}"
        )
    return int(pair[0]), int(pair[1])


def check_images(images: Any) -> tuple[int, int, int]:
    """Checks the images and returns (N, height, width)."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise ValueError(
            "images must be a uint8 NumPy array with values 0 to 255, got "
            f"{type(images).__name__} {getattr(images, 'dtype', '')}"
        )
    shape = images.shape
    if len(shape) != 4 or shape[3] != 3 or min(shape[1:3]) < 1:
        raise ValueError(
            f"images must have the shape (N, height, width, 3), got {shape}; "
            "repeat a grey-scale image three times along the last axis"
        )
    return shape[0], shape[1], shape[2]


def check_names(field: str, values: Any) -> list[str]:
    """Checks that names are strings and all different."""
    if isinstance(values, str) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"{field} must be a list of strings, got {values!r}")
    names = [str(name) for name in values]
    if len(set(names)) != len(names):
        raise ValueError(f"{field} must all be different, got {names}")
    return names


def check_keys(field: str, values: Any, count: int) -> np.ndarray:
    """Checks names or numbers, one for each image."""
    array = np.asarray(values)
    if array.size == 0 or (
        array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat)
    ):
        array = array.astype(str)
    if array.dtype.kind not in "iuU" or array.shape != (count,):
        raise ValueError(
            f"{field} must be strings or integers of shape ({count},), one for each "
            f"image, got {array.dtype} {array.shape}"
        )
    return array


def check_strings(field: str, values: Any, count: int) -> np.ndarray:
    """Checks strings, one for each image."""
    array = check_keys(field, values, count)
    if array.dtype.kind != "U":
        raise ValueError(f"{field} must be strings, got {array.dtype}")
    return array


def check_ids(ids: Any, count: int) -> np.ndarray:
    """Checks that every image has a name of its own."""
    array = check_keys("ids", ids, count)
    if len(np.unique(array)) != count:
        raise ValueError("ids must all be different")
    return array


def check_labels(labels: Any, count: int, classes: int) -> np.ndarray:
    """Checks the class indices."""
    array = np.asarray(labels)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or array.shape != (count,):
        raise ValueError(
            f"labels must be integers of shape ({count},), one for each image, got "
            f"{array.dtype} {array.shape}"
        )
    if count and (array.min() < 0 or array.max() >= classes):
        raise ValueError(
            f"labels must lie in 0..{classes - 1} (there are {classes} class_names), "
            f"got {array.min()}..{array.max()}; images without an object belong to a "
            f'class named "{BACKGROUND}"'
        )
    return array.astype(np.int64)


def check_masks(
    masks: Any,
    part_names: list[str] | None,
    landmark_names: list[str],
    size: tuple[int, int, int],
) -> tuple[list[str], np.ndarray]:
    """Checks the part masks of images of `size`, (N, height, width)."""
    masks = np.asarray(masks)
    if part_names is None:
        if masks.shape[1:2] != (len(landmark_names),):
            raise ValueError(
                "part_masks and landmarks have different numbers of parts, so "
                f"part_names is needed too (masks of shape {masks.shape})"
            )
        part_names = landmark_names
    return check_named_masks("part", masks, part_names, size)


def check_named_masks(
    kind: str, masks: Any, names: Any, size: tuple[int, int, int]
) -> tuple[list[str], np.ndarray]:
    """Checks `part_masks` or `texture_masks` and their names."""
    masks = np.asarray(masks)
    if names is None:
        raise ValueError(f"{kind}_masks was given without {kind}_names")
    names = check_names(f"{kind}_names", names)
    expected = (size[0], len(names), *size[1:])
    if masks.dtype != bool or masks.shape != expected:
        raise ValueError(
            f"{kind}_masks must be a bool array of shape {expected} (N, masks, height, "
            f"width), got {masks.dtype} {masks.shape}"
        )
    return names, masks


def check_landmarks(landmarks: Any, count: int, landmark_count: int) -> np.ndarray:
    """Checks that landmarks are (x, y) pixels or NaN."""
    array = np.asarray(landmarks, dtype=np.float32)
    if array.shape != (count, landmark_count, 2):
        raise ValueError(
            f"landmarks must have the shape ({count}, {landmark_count}, 2), (x, y) for "
            f"each image and each of landmark_names, got {array.shape}"
        )
    absent = np.isnan(array)
    if np.isinf(array).any() or (absent[..., 0] != absent[..., 1]).any():
        raise ValueError(
            "landmarks must be finite (x, y) pixels, or NaN in both where absent"
        )
    return array


def check_boxes(boxes: Any, count: int) -> np.ndarray:
    """Checks that boxes are (x0, y0, x1, y1) pixels or NaN."""
    array = np.asarray(boxes, dtype=np.float32)
    if array.shape != (count, 4):
        raise ValueError(
            f"boxes must have the shape ({count}, 4), (x0, y0, x1, y1), "
            f"got {array.shape}"
        )
    absent = np.isnan(array).all(axis=1)
    ordered = (array[:, :2] < array[:, 2:]).all(axis=1) & np.isfinite(array).all(axis=1)
    if not (absent | ordered).all():
        position = int(np.flatnonzero(~(absent | ordered))[0])
        raise ValueError(
            "boxes must be finite with x0 < x1 and y0 < y1, or NaN where there is no "
            f"object; box {position} is {array[position].tolist()}"
        )
    return array


def check_captions(captions: Any, count: int) -> list[list[str]]:
    """Checks that every image has its list of sentences."""
    if isinstance(captions, str) or len(captions) != count:
        raise ValueError(
            f"captions must hold one list of sentences for each of the {count} "
            f"images, got {len(captions)}"
        )
    for position, sentences in enumerate(captions):
        if isinstance(sentences, str) or not all(
            isinstance(sentence, str) for sentence in sentences
        ):
            raise ValueError(
                f"captions[{position}] must be a list of strings, got {sentences!r}"
            )
    return [list(sentences) for sentences in captions]


def check_positions(index_or_mask: Any, count: int) -> np.ndarray:
    """Turns a mask, slice or list of positions into integer positions."""
    if isinstance(index_or_mask, slice):
        return np.arange(count)[index_or_mask]
    index = np.asarray(index_or_mask)
    if index.dtype == bool:
        if index.shape != (count,):
            raise ValueError(
                f"the mask must have the shape ({count},), got {index.shape}"
            )
        return np.flatnonzero(index)
    if index.size == 0 and index.ndim == 1:
        return np.zeros(0, np.int64)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise ValueError(
            "subset needs a list of integers, a slice or a bool mask, got "
            f"{index.dtype} {index.shape}"
        )
    if index.min() < -count or index.max() >= count:
        raise ValueError(
            f"positions must lie in {-count}..{count - 1}, got "
            f"{index.min()}..{index.max()}"
        )
    return index
