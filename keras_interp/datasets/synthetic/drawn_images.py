"""Images that are drawn when they are asked for: a made set of any size streams."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from keras_interp.datasets._field_checks import check_size
from keras_interp.datasets.parts_stream import PartsStream

Draw = Callable[[np.ndarray, np.ndarray, tuple[int, int]], dict[str, Any]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DrawnImages(PartsStream):
    """A made dataset of which only numbers, labels and splits exist so far.

    It is used as `AnnotatedImages` are, see `PartsStream`.

    Example:

    ```python
    images = ki.datasets.open_synthetic_parts(1_000_000)
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
        texture_names: the names of the texture masks; None where there are none.
    """

    class_names: list[str]
    landmark_names: list[str]
    part_names: list[str] | None
    ids: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    size: tuple[int, int]
    draw: Draw

    texture_names: list[str] | None = None

    _PER_IMAGE = ("ids", "labels", "split")

    def fields(self, index: Any, size: Any = None) -> dict[str, Any]:
        """Draws some images.

        Args:
            index: a bool mask, a slice or integer positions.
            size: (height, width) in pixels, or one number for both. Default: that of
                the dataset.

        Returns:
            The fields as `PartsDataset` has them.
        """
        some = self.take(index)
        size = self.size if size is None else check_size(size)
        drawn = self.draw(some.ids, some.labels, size)
        return {"labels": some.labels, "ids": some.ids, "split": some.split, **drawn}

    def common_size(self) -> tuple[int, int]:
        """The (height, width) that the dataset was opened with."""
        return self.size

    def _origin(self) -> str:
        return f"{self.size[0]}x{self.size[1]} pixels"

    def _relabeled(
        self, class_names: list[str], labels: np.ndarray, positions: np.ndarray
    ) -> Self:
        draw = functools.partial(_draw_as, self.draw, positions)
        return dataclasses.replace(
            self, class_names=class_names, labels=labels, draw=draw
        )


def _draw_as(
    draw: Draw,
    positions: np.ndarray,
    ids: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
) -> dict[str, Any]:
    """Draws images that had other labels, `positions[labels]`."""
    return draw(ids, positions[labels], size)
