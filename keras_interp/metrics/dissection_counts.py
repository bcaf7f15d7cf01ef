"""Counts the pixels that filters and concepts share."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from keras_interp.metrics.filter_regions import interpolation_weights

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField

PIXELS_AT_ONCE = 2**20  # what is worked on together should fit in the cache


@dataclasses.dataclass(frozen=True)
class DissectionCounts:
    """Pixels of F filters and C concepts, in the pictures annotated for the concept.

    Args:
        both: int64 `(F, C)`, pixels in the filter's region that show the concept.
        covered: int64 `(F, C)`, pixels in the filter's region.
        shown: int64 `(C,)`, pixels that show the concept.
    """

    both: np.ndarray
    covered: np.ndarray
    shown: np.ndarray

    def packed(self) -> np.ndarray:
        """All counts as one array `(2 F + 1, C)`."""
        return np.vstack([self.both, self.covered, self.shown])

    @classmethod
    def unpacked(cls, counts: np.ndarray) -> DissectionCounts:
        """The counts that `packed` gave."""
        filters = len(counts) // 2
        return cls(counts[:filters], counts[filters:-1], counts[-1])

    def overlaps(self) -> tuple[np.ndarray, np.ndarray]:
        """Intersection over union `(F, C)` and the greatest that the areas allow."""
        either = self.covered + self.shown - self.both
        smaller = np.minimum(self.covered, self.shown)
        larger = np.maximum(self.covered, self.shown)
        # Also where the union is empty, as nothing is shown then.
        nothing = np.where(self.shown > 0, 0.0, np.nan)
        either, larger = (np.maximum(area, 1) for area in (either, larger))
        return self.both / either + nothing, smaller / larger + nothing


def count_pixels(
    maps: np.ndarray,
    thresholds: np.ndarray,
    masks: np.ndarray,
    annotated: np.ndarray,
    receptive_field: ReceptiveField | None,
    image_size: tuple[float, float],
) -> DissectionCounts:
    """Counts the pixels of regions and concepts, a few pictures at a time.

    Args:
        maps: float `(N, h, w, F)`.
        thresholds: float `(F,)`; NaN leaves a filter without region.
        masks: bool `(N, C, H, W)`.
        annotated: bool `(N, C)`.
        receptive_field: of the layer, in the pixels of pictures of `image_size`.
        image_size: (height, width) of the pictures.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    pictures, _, height, width = masks.shape
    grid = _grid(maps.shape[1:3], (height, width), receptive_field, image_size)
    step = max(1, PIXELS_AT_ONCE // max(1, maps.shape[-1] * height * width))

    def count(start: int) -> np.ndarray:
        chunk = slice(start, start + step)
        return _count_chunk(
            maps[chunk], thresholds, masks[chunk], annotated[chunk], grid
        )

    total = np.zeros((2 * maps.shape[-1] + 1, masks.shape[1]), "int64")
    # The matrix products are small: threads of the BLAS library would only get in the
    # way of the threads here.
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        for counts in pool.map(count, range(0, pictures, step)):
            total += counts
    return DissectionCounts.unpacked(total)


def _count_chunk(
    maps: np.ndarray,
    thresholds: np.ndarray,
    masks: np.ndarray,
    annotated: np.ndarray,
    grid: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Packed counts of a few pictures, some filters at a time."""
    pictures, concepts, height, width = masks.shape
    filters = maps.shape[-1]
    both = np.empty((filters, concepts), "int64")
    covered = np.empty((filters, concepts), "int64")
    labels = masks & annotated[:, :, None, None]
    shown = labels.sum(axis=(0, 2, 3))
    # Sums of no more than 2^24 ones are exact in float32.
    number = "float32" if pictures * height * width <= 2**24 else "float64"
    labels = labels.transpose(0, 2, 3, 1).reshape(-1, concepts).astype(number)
    some = max(1, PIXELS_AT_ONCE // (pictures * height * width))
    for first in range(0, filters, some):
        these = slice(first, first + some)
        regions = _regions(maps[..., these], thresholds[these], *grid)
        regions = regions.astype(number, copy=False)
        covered[these] = regions.sum(axis=2) @ annotated
        both[these] = regions.reshape(len(regions), -1) @ labels
    return DissectionCounts(both, covered, shown).packed()


def _grid(
    cells: tuple[int, ...],
    pixels: tuple[int, int],
    receptive_field: ReceptiveField | None,
    image_size: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Weights `(H, h)` and `(W, w)` that interpolate cells at the masks' pixels."""
    if receptive_field is None:
        # Cells of equal size side by side, as when a picture is resized.
        places = [
            (np.arange(count) + 0.5) * length / count - 0.5
            for count, length in zip(cells, pixels, strict=True)
        ]
    else:
        centers = receptive_field.centers(*cells)
        rows, columns = centers[:, 0, 1], centers[0, :, 0]
        places = [
            (centers + 0.5) * length / whole - 0.5
            for centers, length, whole in zip(
                (rows, columns), pixels, image_size, strict=True
            )
        ]
    down, across = (
        interpolation_weights(place, length).astype("float32")
        for place, length in zip(places, pixels, strict=True)
    )
    return down, across


def _regions(
    maps: np.ndarray, thresholds: np.ndarray, down: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """float32 `(F, B, H * W)`: 1 where an interpolated map exceeds its threshold."""
    # What exceeds the threshold is interpolated: cells that equal it give exact zeros,
    # which rounding cannot lift above it.
    excess = (maps - thresholds).astype("float32").transpose(3, 0, 1, 2)
    # Interpolation reaches no higher than the cells do: most maps can be left out.
    busy = (excess > 0).any(axis=(2, 3))
    enlarged = down @ excess[busy] @ across.T
    regions = np.zeros((*busy.shape, len(down) * len(across)), "float32")
    regions[busy] = (enlarged > 0).reshape(len(enlarged), regions.shape[2])
    return regions
