"""Adds pictures without objects to a dataset, as the class "background"."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.annotated_pictures import (
    AnnotatedPictures,
    object_array,
)
from keras_interp.datasets.field_checks import BACKGROUND
from keras_interp.datasets.pictures import list_pictures, same_picture_groups
from keras_interp.datasets.splits import split_as_authors, split_by_groups

# Groups of pictures with objects are smaller numbers.
_FIRST_GROUP = 10**15


def add_background(
    pictures: AnnotatedPictures,
    folder: Path,
    split: str | None,
    test_fraction: float | None,
    count: int | None = None,
) -> AnnotatedPictures:
    """Appends the pictures of a folder as the class `"background"`, the last one.

    Their landmarks and boxes are NaN, they have no part masks and no sentences.
    Byte-identical files share a group.

    Args:
        pictures: those with objects.
        folder: holds the pictures without objects.
        split: `"train"` or `"test"` to add those alone.
        test_fraction: share of the files in the split `"test"`, evenly spaced; None
            for the split of the interpretable-CNN authors.
        count: add only the first so many.

    Returns:
        A new `AnnotatedPictures`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no pictures.
    """
    paths = list_pictures(folder)
    if not paths:
        raise ValueError(f"{folder} holds no pictures")
    groups = same_picture_groups(paths)
    if test_fraction is None:
        names = split_as_authors(len(paths))
    else:
        names = split_by_groups(groups, np.zeros_like(groups), test_fraction)
    rows = np.flatnonzero(names == (names if split is None else split))[:count]
    added: dict[str, Any] = {
        "paths": object_array([paths[row] for row in rows]),
        "ids": np.array([f"{folder.name}/{paths[row].stem}" for row in rows], str),
        "labels": np.full(len(rows), len(pictures.class_names)),
        "groups": groups[rows] + _FIRST_GROUP,
        "split": names[rows],
        "boxes": np.full((len(rows), 4), np.nan),
        "landmarks": np.full((len(rows), *pictures.landmarks.shape[1:]), np.nan),
    }
    if pictures.captions is not None:
        added["captions"] = object_array([[] for _ in rows])
    if pictures.masks is not None:
        added["masks"] = object_array([None for _ in rows])
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(pictures, field), values])
        for field, values in added.items()
    }
    names_of_classes = [*pictures.class_names, BACKGROUND]
    return dataclasses.replace(pictures, class_names=names_of_classes, **joined)
