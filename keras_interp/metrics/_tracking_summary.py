"""Tracking of a whole layer that a handful of filters cannot throw."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import LocatedPeaks
from keras_interp.metrics._scores import split_images
from keras_interp.metrics._tracking import tracking


@dataclasses.dataclass(frozen=True)
class TrackingSummary:
    """Two figures of a layer's tracking with their intervals over images.

    Args:
        median: median of the filters' tracking.
        median_interval: its (lowest, highest) plausible values.
        pooled: tracking of all filters' peaks together.
        pooled_interval: its (lowest, highest) plausible values.
        filters: the number of filters behind the figures.
    """

    median: float
    median_interval: tuple[float, float]
    pooled: float
    pooled_interval: tuple[float, float]
    filters: int


def tracking_summary(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    choose_on: Any = None,
    *,
    labels: Any = None,
    categories: Any = None,
    resamples: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
) -> TrackingSummary:
    """Sums up the tracking of many filters by its median and by one pooled ratio.

    `ki.metrics.tracking(...).value` is a mean of ratios: a filter with few images, of a
    part that hardly moves in them, can score -50 and outweigh a hundred good ones.
    The median does not see it. The pooled figure is one ratio for all filters,
    `1 - sum_f n_f Var(p_k - mu_f) / sum_f n_f Var(p_k)` over the n_f images of filter f
    and its part k: filters count by their images and by how far their parts move.

    The intervals come from a bootstrap over the images that are scored: the figures of
    `resamples` draws of as many images with repetition. The parts stay those that were
    chosen. They say nothing about another training run.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 1, 2))
    >>> positions = np.repeat(landmarks, 3, axis=1)
    >>> scores = np.ones((100, 3))
    >>> scores[2:, 2] = 0  # the third filter fires in two images, in the wrong places
    >>> positions[:2, 2] = [[0, 0], [64, 64]]
    >>> found = ki.metrics.tracking_summary(positions, scores, landmarks, 64)
    >>> found.median, round(found.pooled, 2)
    (1.0, 0.94)

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        choose_on: boolean `(N,)`, the images that choose the part of each filter; the
            others are scored. `None` lets all images do both, which is optimistic.
        labels: int `(N,)`, category of each image, with `categories`.
        categories: int `(F,)`, category of each filter: only images of that category
            count for it. `None` counts all images.
        resamples: draws of the bootstrap.
        confidence: share of the draws that the intervals hold.
        seed: makes the draws repeatable.

    Returns:
        `TrackingSummary` with `.median`, `.median_interval`, `.pooled`,
        `.pooled_interval` and `.filters`; NaN where no filter could be judged.

    Raises:
        ValueError: if a shape or type does not fit, or a number is out of range.

    Reference:
        A measure of this library; Efron and Tibshirani, An Introduction to the
        Bootstrap, 1993, chapter 13 (percentile intervals).
    """
    if not resamples >= 1:
        raise ValueError(
            "Expected resamples as a positive number of draws. Received: "
            f"resamples={resamples!r}. Pass 500."
        )
    if not 0 < confidence < 1:
        raise ValueError(
            "Expected confidence as a share between 0 and 1. Received: "
            f"confidence={confidence!r}. Pass 0.95."
        )
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    found = tracking(
        peaks.positions,
        peaks.scores,
        peaks.landmarks,
        image_size,
        choose_on,
        labels=labels,
        categories=categories,
    )
    filters = np.flatnonzero(np.isfinite(found.per_filter))
    nothing = float("nan")
    if not len(filters):
        unknown = (nothing, nothing)
        return TrackingSummary(nothing, unknown, nothing, unknown, 0)
    _, scored = split_images(choose_on, len(peaks.positions))
    counts = np.zeros(peaks.firing.shape, dtype=bool)
    for images, own in peaks.groups(labels, categories):
        counts |= images[:, None] & own
    moments = _Moments.of(
        peaks.subset(scored, filters), found.part[filters], counts[scored][:, filters]
    )
    number = int(scored.sum())
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(number, np.full(number, 1 / number), size=resamples)
    median, pooled = moments.figures(np.ones((1, number)))
    medians, pools = moments.figures(draws.astype("float64"))
    return TrackingSummary(
        median=float(median[0]),
        median_interval=_interval(medians, confidence),
        pooled=float(pooled[0]),
        pooled_interval=_interval(pools, confidence),
        filters=len(filters),
    )


def _interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    tails = (1 - confidence) / 2
    low, high = np.quantile(known, [tails, 1 - tails])
    return float(low), float(high)


@dataclasses.dataclass(frozen=True)
class _Moments:
    """What each image adds to the variances of offsets and parts, `(N, F)` arrays.

    Args:
        used: 1 where an image counts for a filter, else 0.
        offset: two arrays, x and y of peak less part, 0 where not used.
        part: two arrays, x and y of the part, 0 where not used.
    """

    used: np.ndarray
    offset: list[np.ndarray]
    part: list[np.ndarray]

    @classmethod
    def of(cls, peaks: LocatedPeaks, part: np.ndarray, counts: np.ndarray) -> _Moments:
        places = peaks.landmarks[:, part]
        used = peaks.firing & peaks.present[:, part] & counts
        number = np.maximum(used.sum(axis=0), 1)

        def centred(values: np.ndarray) -> list[np.ndarray]:
            known = np.where(used[..., None], values, 0.0)
            moved = np.where(
                used[..., None], known - known.sum(axis=0) / number[:, None], 0.0
            )
            return [moved[..., 0], moved[..., 1]]

        return cls(
            used.astype("float64"), centred(peaks.positions - places), centred(places)
        )

    def figures(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Median and pooled tracking of each row of weights `(draws, N)`."""
        count = weights @ self.used
        offset = sum(self._squares(weights, axis, count) for axis in self.offset)
        moved = sum(self._squares(weights, axis, count) for axis in self.part)
        known = (count >= 2) & (moved > 1e-9)
        ratio = np.where(known, 1 - offset / np.where(known, moved, 1), np.nan)
        total = np.where(known, moved, 0.0).sum(axis=1)
        missed = np.where(known, offset, 0.0).sum(axis=1)
        pooled = np.where(total > 0, 1 - missed / np.where(total > 0, total, 1), np.nan)
        some = known.any(axis=1)
        median = np.full(len(weights), np.nan)
        median[some] = np.nanmedian(ratio[some], axis=1)
        return median, pooled

    def _squares(
        self, weights: np.ndarray, values: np.ndarray, count: np.ndarray
    ) -> np.ndarray:
        """Squared deviations from the mean of each draw, summed over its images."""
        squares = weights @ values**2 - (weights @ values) ** 2 / np.maximum(count, 1)
        return np.maximum(squares, 0.0)
