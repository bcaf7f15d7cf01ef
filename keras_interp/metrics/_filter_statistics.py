"""How often filters fire, how much of a map is active, and where peaks lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics._peaks import (
    check_feature_maps,
    check_positions,
    check_radius,
    image_diagonal,
    to_numpy,
)
from keras_interp.metrics._scores import FilterScores


def dead_filters(scores: Any, least: float = 0.05) -> FilterScores:
    """Finds the filters that fire in too few images to mean anything.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> scores = np.array([[1.0, 0.0], [2.0, 0.0]])
    >>> found = ki.metrics.dead_filters(scores)
    >>> found.value, found.per_filter
    (0.5, array([0., 1.]))

    Args:
        scores: float `(N, F)`, peak values of the maps after the ReLU. A filter fires
            where its score is above 0; NaN counts as not firing. Pass the images of
            the category that the filters are for.
        least: share of the images below which a filter is dead.

    Returns:
        `FilterScores`: `.value` is the share of dead filters, `.per_filter` `(F,)` is
        1 for dead ones and 0 for others; all NaN without images.

    Raises:
        ValueError: if the shape does not fit or `least` is no share.

    Reference:
        A measure of this library.
    """
    scores = to_numpy(scores)
    if scores.ndim != 2:
        raise ValueError(
            "Expected scores of shape (images, filters). Received: scores of shape "
            f"{scores.shape}. ki.metrics.positions_and_scores makes them from feature "
            "maps."
        )
    if not 0 <= least <= 1:
        raise ValueError(
            f"Expected least as a share from 0 to 1. Received: least={least!r}. Pass "
            "0.05 for one image of twenty."
        )
    if not len(scores):
        return FilterScores.of(np.full(scores.shape[1], np.nan))
    return FilterScores.of(((scores > 0).mean(axis=0) < least).astype("float64"))


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
        images in which the filter fires; NaN where it never does.

    Raises:
        ValueError: if the maps have another rank or hold NaN, or `fraction` is out of
            range.

    Reference:
        A measure of this library.
    """
    if not 0 <= fraction < 1:
        raise ValueError(
            "Expected fraction of at least 0 and below 1. Received: "
            f"fraction={fraction!r}. Pass 0.01 for a hundredth of the peak."
        )
    maps = check_feature_maps(feature_maps)
    peaks = maps.max(axis=(1, 2), keepdims=True)
    share = (maps > fraction * peaks).mean(axis=(1, 2))
    firing = peaks[:, 0, 0] > 0
    total = np.where(firing, share, 0.0).sum(axis=0)
    count = firing.sum(axis=0)
    return FilterScores.of(np.where(count > 0, total / np.maximum(count, 1), np.nan))


PAIRS_AT_ONCE = 2**22


def overlap(
    positions: Any, image_size: int | tuple[int, int], radius: float = 0.1
) -> FilterScores:
    """Measures how often two different filters peak close to each other.

    The chance, over the images and the pairs of different filters that both fire in
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
        image_size: side of the images, or `(height, width)`, in pixels.
        radius: distance that counts as close, as a share of the diagonal.

    Returns:
        `FilterScores`: `.value` is the chance over all pairs, `.per_filter` `(F,)` that
        over the pairs in which the filter takes part; NaN without a pair.

    Raises:
        ValueError: if the shape does not fit or `radius` is not positive.

    Reference:
        A measure of this library.
    """
    check_radius(radius)
    reach = (radius * image_diagonal(image_size)) ** 2
    positions = check_positions(positions)
    images, filters = positions.shape[:2]
    firing = ~np.isnan(positions).any(axis=-1)
    others = (firing.sum(axis=1, keepdims=True) - 1) * firing
    close = np.zeros(filters)
    step = max(1, PAIRS_AT_ONCE // max(1, filters**2))
    for start in range(0, images, step):
        x, y = np.moveaxis(positions[start : start + step], -1, 0)
        squared = (x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2
        close += (squared <= reach).sum(axis=(0, 1))
    close -= firing.sum(axis=0)  # each filter is close to itself
    pairs = others.sum(axis=0)
    value = float(close.sum() / pairs.sum()) if pairs.sum() else float("nan")
    return FilterScores(value, close / np.where(pairs > 0, pairs, np.nan))


def position_spread(positions: Any, image_size: int | tuple[int, int]) -> FilterScores:
    """Measures how much each filter's peak moves over the images.

    The square root of the summed variances of x and y, over the diagonal: 0 for a
    filter that always fires at one place, 0.29 for one that fires anywhere in a square
    image alike.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> positions = np.array([[[0.0, 0.0]], [[30.0, 40.0]]])
    >>> round(ki.metrics.position_spread(positions, (30, 40)).value, 6)
    0.5

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        image_size: side of the images, or `(height, width)`, in pixels.

    Returns:
        `FilterScores` with `.value` and `.per_filter`; NaN for filters that fire in
        fewer than 2 images.

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
