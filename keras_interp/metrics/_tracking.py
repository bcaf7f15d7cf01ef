"""Share of a part's movement that a filter's peak follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics._peaks import LocatedPeaks
from keras_interp.metrics._scores import PartScores, split_images


def tracking(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    choose_on: Any = None,
    *,
    labels: Any = None,
    categories: Any = None,
) -> PartScores:
    """Measures how well a filter's peak moves with one part of the object.

    For filter f and part k, over the images that show the part and where the filter
    fires, `1 - Var(p_k - mu_f) / Var(p_k)` with variances summed over both axes. A
    peak at a constant place scores exactly 0, a random one well below 0, a perfect
    detector 1; a constant offset between peak and part costs nothing.

    The part of each filter is the one with the greatest figure on the images of
    `choose_on`; the figure given is that part's on the other images.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 3, 2))
    >>> positions = landmarks[:, [2]] + 5.0
    >>> found = ki.metrics.tracking(positions, np.ones((100, 1)), landmarks, 64)
    >>> round(found.value, 6), found.part
    (1.0, array([2]))

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels. The figure
            is a ratio and does not change with it.
        choose_on: boolean `(N,)`, the images that choose the part; the others are
            scored. `None` lets all images do both, which is optimistic: the best of
            K noisy figures is taken and reported on the same images.
        labels: int `(N,)`, category of each image, with `categories`.
        categories: int `(F,)`, category of each filter: only images of that category
            count for it. `None` counts all images.

    Returns:
        `PartScores` with `.value`, `.per_filter`, `.part`, `.per_part` and `.count`.
        NaN where fewer than 2 images remain or the part does not move.

    Raises:
        ValueError: if a shape or type does not fit.

    Reference:
        A measure of this library: location instability (Zhang et al. 2018, section
        5.2.2) cannot tell a part detector from a filter that always fires in the
        middle.
    """
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    choosing, scored = split_images(choose_on, len(peaks.positions))
    shape = peaks.positions.shape[1], peaks.landmarks.shape[1]
    on_choosing, on_scored, count = np.full((3, *shape), np.nan)
    for images, filters in peaks.groups(labels, categories):
        on_choosing[filters], _ = _tracking_table(
            peaks.subset(images & choosing, filters)
        )
        on_scored[filters], count[filters] = _tracking_table(
            peaks.subset(images & scored, filters)
        )
    return PartScores.chosen(on_choosing, on_scored, np.nan_to_num(count))


def _tracking_table(peaks: LocatedPeaks) -> tuple[np.ndarray, np.ndarray]:
    """Tracking `(F, K)` and the number of images behind each entry."""
    firing = peaks.firing.astype("float64")
    present = peaks.present.astype("float64")
    count = firing.T @ present
    pairs = np.maximum(count, 1)
    peak_variance = np.zeros_like(count)
    part_variance = np.zeros_like(count)
    part_square = np.zeros_like(count)
    covariance = np.zeros_like(count)
    for axis in range(2):
        peak = _from_first(peaks.positions[..., axis], peaks.firing)
        part = _from_first(peaks.landmarks[..., axis], peaks.present)
        peak_mean = (peak.T @ present) / pairs
        part_mean = (firing.T @ part) / pairs
        peak_variance += (peak**2).T @ present / pairs - peak_mean**2
        square = firing.T @ part**2 / pairs
        part_square += square
        part_variance += square - part_mean**2
        covariance += peak.T @ part / pairs - peak_mean * part_mean
    # A variance at rounding level means a part at rest.
    known = (count >= 2) & (part_variance > 1e-12 * part_square)
    # Var(p - mu) = Var(p) + Var(mu) - 2 Cov(p, mu): matrix products alone.
    figure = (2 * covariance - peak_variance) / np.where(known, part_variance, 1)
    return np.where(known, figure, np.nan), count


def _from_first(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values less the column's first known one, 0 where unknown.

    Variances do not see the shift, and a column that never changes becomes exactly 0,
    so that a constant filter scores exactly 0 and not a rounding error.
    """
    if not len(values):
        return np.zeros_like(values)
    first = np.argmax(known, axis=0)
    start = np.where(known.any(axis=0), values[first, np.arange(values.shape[1])], 0.0)
    return np.where(known, values - start, 0.0)
