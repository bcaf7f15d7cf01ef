"""Part masks of parts that are known by their boxes alone."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class PartRectangles:
    """Boxes of the P parts of one picture.

    `boxes` `(P, 4)` are (x0, y0, x1, y1) pixels of the stored picture, NaN for a part
    that is not there.
    """

    boxes: np.ndarray

    def draw(self, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool masks `(P, height, width)` of what `frame` shows, see `PartMasks`."""
        height, width = size
        left, top, right, bottom = frame
        x = left + (np.arange(width) + 0.5) / width * (right - left)
        y = top + (np.arange(height) + 0.5) / height * (bottom - top)
        in_columns = (x >= self.boxes[:, :1]) & (x <= self.boxes[:, 2:3])
        in_rows = (y >= self.boxes[:, 1:2]) & (y <= self.boxes[:, 3:])
        return in_rows[:, :, None] & in_columns[:, None, :]
