"""Checks of the fields of a `PartsDataset`: each returns the field as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BACKGROUND = "background"


def refused(expected: str, advice: str = "", /, **received: Any) -> ValueError:
    """The error for an argument that does not fit, in the one form that all have.

    Args:
        expected: what the argument should be, after "Expected".
        advice: what to do, without the full stop. Default: to pass what is expected.
        received: the argument by its name.
    """
    shown = ", ".join(f"{name}={value!r}" for name, value in received.items())
    advice = advice or "Pass such a value"
    return ValueError(f"Expected {expected}. Received: {shown}. {advice}.")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Checks an option with a few values."""
    if not any(value is choice or value == choice for choice in choices):
        words = [repr(choice) for choice in choices]
        listed = " or ".join([", ".join(words[:-1]), words[-1]])
        raise refused(f"{name} as {listed}", "Choose one of these", **{name: value})


def check_count(name: str, value: Any, *, optional: bool = False) -> None:
    """Checks a number of things, 1 or more; None where that is allowed."""
    if optional and value is None:
        return
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        words = "an integer >= 1 or None" if optional else "an integer >= 1"
        raise refused(f"{name} as {words}", **{name: value})


def check_share(name: str, value: Any, *, inside: bool = False) -> None:
    """Checks a number from 0 to 1, `inside` without these two."""
    fits = isinstance(value, int | float | np.number)
    if not fits or not (0 < value < 1 if inside else 0 <= value <= 1):
        words = "between 0 and 1, without these two" if inside else "from 0 to 1"
        raise refused(f"{name} as a number {words}", **{name: value})


def check_size(size: Any) -> tuple[int, int]:
    """Checks an image size, an integer or a (height, width) pair of them."""
    pair = (size, size) if isinstance(size, int | np.integer) else size
    valid = isinstance(pair, Sequence | np.ndarray) and len(pair) == 2
    if not valid or not all(isinstance(n, int | np.integer) and n > 0 for n in pair):
        raise refused("size as a (height, width) pair of integers > 0", size=size)
    return int(pair[0]), int(pair[1])


def check_images(images: Any) -> tuple[int, int, int]:
    """Checks the images and returns (N, height, width)."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise ValueError(
            "Expected images as a uint8 NumPy array with values 0 to 255. Received: "
            f"{type(images).__name__} {getattr(images, 'dtype', '')}. Scale and "
            'convert them: (255 * images).astype("uint8") where they lie in 0..1.'
        )
    shape = images.shape
    if len(shape) != 4 or shape[3] != 3 or min(shape[1:3]) < 1:
        raise ValueError(
            f"Expected images of the shape (N, height, width, 3). Received: {shape}. "
            "Repeat a grey-scale image three times along the last axis."
        )
    return shape[0], shape[1], shape[2]


def check_names(field: str, values: Any) -> list[str]:
    """Checks that names are strings and all different."""
    if isinstance(values, str) or not all(isinstance(name, str) for name in values):
        raise refused(f"{field} as a list of strings", **{field: values})
    names = [str(name) for name in values]
    if len(set(names)) != len(names):
        raise refused(f"different names as {field}", **{field: names})
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
            f"Expected {field} as strings or integers of shape ({count},), one for "
            f"each image. Received: {array.dtype} {array.shape}. Pass one for each."
        )
    return array


def check_strings(field: str, values: Any, count: int) -> np.ndarray:
    """Checks strings, one for each image."""
    array = check_keys(field, values, count)
    if array.dtype.kind != "U":
        raise ValueError(
            f"Expected {field} as strings. Received: {array.dtype}. Convert them with "
            ".astype(str)."
        )
    return array


def check_ids(ids: Any, count: int) -> np.ndarray:
    """Checks that every image has a name of its own."""
    array = check_keys("ids", ids, count)
    if len(np.unique(array)) != count:
        values, counts = np.unique(array, return_counts=True)
        raise ValueError(
            f"Expected ids that are all different. Received: {values[counts > 1][0]!r} "
            "more than once. Give every image a name of its own."
        )
    return array


def check_labels(labels: Any, count: int, classes: int) -> np.ndarray:
    """Checks the class indices."""
    array = np.asarray(labels)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu" or array.shape != (count,):
        raise ValueError(
            f"Expected labels as integers of shape ({count},), one for each image. "
            f"Received: {array.dtype} {array.shape}. Pass indices into class_names."
        )
    if count and (array.min() < 0 or array.max() >= classes):
        raise ValueError(
            f"Expected labels in 0..{classes - 1} (there are {classes} class_names). "
            f"Received: labels in {array.min()}..{array.max()}. Images without an "
            f'object belong to a class named "{BACKGROUND}".'
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
                "Expected part_names where part_masks and landmarks have different "
                f"numbers of parts. Received: part_names=None, masks of shape "
                f"{masks.shape}. Name the masks."
            )
        part_names = landmark_names
    return check_named_masks("part", masks, part_names, size)


def check_named_masks(
    kind: str, masks: Any, names: Any, size: tuple[int, int, int]
) -> tuple[list[str], np.ndarray]:
    """Checks `part_masks` or `texture_masks` and their names."""
    masks = np.asarray(masks)
    if names is None:
        raise ValueError(
            f"Expected {kind}_names where there are {kind}_masks. Received: "
            f"{kind}_names=None. Name the masks."
        )
    names = check_names(f"{kind}_names", names)
    expected = (size[0], len(names), *size[1:])
    if masks.dtype != bool or masks.shape != expected:
        raise ValueError(
            f"Expected {kind}_masks as a bool array of shape {expected} (N, masks, "
            f"height, width). Received: {masks.dtype} {masks.shape}. Give a mask for "
            "each name, as large as the images."
        )
    return names, masks


def check_landmarks(landmarks: Any, count: int, landmark_count: int) -> np.ndarray:
    """Checks that landmarks are (x, y) pixels or NaN."""
    array = np.asarray(landmarks, dtype=np.float32)
    if array.shape != (count, landmark_count, 2):
        raise ValueError(
            f"Expected landmarks of the shape ({count}, {landmark_count}, 2), (x, y) "
            f"for each image and each of landmark_names. Received: {array.shape}. Fill "
            "in NaN where a landmark is absent."
        )
    absent = np.isnan(array)
    if np.isinf(array).any() or (absent[..., 0] != absent[..., 1]).any():
        raise ValueError(
            "Expected landmarks as finite (x, y) pixels, or NaN in both where absent. "
            "Received: infinity, or NaN in one of the two. Set both to NaN."
        )
    return array


def check_boxes(boxes: Any, count: int) -> np.ndarray:
    """Checks that boxes are (x0, y0, x1, y1) pixels or NaN."""
    array = np.asarray(boxes, dtype=np.float32)
    if array.shape != (count, 4):
        raise ValueError(
            f"Expected boxes of the shape ({count}, 4), (x0, y0, x1, y1). Received: "
            f"{array.shape}. Fill in NaN for images without an object."
        )
    absent = np.isnan(array).all(axis=1)
    ordered = (array[:, :2] < array[:, 2:]).all(axis=1) & np.isfinite(array).all(axis=1)
    if not (absent | ordered).all():
        position = int(np.flatnonzero(~(absent | ordered))[0])
        raise ValueError(
            "Expected finite boxes with x0 < x1 and y0 < y1, or NaN where there is no "
            f"object. Received: box {position} is {array[position].tolist()}. Correct "
            "it, or set all four to NaN."
        )
    return array


def check_captions(captions: Any, count: int) -> list[list[str]]:
    """Checks that every image has its list of sentences."""
    if isinstance(captions, str) or len(captions) != count:
        raise ValueError(
            f"Expected captions as one list of sentences for each of the {count} "
            f"images. Received: {len(captions)} of them. Give an empty list for an "
            "image without sentences."
        )
    for position, sentences in enumerate(captions):
        if isinstance(sentences, str) or not all(
            isinstance(sentence, str) for sentence in sentences
        ):
            raise ValueError(
                f"Expected captions[{position}] as a list of strings. Received: "
                f"{sentences!r}. Put a single sentence into a list."
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
                f"Expected a mask of the shape ({count},). Received: {index.shape}. "
                "Give a bool for each image."
            )
        return np.flatnonzero(index)
    if index.size == 0 and index.ndim == 1:
        return np.zeros(0, np.int64)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise ValueError(
            "Expected a list of integers, a slice or a bool mask. Received: "
            f"{index.dtype} {index.shape}. Pass positions of images."
        )
    if index.min() < -count or index.max() >= count:
        raise ValueError(
            f"Expected positions in {-count}..{count - 1}. Received: "
            f"{index.min()}..{index.max()}. The dataset has {count} images."
        )
    return index
