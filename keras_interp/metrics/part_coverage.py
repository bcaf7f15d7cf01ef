"""Effective number of different parts that a set of filters follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy


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
            f"parts must have shape (filters,), one part each; got shape {parts.shape}."
        )
    if parts.size and (parts.dtype.kind not in "iuf" or np.any(parts % 1 != 0)):
        raise ValueError(
            f"parts must be whole numbers, the index of a landmark each; got {parts}."
        )
    weights = np.ones(len(parts)) if weights is None else to_numpy(weights)
    weights = np.nan_to_num(weights.astype("float64"), posinf=np.inf)
    if weights.shape != parts.shape:
        raise ValueError(
            f"weights must have the shape of parts, {parts.shape}; got {weights.shape}."
        )
    if np.any(weights < 0) or np.any(np.isinf(weights)):
        raise ValueError("weights must be finite and not negative; clip them at 0.")
    following = parts >= 0
    counts = np.bincount(parts[following].astype(int), weights[following])
    counts = counts[counts > 0]
    if not counts.size:
        return 0.0
    shares = counts / counts.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))
