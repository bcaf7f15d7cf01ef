"""Category of pictures on which a filter is judged."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import LocatedPeaks, check_integers, to_numpy

RULES = ("min", "argmax_peak", "argmax_sum")


def mean_without_nan(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean along an axis over the entries that are not NaN, NaN without any."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def landmark_categories(peaks: LocatedPeaks, labels: np.ndarray) -> np.ndarray:
    """Categories, in rising order, with at least one landmark in their pictures.

    The others, such as the negatives, have no place to judge a filter by.
    """
    return np.unique(labels[peaks.present.any(axis=1)])


def filter_categories(
    assign: Any,
    peaks: LocatedPeaks,
    labels: np.ndarray,
    activation_sums: Any,
) -> np.ndarray | None:
    """Category of each filter by the given rule, `None` for the rule "min".

    Args:
        assign: "min", "argmax_peak", "argmax_sum" or int `(F,)`.
        peaks: of N pictures and F filters.
        labels: int `(N,)`.
        activation_sums: float `(N, F)`, sum of each map, for "argmax_sum".
    """
    if isinstance(assign, str) and assign not in RULES:
        raise ValueError(
            f"assign must be one of {', '.join(RULES)} or an integer array of shape "
            f"(filters,) with each filter's category; got {assign!r}."
        )
    if not isinstance(assign, str):
        return check_integers(assign, "assign", peaks.firing.shape[1])
    if assign == "min":
        return None
    if assign == "argmax_peak":
        strength = np.where(peaks.firing, peaks.scores, 0.0)
    else:
        strength = check_sums(activation_sums, peaks.firing.shape)
    categories = landmark_categories(peaks, labels)
    if not categories.size:
        return np.full(peaks.firing.shape[1], -1)
    means = [strength[labels == category].mean(axis=0) for category in categories]
    return categories[np.argmax(means, axis=0)]


def check_sums(activation_sums: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Sums of maps as float64 `(N, F)`, which the rule "argmax_sum" needs."""
    if activation_sums is None:
        raise ValueError(
            'assign="argmax_sum" needs activation_sums of shape (pictures, filters), '
            "the sum of each map; pass feature_maps.sum(axis=(1, 2))."
        )
    sums = to_numpy(activation_sums).astype("float64", copy=False)
    if sums.shape != shape:
        raise ValueError(
            f"activation_sums must have shape {shape} as scores do; got {sums.shape}."
        )
    return sums
