"""The landmark that a filter's peak stays nearest to."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import LocatedPeaks


@dataclasses.dataclass(frozen=True)
class NearestLandmarks:
    """Result of `nearest_landmarks`.

    Attributes:
        landmark: int `(F,)`, place of the nearest landmark; -1 for a filter that fires
            on no picture with a landmark.
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
        image_size: side of the pictures, or `(height, width)`, in pixels.
        top: pictures that activate the filter most, which count; `None` for all where
            it fires.

    Returns:
        `NearestLandmarks`.

    Raises:
        ValueError: if the shapes do not fit together, or `top` is less than 1.
    """
    if top is not None and top < 1:
        raise ValueError(
            f"top must be a positive number of pictures, or None for all; got {top!r}."
        )
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    pictures = len(peaks.scores)
    falling = np.where(peaks.firing, -peaks.scores, np.inf)
    rank = np.argsort(np.argsort(falling, axis=0, kind="stable"), axis=0)
    counts = peaks.firing & (rank < (pictures if top is None else top))
    offsets = peaks.positions[:, :, None] - peaks.landmarks[:, None]
    distances = np.where(
        counts[..., None], np.linalg.norm(offsets, axis=-1) / peaks.diagonal, np.nan
    )
    known = np.isfinite(distances)
    total = np.where(known, distances, 0.0).sum(axis=0)
    mean = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.inf)
    # A column more: pictures may have no landmark at all.
    mean = np.pad(mean, ((0, 0), (0, 1)), constant_values=np.inf)
    landmark = mean.argmin(axis=1)
    distance = np.take_along_axis(mean, landmark[:, None], axis=1)[:, 0]
    missing = ~np.isfinite(distance)
    return NearestLandmarks(
        np.where(missing, -1, landmark), np.where(missing, np.nan, distance)
    )
