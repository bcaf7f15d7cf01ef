"""Share of a map's cells that are active."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.filter_scores import FilterScores
from keras_interp.metrics.located_peaks import check_feature_maps


def density(feature_maps: Any, fraction: float = 0.01) -> FilterScores:
    """Measures which share of each map lies above a fraction of its own peak.

    Maps whose maximum is 0 or less are left out. A filter with one compact peak has a
    low density, one that answers to texture or background a high one.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.zeros((1, 4, 4, 1))
    >>> maps[0, 0, :2, 0] = 1.0, 0.5
    >>> ki.metrics.density(maps).value
    0.125

    Args:
        feature_maps: float `(N, H, W, F)`, channels last.
        fraction: of the map's peak, from 0 to 1.

    Returns:
        `FilterScores` with `.value` and `.per_filter` `(F,)`, the mean over the
        pictures in which the filter fires; NaN where it never does.

    Raises:
        ValueError: if the maps have another rank or hold NaN, or `fraction` is out of
            range.

    Reference:
        A measure of this library.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must be at least 0 and below 1, got {fraction}.")
    maps = check_feature_maps(feature_maps)
    peaks = maps.max(axis=(1, 2), keepdims=True)
    share = (maps > fraction * peaks).mean(axis=(1, 2))
    firing = peaks[:, 0, 0] > 0
    total = np.where(firing, share, 0.0).sum(axis=0)
    count = firing.sum(axis=0)
    return FilterScores.of(np.where(count > 0, total / np.maximum(count, 1), np.nan))
