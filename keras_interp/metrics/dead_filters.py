"""Filters that hardly ever fire."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.filter_scores import FilterScores
from keras_interp.metrics.located_peaks import to_numpy


def dead_filters(scores: Any, least: float = 0.05) -> FilterScores:
    """Finds the filters that fire in too few pictures to mean anything.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> scores = np.array([[1.0, 0.0], [2.0, 0.0]])
    >>> found = ki.metrics.dead_filters(scores)
    >>> found.value, found.per_filter
    (0.5, array([0., 1.]))

    Args:
        scores: float `(N, F)`, peak values of the maps after the ReLU. A filter fires
            where its score is above 0; NaN counts as not firing. Pass the pictures of
            the category that the filters are for.
        least: share of the pictures below which a filter is dead.

    Returns:
        `FilterScores`: `.value` is the share of dead filters, `.per_filter` `(F,)` is
        1 for dead ones and 0 for others; all NaN without pictures.

    Raises:
        ValueError: if the shape does not fit or `least` is no share.

    Reference:
        A measure of this library.
    """
    scores = to_numpy(scores)
    if scores.ndim != 2:
        raise ValueError(
            f"scores must have shape (pictures, filters); got shape {scores.shape}."
        )
    if not 0 <= least <= 1:
        raise ValueError(f"least must be a share from 0 to 1, got {least}.")
    if not len(scores):
        return FilterScores.of(np.full(scores.shape[1], np.nan))
    return FilterScores.of(((scores > 0).mean(axis=0) < least).astype("float64"))
