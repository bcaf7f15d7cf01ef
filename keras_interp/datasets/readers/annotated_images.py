"""Annotated images that are still on disk: what a set larger than memory streams.

Every reader of a published dataset has three functions:

- `read_<name>_annotations(root)` reads the text or MATLAB files and opens no image;
- `open_<name>(root, split, ...)` chooses images and gives an `AnnotatedImages`;
- `load_<name>(root, split, ..., size, mirror)` is `open_<name>(...)` and then
  `AnnotatedImages.load(size, mirror)`.

A builder that writes a large set asks `open_<name>` once, which takes seconds, and then
makes the examples one at a time, `images.example(row)` for `row in
range(len(images))`, in any order and in as many processes as it likes (an
`AnnotatedImages` can be pickled), or some hundred at a time with
`images.chunks(size)`. The fields are those of `PartsDataset`, with the same names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from keras_interp.datasets._field_checks import check_size
from keras_interp.datasets._images import (
    clip_boxes,
    image_sizes,
    in_threads,
    read_images,
)
from keras_interp.datasets.parts_stream import PartsStream

DEFAULT_SIZE = (224, 224)
_BLOCKS = 8  # of images whose masks are drawn by one thread


class PartMasks(Protocol):
    """What draws the part masks of one image."""

    def draw(self, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool `(P, height, width)`: the part of the image in `frame`, resized.

        `frame` is (x0, y0, x1, y1) in pixels of the stored image and `size` the
        (height, width) of the result.
        """


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AnnotatedImages(PartsStream):
    """Image files with their annotations, opened only when an example is made.

    Example:

    ```python
    images = ki.datasets.open_cub("CUB_200_2011", crop="box")
    for row in range(len(images)):
        example = images.example(row)  # a dict: images, labels, landmarks, boxes, ...
    for batch in images.chunks(size=(224, 224)):
        print(batch["images"].shape)
    ```

    Args:
        class_names: the names of the classes.
        landmark_names: the K names of the landmarks.
        paths: the N files, an array of `pathlib.Path`.
        ids: the N names of the images.
        labels: `(N,)` indices into `class_names`.
        groups: `(N,)` integers, equal for the same photograph.
        split: `(N,)` names of splits.
        boxes: `(N, 4)` object boxes (x0, y0, x1, y1) in pixels of the stored image,
            which may stick out; NaN where there is no object.
        landmarks: `(N, K, 2)` (x, y) pixels of the stored image, NaN where absent.
        source: the file or folder of the boxes, for error messages.
        crop: `"box"` shows each image's box alone (all of an image without an
            object), None the whole image.
        captions: optional `(N,)` array of lists of sentences.
        part_names: optional P names of the parts in `masks`.
        masks: optional `(N,)` array of objects that draw the part masks; None where an
            image shows no part.
    """

    class_names: list[str]
    landmark_names: list[str]
    paths: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    split: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    source: Path
    crop: str | None = "box"
    captions: np.ndarray | None = None
    part_names: list[str] | None = None
    masks: np.ndarray | None = None

    _PER_IMAGE = (
        "paths",
        "ids",
        "labels",
        "groups",
        "split",
        "boxes",
        "landmarks",
        "captions",
        "masks",
    )

    def fields(self, index: Any, size: Any = None) -> dict[str, Any]:
        """Reads some images and brings their annotations into the same frame.

        Args:
            index: a bool mask, a slice or integer positions.
            size: (height, width) in pixels. Default: that of the shown pixels, which
                must then be the same for all these images.

        Returns:
            The fields `images`, `labels`, `landmarks`, `boxes`, `ids`, `groups`,
            `split` and, where there are any, `captions` and `part_masks`, as
            `PartsDataset` has them. Landmarks outside the frame are NaN.

        Raises:
            ValueError: if an image is damaged or a box lies outside its image; the
                message names the file.
            FileNotFoundError: if an image is missing.
        """
        chosen = self.take(index)
        frames, boxes = chosen._frames()
        height, width = _size_of(frames, size)
        scale = np.array([width, height]) / (frames[:, 2:] - frames[:, :2])
        landmarks = (chosen.landmarks - frames[:, None, :2]) * scale[:, None]
        inside = ((landmarks >= 0) & (landmarks <= [width, height])).all(axis=2)
        fields: dict[str, Any] = {
            "images": read_images(chosen.paths.tolist(), (height, width), frames),
            "labels": chosen.labels.astype(np.int64),
            "landmarks": np.where(inside[..., None], landmarks, np.nan),
            "boxes": (boxes - np.tile(frames[:, :2], 2)) * np.tile(scale, 2),
            "ids": chosen.ids,
            "groups": chosen.groups.astype(np.int64),
            "split": chosen.split,
        }
        for name in ("landmarks", "boxes"):
            fields[name] = fields[name].astype(np.float32)
        if chosen.captions is not None:
            fields["captions"] = chosen.captions.tolist()
        if chosen.masks is not None:
            fields["part_masks"] = chosen._draw_masks(frames, (height, width))
        return fields

    def common_size(self) -> tuple[int, int]:
        """The (height, width) that all shown images have, else 224 by 224."""
        frames, _ = self._frames()
        return _size_of(frames) if len(self) and _are_alike(frames) else DEFAULT_SIZE

    def _origin(self) -> str:
        return str(self.source)

    def _frames(self) -> tuple[np.ndarray, np.ndarray]:
        """What is shown of each image, and the boxes cut off at its edges."""
        sizes = image_sizes(self.paths.tolist())
        boxes = clip_boxes(self.boxes, sizes)
        whole = np.pad(sizes, ((0, 0), (2, 0))).astype(np.float64)
        shown = (
            np.isfinite(boxes) if self.crop == "box" else np.zeros(boxes.shape, bool)
        )
        frames = np.where(shown, boxes, whole)
        # A part of a pixel cannot be told from nothing.
        for places in (boxes, frames):
            empty = (places[:, 2:] - places[:, :2] < 1).any(axis=1)
            if empty.any():
                raise ValueError(
                    f"{self.source}: the box of {self.paths[np.argmax(empty)]} is "
                    "empty or outside its image"
                )
        return frames, boxes

    def _draw_masks(self, frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        drawn = np.zeros((len(self), len(self.part_names or ()), *size), bool)
        masks = np.empty(0, object) if self.masks is None else self.masks

        def draw(rows: np.ndarray) -> None:
            for row in rows.tolist():
                if masks[row] is not None:
                    drawn[row] = masks[row].draw(frames[row], size)

        # Neighbours may come from one file, so a thread gets images in a row. The
        # matrix products are small: more threads for each would be in the way.
        blocks = max(1, min(_BLOCKS, len(masks)))
        with threadpool_limits(1, user_api="blas"):
            in_threads(draw, np.array_split(np.arange(len(masks)), blocks))
        return drawn


def object_array(values: Sequence[Any]) -> np.ndarray:
    """An array `(N,)` of any objects, lists among them."""
    array = np.empty(len(values), object)
    for row, value in enumerate(values):
        array[row] = value
    return array


def _are_alike(frames: np.ndarray) -> bool:
    extents = frames[:, 2:] - frames[:, :2]
    return bool((extents == extents[:1]).all())


def _size_of(frames: np.ndarray, size: Any = None) -> tuple[int, int]:
    if size is not None:
        return check_size(size)
    if not len(frames):
        return DEFAULT_SIZE
    if not _are_alike(frames):
        raise ValueError(
            "the images have different sizes: give size=, a (height, width) pair, or "
            "read them one at a time"
        )
    width, height = np.rint(frames[0, 2:] - frames[0, :2]).astype(int)
    return int(height), int(width)
