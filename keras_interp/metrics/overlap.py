"""Chance that two filters peak at the same place of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.filter_scores import FilterScores
from keras_interp.metrics.located_peaks import check_positions, image_diagonal

PAIRS_AT_ONCE = 2**22


def overlap(
    positions: Any, image_size: int | tuple[int, int], radius: float = 0.1
) -> FilterScores:
    """Measures how often two different filters peak close to each other.

    The chance, over the pictures and the pairs of different filters that both fire in
    them, that the two peaks lie within `radius` of the diagonal. Near 1 means that
    all filters repeat one part.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> positions = np.array([[[10.0, 10.0], [11.0, 10.0], [60.0, 60.0]]])
    >>> round(ki.metrics.overlap(positions, 64).value, 4)
    0.3333

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        image_size: side of the pictures, or `(height, width)`, in pixels.
        radius: distance that counts as close, as a share of the diagonal.

    Returns:
        `FilterScores`: `.value` is the chance over all pairs, `.per_filter` `(F,)` that
        over the pairs in which the filter takes part; NaN without a pair.

    Raises:
        ValueError: if the shape does not fit or `radius` is not positive.

    Reference:
        A measure of this library.
    """
    if not radius > 0:
        raise ValueError(
            f"radius must be a positive share of the diagonal, got {radius}."
        )
    reach = (radius * image_diagonal(image_size)) ** 2
    positions = check_positions(positions)
    pictures, filters = positions.shape[:2]
    firing = ~np.isnan(positions).any(axis=-1)
    others = (firing.sum(axis=1, keepdims=True) - 1) * firing
    close = np.zeros(filters)
    step = max(1, PAIRS_AT_ONCE // max(1, filters**2))
    for start in range(0, pictures, step):
        x, y = np.moveaxis(positions[start : start + step], -1, 0)
        squared = (x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2
        close += (squared <= reach).sum(axis=(0, 1))
    close -= firing.sum(axis=0)  # each filter is close to itself
    pairs = others.sum(axis=0)
    value = float(close.sum() / pairs.sum()) if pairs.sum() else float("nan")
    return FilterScores(value, close / np.where(pairs > 0, pairs, np.nan))
