"""Which part each filter is for, and how many different ones there are."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._hit_gain import HitGainScores
from keras_interp.metrics._peaks import LocatedPeaks, to_numpy
from keras_interp.metrics._scores import PartScores


def is_part_detector(
    tracking: PartScores,
    hit_gain: HitGainScores,
    least_tracking: float = 0.2,
    least_hit_gain: float = 0.1,
) -> np.ndarray:
    """Tells which filters follow a part on images that did not choose it.

    Both figures must be known and above their threshold. They may have chosen different
    parts: neighbouring ones, such as beak and forehead, can swap places.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 2, 2))
    >>> constant = np.full((100, 1, 2), 31.5)
    >>> positions = np.concatenate([landmarks[:, :1], constant], axis=1)
    >>> known = positions, np.ones((100, 2)), landmarks, 64
    >>> ki.metrics.is_part_detector(
    ...     ki.metrics.tracking(*known), ki.metrics.hit_gain(*known)
    ... )
    array([ True, False])

    Args:
        tracking: what `keras_interp.metrics.tracking` gave.
        hit_gain: what `keras_interp.metrics.hit_gain` gave for the same filters.
        least_tracking: threshold that tracking must exceed.
        least_hit_gain: threshold that hit gain must exceed.

    Returns:
        bool `(F,)`.

    Raises:
        ValueError: if the two are for different numbers of filters.

    Reference:
        A convention of this library.
    """
    if tracking.per_filter.shape != hit_gain.per_filter.shape:
        raise ValueError(
            "Expected tracking and hit_gain of the same filters. Received: tracking "
            f"of {tracking.per_filter.size} filters and hit_gain of "
            f"{hit_gain.per_filter.size}. Pass results of the same layer."
        )
    # A comparison with NaN is False: a filter that was not judged is no detector.
    return (tracking.per_filter > least_tracking) & (
        hit_gain.per_filter > least_hit_gain
    )


def part_coverage(parts: Any, weights: Any = None) -> float:
    """Counts the different parts that the filters follow, evenly followed ones fully.

    It is the exponential of the entropy of the distribution of filters over parts: 1
    when all filters follow one part, K when K parts have equally many filters each.

    Example:

    >>> import keras_interp as ki
    >>> round(ki.metrics.part_coverage([0, 0, 1, 1]), 6)
    2.0

    Args:
        parts: int `(F,)`, the part of each filter, as `.part` of
            `keras_interp.metrics.tracking` gives it; negative where it has none.
        weights: float `(F,)`, how much each filter counts, not negative; `None` lets
            all count alike. NaN counts as 0. To count part detectors only pass
            `ki.metrics.is_part_detector(...)`.

    Returns:
        The effective number of parts, 0.0 when no filter follows any part.

    Raises:
        ValueError: if shapes differ, parts are not whole numbers, or a weight is
            negative or infinite.

    Reference:
        A measure of this library; Hill, Diversity and evenness, Ecology 1973, the
        number of order 1.
    """
    parts = to_numpy(parts)
    if parts.ndim != 1:
        raise ValueError(
            "Expected parts of shape (filters,), one part for each filter. Received: "
            f"parts of shape {parts.shape}. Pass the .part of ki.metrics.tracking."
        )
    if not np.isfinite(parts).all() or np.any(parts % 1 != 0):
        raise ValueError(
            "Expected parts as whole numbers, the index of a landmark each. "
            f"Received: parts={parts!r}. Pass the .part of ki.metrics.tracking."
        )
    weights = np.ones(len(parts)) if weights is None else to_numpy(weights)
    weights = np.nan_to_num(weights.astype("float64"), posinf=np.inf)
    if weights.shape != parts.shape:
        raise ValueError(
            f"Expected weights of the shape of parts, {parts.shape}. Received: "
            f"weights of shape {weights.shape}. Pass one weight for each filter."
        )
    if np.any(weights < 0) or np.any(np.isinf(weights)):
        raise ValueError(
            "Expected weights that are finite and not negative. Received: weights "
            f"from {weights.min()} to {weights.max()}. Clip them at 0."
        )
    following = parts >= 0
    counts = np.bincount(parts[following].astype(int), weights[following])
    counts = counts[counts > 0]
    if not counts.size:
        return 0.0
    shares = counts / counts.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


@dataclasses.dataclass(frozen=True)
class NearestLandmarks:
    """Result of `nearest_landmarks`.

    Attributes:
        landmark: int `(F,)`, place of the nearest landmark; -1 for a filter that fires
            on no image with a landmark.
        distance: float `(F,)`, mean distance to it as a share of the diagonal, NaN for
            such a filter.
    """

    landmark: np.ndarray
    distance: np.ndarray


def nearest_landmarks(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    top: int | None = 100,
) -> NearestLandmarks:
    """Finds for each filter the landmark at the smallest mean distance of its peak.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 3, 2))
    >>> positions = landmarks[:, [2, 0]] + 1.0
    >>> scores = np.ones((100, 2))
    >>> found = ki.metrics.nearest_landmarks(positions, scores, landmarks, 64)
    >>> found.landmark
    array([2, 0])

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        top: images that activate the filter most, which count; `None` for all where
            it fires.

    Returns:
        `NearestLandmarks`.

    Raises:
        ValueError: if the shapes do not fit together, or `top` is less than 1.
    """
    if top is not None and top < 1:
        raise ValueError(
            "Expected top as a positive number of images, or None for all. Received: "
            f"top={top!r}. Pass 100, as ki.metrics.location_instability takes."
        )
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    images = len(peaks.scores)
    falling = np.where(peaks.firing, -peaks.scores, np.inf)
    rank = np.argsort(np.argsort(falling, axis=0, kind="stable"), axis=0)
    counts = peaks.firing & (rank < (images if top is None else top))
    offsets = peaks.positions[:, :, None] - peaks.landmarks[:, None]
    distances = np.where(
        counts[..., None], np.linalg.norm(offsets, axis=-1) / peaks.diagonal, np.nan
    )
    known = np.isfinite(distances)
    total = np.where(known, distances, 0.0).sum(axis=0)
    mean = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.inf)
    # A column more: images may have no landmark at all.
    mean = np.pad(mean, ((0, 0), (0, 1)), constant_values=np.inf)
    landmark = mean.argmin(axis=1)
    distance = np.take_along_axis(mean, landmark[:, None], axis=1)[:, 0]
    missing = ~np.isfinite(distance)
    return NearestLandmarks(
        np.where(missing, -1, landmark), np.where(missing, np.nan, distance)
    )
