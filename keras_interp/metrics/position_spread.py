"""How far a filter's peak moves from picture to picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.filter_scores import FilterScores
from keras_interp.metrics.located_peaks import check_positions, image_diagonal


def position_spread(positions: Any, image_size: int | tuple[int, int]) -> FilterScores:
    """Measures how much each filter's peak moves over the pictures.

    The square root of the summed variances of x and y, over the diagonal: 0 for a
    filter that always fires at one place, 0.29 for one that fires anywhere in a square
    picture alike.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> positions = np.array([[[0.0, 0.0]], [[30.0, 40.0]]])
    >>> round(ki.metrics.position_spread(positions, (30, 40)).value, 6)
    0.5

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        image_size: side of the pictures, or `(height, width)`, in pixels.

    Returns:
        `FilterScores` with `.value` and `.per_filter`; NaN for filters that fire in
        fewer than 2 pictures.

    Raises:
        ValueError: if a shape does not fit.

    Reference:
        A measure of this library, which shows filters collapsed to one place.
    """
    diagonal = image_diagonal(image_size)
    positions = check_positions(positions)
    firing = ~np.isnan(positions).any(axis=-1, keepdims=True)
    count = firing.sum(axis=0)
    known = np.where(firing, positions, 0.0)
    mean = known.sum(axis=0) / np.maximum(count, 1)
    squared = np.where(firing, known - mean, 0.0) ** 2
    variance = squared.sum(axis=(0, 2)) / np.maximum(count[:, 0], 1)
    spread = np.where(count[:, 0] >= 2, np.sqrt(variance) / diagonal, np.nan)
    return FilterScores.of(spread)
