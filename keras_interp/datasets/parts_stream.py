"""What all datasets have in common that are too large for memory."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from keras_interp.datasets._field_checks import (
    check_count,
    check_positions,
    check_size,
    refused,
)
from keras_interp.datasets.mirror_images import add_mirror_images
from keras_interp.datasets.parts_dataset import PartsDataset


class PartsStream(abc.ABC):
    """A dataset of any size: the fields of a `PartsDataset`, made a piece at a time.

    `AnnotatedImages` are read from their files, `DrawnImages` are drawn. Only names,
    labels and the like are in memory; memory for the pixels of one piece is all that
    is needed besides. Both can be pickled, and give the same piece in any process.

    Example:

    ```python
    animals = ki.datasets.open_synthetic_parts(1_000_000)
    for name in animals.class_names[:-1]:  # one category in memory at a time
        dataset = animals.take_classes([name, "background"]).load()
    ```
    """

    class_names: list[str]
    landmark_names: list[str]
    part_names: list[str] | None
    ids: np.ndarray
    labels: np.ndarray
    split: np.ndarray

    _PER_IMAGE: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def fields(self, index: Any, size: Any = None) -> dict[str, Any]:
        """Makes the fields of some images, with the names that `PartsDataset` has.

        Args:
            index: a bool mask, a slice or integer positions.
            size: (height, width) in pixels, or one number for both.

        Returns:
            Arrays, and lists of sentences, with a row for each image.
        """

    @abc.abstractmethod
    def common_size(self) -> tuple[int, int]:
        """The (height, width) of all images where no size is asked for."""

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self)} images, {len(self.class_names)} "
            f"classes, {len(self.landmark_names)} landmarks, {self._origin()})"
        )

    @abc.abstractmethod
    def _origin(self) -> str:
        """Where the images come from, in a few words."""

    def take(self, index: Any) -> Self:
        """Takes some of the images.

        Args:
            index: a bool mask, a slice or integer positions, in the order wanted.

        Returns:
            A new dataset of the same kind, with the same classes.

        Raises:
            ValueError: if a position is outside the dataset.
        """
        rows = check_positions(index, len(self))
        taken = {
            field: getattr(self, field)[rows]
            for field in self._PER_IMAGE
            if getattr(self, field) is not None
        }
        return dataclasses.replace(self, **taken)  # type: ignore[type-var]

    def take_classes(self, names: Sequence[str]) -> Self:
        """Takes the images of some classes.

        Args:
            names: names out of `class_names`, in the order of the new labels.

        Returns:
            A new dataset of the same kind, with these classes alone; labels count from
            0.

        Raises:
            ValueError: if there is no such class, or none is named.
        """
        unknown = [name for name in names if name not in self.class_names]
        if isinstance(names, str) or unknown or len(set(names)) != len(names):
            raise refused(f"different names out of {self.class_names}", names=names)
        positions = np.array([self.class_names.index(name) for name in names], int)
        taken = self.take(np.isin(self.labels, positions))
        new = np.full(len(self.class_names), -1)
        new[positions] = np.arange(len(positions))
        return taken._relabeled(list(names), new[taken.labels], positions)

    def _relabeled(
        self, class_names: list[str], labels: np.ndarray, positions: np.ndarray
    ) -> Self:
        """The same images under new labels; `positions` are the earlier ones."""
        return dataclasses.replace(self, class_names=class_names, labels=labels)  # type: ignore[type-var]

    def example(self, row: int, size: Any = None) -> dict[str, Any]:
        """Makes the fields of one image, without the axis N.

        Args:
            row: 0 to `len(self) - 1`.
            size: (height, width) in pixels. Default: that of the image itself.

        Returns:
            The fields by name, as `fields` gives them.
        """
        return {name: values[0] for name, values in self.fields([row], size).items()}

    def chunks(self, size: Any = None, length: int = 256) -> Iterator[dict[str, Any]]:
        """Goes through the images in order, some of them at a time.

        Args:
            size: (height, width) in pixels. Default: `common_size()`.
            length: images in a piece; the last one may be shorter.

        Yields:
            The fields by name, as `fields` gives them.

        Raises:
            ValueError: if `length` is less than 1, or a file is damaged.
        """
        check_count("length", length)
        size = self.common_size() if size is None else size
        for start in range(0, len(self), length):
            yield self.fields(slice(start, start + length), size)

    def load(self, size: Any = None, mirror: bool = False) -> PartsDataset:
        """Brings all the images into memory.

        Args:
            size: (height, width) in pixels or one number for both. Default:
                `common_size()`.
            mirror: whether to append the mirror images, see `add_mirror_images`.

        Returns:
            A `PartsDataset`.

        Raises:
            ValueError: if a file is damaged; the message names it.
        """
        size = self.common_size() if size is None else check_size(size)
        fields = self.fields(slice(None), size)
        for kind in ("part", "texture"):
            if f"{kind}_masks" in fields:
                fields[f"{kind}_names"] = getattr(self, f"{kind}_names")
        dataset = PartsDataset(
            class_names=self.class_names, landmark_names=self.landmark_names, **fields
        )
        return add_mirror_images(dataset) if mirror else dataset
