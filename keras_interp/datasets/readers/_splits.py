"""Which images are for training and which for tests, and images without objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import BACKGROUND, check_choice, refused
from keras_interp.datasets._images import list_images, same_image_groups
from keras_interp.datasets.readers.annotated_images import (
    AnnotatedImages,
    object_array,
)


def check_split(
    split: str | None, split_by: str, known: Sequence[str]
) -> tuple[str | None, str]:
    """Checks which images are wanted and by which rule they are divided.

    Args:
        split: `"train"`, `"test"`, None for both, or `"authors"`, which is short for
            both as the authors divided them.
        split_by: one of `known`.
        known: the rules of the dataset.

    Returns:
        `split`, now `"train"`, `"test"` or None, and `split_by`.
    """
    if split == "authors":
        split, split_by = None, "authors"
    if split not in ("train", "test", None):
        raise refused(
            'split as "train", "test" or None for both, or "authors" for both as the '
            "authors divided them",
            split=split,
        )
    check_choice("split_by", split_by, known)
    return split, split_by


def split_by_groups(
    groups: np.ndarray, strata: np.ndarray, test_fraction: float
) -> np.ndarray:
    """Puts evenly spaced groups of every stratum into the test split.

    Args:
        groups: `(N,)`; images of one group stay together.
        strata: `(N,)`; the classes, say. A group belongs to that of its first image.
        test_fraction: share of the groups of each stratum in the split `"test"`.

    Returns:
        str array of shape `(N,)` of `"train"` and `"test"`.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((first, strata[first]))
    sorted_strata = strata[first][order]
    starts = np.searchsorted(sorted_strata, sorted_strata)
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first)) - starts
    # The slack keeps 3 * (1 / 3) from falling below 1.
    steps = np.floor(np.stack([rank + 1, rank]) * test_fraction + 1e-9)
    return np.where(steps[0] > steps[1], "test", "train")[group.reshape(-1)]


def split_as_authors(count: int) -> np.ndarray:
    """The split of the interpretable-CNN authors: about every tenth is not trained on.

    Of N objects in file order they train on `round(linspace(1, N, round(0.9 N)))`
    and validate on the others, which are called `"test"` here.

    Args:
        count: N, the length of the full list.

    Returns:
        str array of shape `(count,)` of `"train"` and `"test"`.

    Reference:

    - Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
      released code (`getImdb.m`).
    """
    names = np.full(count, "test ")
    kept = int(np.floor(0.9 * count + 0.5))
    # MATLAB rounds halves away from zero, NumPy to even.
    train = np.floor(np.linspace(1, count, kept) + 0.5).astype(int) - 1
    names[train] = "train"
    return np.char.strip(names)


# Groups of images with objects are smaller numbers.
_FIRST_GROUP = 10**15


def add_background(
    images: AnnotatedImages,
    folder: Path,
    split: str | None,
    test_fraction: float | None,
    count: int | None = None,
) -> AnnotatedImages:
    """Appends the images of a folder as the class `"background"`, the last one.

    Their landmarks and boxes are NaN, they have no part masks and no sentences.
    Byte-identical files share a group.

    Args:
        images: those with objects.
        folder: holds the images without objects.
        split: `"train"` or `"test"` to add those alone.
        test_fraction: share of the files in the split `"test"`, evenly spaced; None
            for the split of the interpretable-CNN authors.
        count: add only the first so many.

    Returns:
        A new `AnnotatedImages`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no images.
    """
    paths = list_images(folder)
    if not paths:
        raise ValueError(f"{folder} holds no images")
    groups = same_image_groups(paths)
    if test_fraction is None:
        names = split_as_authors(len(paths))
    else:
        names = split_by_groups(groups, np.zeros_like(groups), test_fraction)
    rows = np.flatnonzero(names == (names if split is None else split))[:count]
    added: dict[str, Any] = {
        "paths": object_array([paths[row] for row in rows]),
        "ids": np.array([f"{folder.name}/{paths[row].stem}" for row in rows], str),
        "labels": np.full(len(rows), len(images.class_names)),
        "groups": groups[rows] + _FIRST_GROUP,
        "split": names[rows],
        "boxes": np.full((len(rows), 4), np.nan),
        "landmarks": np.full((len(rows), *images.landmarks.shape[1:]), np.nan),
    }
    if images.captions is not None:
        added["captions"] = object_array([[] for _ in rows])
    if images.masks is not None:
        added["masks"] = object_array([None for _ in rows])
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(images, field), values])
        for field, values in added.items()
    }
    names_of_classes = [*images.class_names, BACKGROUND]
    return dataclasses.replace(images, class_names=names_of_classes, **joined)
