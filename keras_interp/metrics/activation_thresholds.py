"""Level that only the strongest cells of a filter exceed."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import check_feature_maps


def activation_thresholds(feature_maps: Any, quantile: float = 0.005) -> np.ndarray:
    """Finds the value that a given share of each filter's cells exceeds.

    Of the n cells of all pictures the `floor(quantile * n)` greatest may lie above the
    threshold, which is the greatest of the others; fewer do where values are equal.
    `keras_interp.metrics.ActivationThreshold` does the same in bounded memory.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.arange(200.0).reshape(2, 10, 10, 1)
    >>> ki.metrics.activation_thresholds(maps)
    array([198.])

    Args:
        feature_maps: float `(N, H, W, F)`, channels last, of **all** pictures that the
            threshold is for.
        quantile: share of the cells above the threshold.

    Returns:
        float64 `(F,)`, NaN without pictures.

    Raises:
        ValueError: if the maps have another rank or hold NaN, or `quantile` is out of
            range.

    Reference:
        Bau et al., Network Dissection, CVPR 2017, section 2.2; Zhang, Wu and Zhu,
        CVPR 2018, section 5.2.1: p(x > T) = 0.005.
    """
    check_quantile(quantile)
    maps = check_feature_maps(feature_maps)
    cells = maps.reshape(-1, maps.shape[-1])
    if not len(cells):
        return np.full(maps.shape[-1], np.nan)
    place = len(cells) - 1 - int(quantile * len(cells))
    return np.partition(cells, place, axis=0)[place].astype("float64")


def check_quantile(quantile: float) -> None:
    """Refuses shares that leave nothing above or nothing below."""
    if not 0 < quantile < 1:
        raise ValueError(
            "quantile must be a share of the cells between 0 and 1, such as 0.005; got "
            f"{quantile}."
        )
