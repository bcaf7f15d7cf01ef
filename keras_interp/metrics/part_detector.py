"""Which filters count as detectors of a part."""

from __future__ import annotations

import numpy as np

from keras_interp.metrics.hit_gain import HitGainScores
from keras_interp.metrics.part_scores import PartScores


def is_part_detector(
    tracking: PartScores,
    hit_gain: HitGainScores,
    least_tracking: float = 0.2,
    least_hit_gain: float = 0.1,
) -> np.ndarray:
    """Tells which filters follow a part on pictures that did not choose it.

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
            f"tracking is for {tracking.per_filter.size} filters but hit_gain for "
            f"{hit_gain.per_filter.size}; pass figures of the same layer."
        )
    # A comparison with NaN is False: a filter that was not judged is no detector.
    return (tracking.per_filter > least_tracking) & (
        hit_gain.per_filter > least_hit_gain
    )
