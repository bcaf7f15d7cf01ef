"""The pixels that filters and concepts share, and what follows from them."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from keras_interp.metrics._regions import interpolation_weights

if TYPE_CHECKING:
    from keras_interp.receptive_fields import ReceptiveField


PIXELS_AT_ONCE = 2**20  # what is worked on together should fit in the cache


@dataclasses.dataclass(frozen=True)
class DissectionCounts:
    """Pixels of F filters and C concepts, in the images annotated for the concept.

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
    """Counts the pixels of regions and concepts, a few images at a time.

    Args:
        maps: float `(N, h, w, F)`.
        thresholds: float `(F,)`; NaN leaves a filter without region.
        masks: bool `(N, C, H, W)`.
        annotated: bool `(N, C)`.
        receptive_field: of the layer, in the pixels of images of `image_size`.
        image_size: (height, width) of the images.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    images, _, height, width = masks.shape
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
        for counts in pool.map(count, range(0, images, step)):
            total += counts
    return DissectionCounts.unpacked(total)


def _count_chunk(
    maps: np.ndarray,
    thresholds: np.ndarray,
    masks: np.ndarray,
    annotated: np.ndarray,
    grid: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Packed counts of a few images, some filters at a time."""
    images, concepts, height, width = masks.shape
    filters = maps.shape[-1]
    both = np.empty((filters, concepts), "int64")
    covered = np.empty((filters, concepts), "int64")
    labels = masks & annotated[:, :, None, None]
    shown = labels.sum(axis=(0, 2, 3))
    # Sums of no more than 2^24 ones are exact in float32.
    number = "float32" if images * height * width <= 2**24 else "float64"
    labels = labels.transpose(0, 2, 3, 1).reshape(-1, concepts).astype(number)
    some = max(1, PIXELS_AT_ONCE // (images * height * width))
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
        # Cells of equal size side by side, as when an image is resized.
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


@dataclasses.dataclass(frozen=True)
class DissectionScores:
    """Which concept each filter detects, and how well.

    Args:
        value: the number of unique detectors, the paper's headline; NaN where no
            image showed a concept.
        per_filter: float `(F,)`, each filter's greatest intersection over union.
        concept: int `(F,)`, the concept of that; -1 where a filter meets none.
        is_detector: bool `(F,)`, whether `per_filter` exceeds the `iou` asked for.
        per_concept: float `(F, C)`, intersection over union of every filter and
            concept over the whole set; NaN for concepts that no image shows.
        ceiling: float `(F, C)`, the greatest intersection over union that the two areas
            allow: the smaller divided by the larger. Where it is small, the figure
            says nothing about what the filter follows.
        thresholds: float `(F,)`, the level above which a filter's region lies.
        concept_names: the C names.
        concept_categories: the category of each concept.
    """

    value: float
    per_filter: np.ndarray
    concept: np.ndarray
    is_detector: np.ndarray
    per_concept: np.ndarray
    ceiling: np.ndarray
    thresholds: np.ndarray
    concept_names: list[str]
    concept_categories: list[str]

    @property
    def detectors(self) -> int:
        """How many filters detect a concept."""
        return int(self.is_detector.sum())

    @property
    def unique_detectors(self) -> int:
        """How many different concepts are detected by at least one filter."""
        return len(self.detected)

    @property
    def detected(self) -> np.ndarray:
        """int array: the concepts that at least one filter detects, in order."""
        return np.unique(self.concept[self.is_detector])

    @property
    def detectors_by_category(self) -> dict[str, int]:
        """How many filters detect a concept of each category."""
        return self._by_category(self.concept[self.is_detector])

    @property
    def unique_detectors_by_category(self) -> dict[str, int]:
        """How many concepts of each category are detected by at least one filter."""
        return self._by_category(self.detected)

    def _by_category(self, concepts: np.ndarray) -> dict[str, int]:
        counts = dict.fromkeys(self.concept_categories, 0)
        for concept in concepts:
            counts[self.concept_categories[concept]] += 1
        return counts

    @classmethod
    def of(
        cls,
        counts: DissectionCounts,
        thresholds: np.ndarray,
        iou: float,
        concept_names: list[str],
        concept_categories: list[str],
    ) -> DissectionScores:
        """Judges the filters by their counts of pixels."""
        per_concept, ceiling = counts.overlaps()
        known = np.where(np.isnan(per_concept), -np.inf, per_concept)
        concept = known.argmax(axis=1)
        greatest = known.max(axis=1)
        is_detector = greatest > iou
        judged = np.isfinite(greatest)
        unique = len(np.unique(concept[is_detector]))
        return cls(
            value=float(unique) if judged.any() else float("nan"),
            per_filter=np.where(judged, greatest, np.nan),
            concept=np.where(greatest > 0, concept, -1),
            is_detector=is_detector,
            per_concept=per_concept,
            ceiling=ceiling,
            thresholds=thresholds,
            concept_names=concept_names,
            concept_categories=concept_categories,
        )
