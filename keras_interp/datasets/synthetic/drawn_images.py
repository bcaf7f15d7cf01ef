"""Images that are drawn when they are asked for: a made set of any size streams."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import check_positions, check_size

Draw = Callable[[np.ndarray, np.ndarray, tuple[int, int]], dict[str, Any]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DrawnImages:
    """A made dataset of which only numbers, labels and splits exist so far.

    It is used as `AnnotatedImages` are, and can be pickled as they can.

    Example:

    ```python
    images = open_synthetic_parts(1_000_000)
    for batch in images.take(images.split == "train").chunks():
        print(batch["images"].shape)
    ```

    Args:
        class_names: the names of the classes.
        landmark_names: the names of the landmarks.
        part_names: the names of the part masks; None where there are none.
        ids: `(N,)` numbers of the images.
        labels: `(N,)` indices into `class_names`.
        split: `(N,)` names of splits.
        size: (height, width) in pixels unless another one is asked for.
        draw: makes the other fields from ids, labels and size; a function of a module
            or a partial of one.
    """

    class_names: list[str]
    landmark_names: list[str]
    part_names: list[str] | None
    ids: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    size: tuple[int, int]
    draw: Draw

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (
            f"DrawnImages({len(self)} images of {self.size[0]}x{self.size[1]}, "
            f"{len(self.class_names)} classes, {len(self.landmark_names)} landmarks)"
        )

    def take(self, index: Any) -> DrawnImages:
        """The rows of a bool mask, a slice or integer positions, in that order."""
        rows = check_positions(index, len(self))
        taken = {name: getattr(self, name)[rows] for name in ("ids", "labels", "split")}
        return dataclasses.replace(self, **taken)

    def fields(self, index: Any, size: Any = None) -> dict[str, Any]:
        """Draws some images and gives their fields as `PartsDataset` has them."""
        some = self.take(index)
        size = self.size if size is None else check_size(size)
        drawn = self.draw(some.ids, some.labels, size)
        return {"labels": some.labels, "ids": some.ids, "split": some.split, **drawn}

    def chunks(self, size: Any = None, length: int = 256) -> Iterator[dict[str, Any]]:
        """Yields the fields of so many images at a time, in order."""
        if length < 1:
            raise ValueError(f"length must be >= 1, got {length}")
        for start in range(0, len(self), length):
            yield self.fields(slice(start, start + length), size)
