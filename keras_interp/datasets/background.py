"""Adds pictures without objects to a dataset, as the class "background"."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.field_checks import BACKGROUND
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.pictures import read_pictures, same_picture_groups


def add_background(
    dataset: PartsDataset, paths: Sequence[Path], split: np.ndarray
) -> PartsDataset:
    """Appends picture files as the class `"background"`, the last one.

    Their landmarks and boxes are NaN and their part masks false. Byte-identical files
    share a group, where the dataset has groups.

    Args:
        dataset: the pictures with objects.
        paths: the files of the pictures without objects.
        split: the name of the split of each file.

    Returns:
        A new `PartsDataset`.

    Raises:
        ValueError: if a file is damaged; the message names it.
    """
    count = len(paths)
    added: dict[str, Any] = {
        "images": read_pictures(paths, dataset.image_size),
        "labels": np.full(count, len(dataset.class_names)),
        "landmarks": np.full((count, *dataset.landmarks.shape[1:]), np.nan, np.float32),
        "split": split,
    }
    if dataset.part_masks is not None:
        added["part_masks"] = np.zeros((count, *dataset.part_masks.shape[1:]), bool)
    if dataset.boxes is not None:
        added["boxes"] = np.full((count, 4), np.nan, np.float32)
    if dataset.ids is not None:
        added["ids"] = [f"{path.parent.name}/{path.stem}" for path in paths]
    if dataset.groups is not None:
        first = dataset.groups.max(initial=-1) + 1
        added["groups"] = same_picture_groups(paths) + first
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(dataset, field), values])
        for field, values in added.items()
    }
    names = [*dataset.class_names, BACKGROUND]
    return dataclasses.replace(dataset, class_names=names, **joined)
