"""Mirror images: what was the left eye becomes the right one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.datasets.parts_dataset import PartsDataset

SUFFIX = "_mirrored"
_SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile("left|right")


def add_mirror_images(dataset: PartsDataset) -> PartsDataset:
    """Appends the mirror image of each one that shows an object.

    The authors of the interpretable CNN train on each object and its mirror image, but
    measure where filters fire on the images as they are: mirror the training
    images alone, `load(..., split="train", mirror=True)`.

    Example:

    >>> from keras_interp import datasets
    >>> dataset = datasets.synthetic_parts(8, negatives=0)
    >>> mirrored = datasets.add_mirror_images(dataset)
    >>> len(mirrored), mirrored.ids[8].item()
    (16, '0_mirrored')

    Args:
        dataset: images with their annotations.

    Returns:
        A new `PartsDataset`: all of `dataset`, then the mirror images in the same
        order. They keep label, group, split and sentences (where "left" and "right"
        are not exchanged); ids become strings, and those of mirror images end in
        `"_mirrored"`. Landmarks, boxes and masks are mirrored, and parts that differ in
        "left" and "right" change places; a part without its counterpart stays.
    """
    rows = np.flatnonzero(~dataset.is_background)
    taken = dataset.subset(rows)
    optional = {
        name: getattr(taken, name)
        for name in ("boxes", "part_masks", "texture_masks")
        if getattr(taken, name) is not None
    }
    fields = {"images": taken.images, "landmarks": taken.landmarks, **optional}
    added = mirror_fields(fields, dataset.landmark_names, dataset.part_names)
    for name in ("labels", "groups", "split"):
        added[name] = getattr(taken, name)
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(dataset, name), values])
        for name, values in added.items()
        if values is not None
    }
    if dataset.captions is not None and taken.captions is not None:
        joined["captions"] = dataset.captions + taken.captions
    if dataset.ids is not None:
        ids = dataset.ids.astype(str)
        joined["ids"] = np.concatenate([ids, np.char.add(ids[rows], SUFFIX)])
    return dataclasses.replace(dataset, **joined)


def mirror_fields(
    fields: dict[str, Any],
    landmark_names: Sequence[str],
    part_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Mirrors arrays of a `PartsDataset`: the images and what lies on them.

    Args:
        fields: `images` and any of `landmarks`, `boxes`, `part_masks` and
            `texture_masks`, all with or all without the axis N; other fields are left
            as they are.
        landmark_names: the names of the landmarks.
        part_names: the names of the parts.

    Returns:
        A new dict; the arrays may be views.
    """
    mirrored = dict(fields)
    width = fields["images"].shape[-2]
    mirrored["images"] = fields["images"][..., ::-1, :]
    if "landmarks" in fields:
        points = fields["landmarks"][..., mirror_order(landmark_names), :]
        points[..., 0] = width - points[..., 0]
        mirrored["landmarks"] = points
    if "boxes" in fields:
        boxes = fields["boxes"][..., [2, 1, 0, 3]]
        boxes[..., [0, 2]] = width - boxes[..., [0, 2]]
        mirrored["boxes"] = boxes
    if "part_masks" in fields:
        order = mirror_order(part_names or ())
        mirrored["part_masks"] = fields["part_masks"][..., order, :, ::-1]
    if "texture_masks" in fields:
        mirrored["texture_masks"] = fields["texture_masks"][..., ::-1]
    return mirrored


def mirror_order(names: Sequence[str]) -> np.ndarray:
    """Positions that exchange names such as "left eye" and "right eye"."""
    position = {name: row for row, name in enumerate(names)}
    swapped = [_SIDE.sub(lambda side: _SIDES[side[0]], name) for name in names]
    return np.array(
        [position.get(other, row) for row, other in enumerate(swapped)], np.int64
    )
