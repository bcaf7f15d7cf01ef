"""The schema that every dataset of images with annotated parts follows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import (
    BACKGROUND,
    check_boxes,
    check_captions,
    check_count,
    check_ids,
    check_images,
    check_keys,
    check_labels,
    check_landmarks,
    check_masks,
    check_named_masks,
    check_names,
    check_positions,
    check_size,
    check_strings,
    refused,
)
from keras_interp.datasets._images import resize_images, resize_maps

_PER_IMAGE = (
    "images",
    "labels",
    "landmarks",
    "part_masks",
    "texture_masks",
    "boxes",
    "captions",
    "ids",
    "groups",
    "split",
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PartsDataset:
    """Images with category labels and the places of their parts.

    Positions are (x, y) pixels from the top left corner: pixel `i` covers
    `i <= x < i + 1`, so a position is multiplied by the same factor as the image
    when that is resized, and the lower right corner of an image is (width, height).

    Images that show no object belong to a class called `"background"`; all their
    landmarks are NaN.

    Example:

    >>> import numpy as np
    >>> from keras_interp.datasets import PartsDataset
    >>> dataset = PartsDataset(
    ...     images=np.zeros((2, 32, 32, 3), "uint8"),
    ...     labels=[0, 1],
    ...     class_names=["bird", "background"],
    ...     landmarks=[[[10.5, 4.0]], [[np.nan, np.nan]]],
    ...     landmark_names=["head"],
    ...     split=["train", "test"],
    ... )
    >>> dataset.take_split("train").landmarks.shape
    (1, 1, 2)

    Args:
        images: uint8 array of shape `(N, height, width, 3)`, values 0 to 255.
        labels: integers of shape `(N,)`, indices into `class_names`.
        class_names: the names of the classes, all different.
        landmarks: float array of shape `(N, K, 2)` with (x, y) pixels; both NaN
            where the landmark is absent or hidden.
        landmark_names: the K names of the landmarks, all different.
        part_masks: optional bool array of shape `(N, P, height, width)`; true on the
            visible pixels of a part.
        part_names: the P names of the parts. Default: `landmark_names`, where there
            are as many masks as landmarks.
        boxes: optional float array of shape `(N, 4)` with the object's
            (x0, y0, x1, y1) pixels; all four NaN where there is no object.
        captions: optional list of N lists of sentences.
        ids: optional N names or numbers of the images, all different.
        groups: optional N names or numbers; images of one group (crops of one
            photograph, say) must stay on one side of a split.
        split: N names such as `"train"` and `"test"`. Default: all `"train"`.
        texture_masks: optional bool array of shape `(N, T, height, width)`; true on the
            pixels that have a texture, of objects and background alike.
        texture_names: the T names of the textures.

    Raises:
        ValueError: if a shape, type or value does not fit the rest.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    landmarks: np.ndarray
    landmark_names: list[str]
    part_masks: np.ndarray | None = None
    part_names: list[str] | None = None
    boxes: np.ndarray | None = None
    captions: list[list[str]] | None = None
    ids: np.ndarray | None = None
    groups: np.ndarray | None = None
    split: np.ndarray | None = None
    texture_masks: np.ndarray | None = None
    texture_names: list[str] | None = None

    def __post_init__(self) -> None:
        count, height, width = check_images(self.images)
        names = check_names("class_names", self.class_names)
        landmark_names = check_names("landmark_names", self.landmark_names)
        landmarks = check_landmarks(self.landmarks, count, len(landmark_names))
        split = ["train"] * count if self.split is None else self.split
        checked: dict[str, Any] = {
            "class_names": names,
            "landmark_names": landmark_names,
            "labels": check_labels(self.labels, count, len(names)),
            "landmarks": landmarks,
            "split": check_strings("split", split, count),
        }
        if self.part_masks is not None:
            part_names = self.part_names
            checked["part_names"], checked["part_masks"] = check_masks(
                self.part_masks, part_names, landmark_names, (count, height, width)
            )
        elif self.part_names is not None:
            raise refused(
                "part_names together with part_masks alone", part_names=self.part_names
            )
        if self.texture_masks is not None:
            checked["texture_names"], checked["texture_masks"] = check_named_masks(
                "texture",
                self.texture_masks,
                self.texture_names,
                (count, height, width),
            )
        elif self.texture_names is not None:
            raise refused(
                "texture_names together with texture_masks alone",
                texture_names=self.texture_names,
            )
        if self.boxes is not None:
            checked["boxes"] = check_boxes(self.boxes, count)
        if self.captions is not None:
            checked["captions"] = check_captions(self.captions, count)
        if self.ids is not None:
            checked["ids"] = check_ids(self.ids, count)
        if self.groups is not None:
            checked["groups"] = check_keys("groups", self.groups, count)
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.image_size
        splits = zip(
            *np.unique(np.asarray(self.split), return_counts=True), strict=True
        )
        return (
            f"PartsDataset({len(self)} images of {height}x{width}, "
            f"{len(self.class_names)} classes, {len(self.landmark_names)} landmarks, "
            f"split: {', '.join(f'{name} {n}' for name, n in splits) or 'empty'})"
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """The (height, width) of the images in pixels."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def is_background(self) -> np.ndarray:
        """Bool array of shape `(N,)`: images of the class `"background"`."""
        if BACKGROUND not in self.class_names:
            return np.zeros(len(self), bool)
        return self.labels == self.class_names.index(BACKGROUND)

    def subset(self, index_or_mask: Any) -> PartsDataset:
        """Takes some of the images with everything that belongs to them.

        Args:
            index_or_mask: integer positions (in the order wanted; negative ones count
                from the end), a slice, or a bool mask of shape `(N,)`.

        Returns:
            A new `PartsDataset` with the same classes and landmarks.

        Raises:
            ValueError: if a position is outside the dataset or a mask has another
                length than the dataset.
        """
        positions = check_positions(index_or_mask, len(self))
        taken: dict[str, Any] = {}
        for field in _PER_IMAGE:
            value = getattr(self, field)
            if isinstance(value, list):
                taken[field] = [value[position] for position in positions]
            elif value is not None:
                taken[field] = value[positions]
        return dataclasses.replace(self, **taken)

    def take_split(self, name: str) -> PartsDataset:
        """Takes the images of one split.

        Args:
            name: a value of `split`, such as `"train"` or `"test"`.

        Returns:
            A new `PartsDataset`.

        Raises:
            ValueError: if no image has that split.
        """
        chosen = np.asarray(self.split) == name
        if not chosen.any():
            present = sorted(set(np.asarray(self.split).tolist()))
            raise refused(f"name as one of the splits {present}", name=name)
        return self.subset(chosen)

    def resize(self, size: tuple[int, int]) -> PartsDataset:
        """Resizes the images, and landmarks, boxes and masks with them.

        Images are resized with an antialiased bilinear filter; the aspect ratio is
        not kept. A mask is true where it covers at least half of a pixel.

        Args:
            size: the new (height, width) in pixels.

        Returns:
            A new `PartsDataset`.

        Raises:
            ValueError: if `size` is not a pair of positive integers.
        """
        height, width = check_size(size)
        if (height, width) == self.image_size:
            return self
        old_height, old_width = self.image_size
        scale = np.array([width / old_width, height / old_height], np.float32)
        changed: dict[str, Any] = {
            "images": resize_images(self.images, (height, width)),
            "landmarks": self.landmarks * scale,
        }
        if self.boxes is not None:
            changed["boxes"] = self.boxes * np.tile(scale, 2)
        if self.part_masks is not None:
            changed["part_masks"] = resize_maps(self.part_masks, (height, width))
        if self.texture_masks is not None:
            changed["texture_masks"] = resize_maps(self.texture_masks, (height, width))
        return dataclasses.replace(self, **changed)

    def to_tf_data(
        self, batch_size: int = 32, shuffle: bool = False, seed: int = 0
    ) -> Any:
        """Makes a `tf.data.Dataset` of (images, labels) batches for `model.fit`.

        As with `keras.utils.image_dataset_from_directory`, images are float32 with
        values 0 to 255 and labels are int32. The other fields are read from the
        `PartsDataset` itself, which has the same order when `shuffle` is false.

        Args:
            batch_size: images in a batch; the last batch may be smaller.
            shuffle: whether to put the images in a new order in every epoch.
            seed: makes the orders repeatable.

        Returns:
            A `tf.data.Dataset` that yields `(images, labels)`.

        Raises:
            ValueError: if `batch_size` is not a positive integer.
        """
        check_count("batch_size", batch_size)
        from keras_interp._backend import batches_of_arrays

        return batches_of_arrays(
            self.images,
            self.labels,
            batch_size=int(batch_size),
            shuffle=shuffle,
            seed=seed,
        )
