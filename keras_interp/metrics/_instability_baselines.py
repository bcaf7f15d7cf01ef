"""Deviations of distances, and the instability of filters that look at nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import (
    LocatedPeaks,
    center_cell,
    check_cells,
    check_integers,
    to_numpy,
)
from keras_interp.metrics._scores import mean_of_known


def deviation(distances: np.ndarray, ddof: int) -> np.ndarray:
    """Standard deviation along the last axis; NaN entries are left out.

    Args:
        distances: float `(..., n)`.
        ddof: 1 divides by the count less one, 0 by the count.

    Returns:
        float `(...)`, NaN where fewer than 2 entries are known.
    """
    known = ~np.isnan(distances)
    count = known.sum(axis=-1)
    total = np.where(known, distances, 0.0).sum(axis=-1)
    mean = total / np.maximum(count, 1)
    squared = np.where(known, distances - mean[..., None], 0.0) ** 2
    freedom = np.where(count > max(1, ddof), count - ddof, 1)
    result = np.sqrt(squared.sum(axis=-1) / freedom)
    return np.where(count > max(1, ddof), result, np.nan)


def distance_deviations(peaks: LocatedPeaks, top: int | None, ddof: int) -> np.ndarray:
    """Deviation of each filter's distance to each landmark over its best images.

    For each pair the images that show the landmark and where the filter fires are
    sorted by falling score; the first `top` count. Equal scores stay in the order of
    the images.

    Args:
        peaks: of N images, F filters and K landmarks.
        top: number of images, `None` for all.
        ddof: 1 divides by the count less one, 0 by the count.

    Returns:
        float64 `(F, K)` in units of the diagonal, NaN with fewer than 2 images.
    """
    images, filters = peaks.firing.shape
    landmarks = peaks.landmarks.shape[1]
    top = images if top is None else min(top, images)
    falling = np.where(peaks.firing, -peaks.scores, np.inf).T
    order = np.argsort(falling, axis=1, kind="stable")
    firing = np.take_along_axis(peaks.firing.T, order, axis=1)
    table = np.full((filters, landmarks), np.nan)
    for landmark in range(landmarks):
        usable = peaks.present[:, landmark][order] & firing
        rank = np.cumsum(usable, axis=1, dtype="int32")
        owner, place = np.nonzero(usable & (rank <= top))
        image = order[owner, place]
        distances = np.full((filters, top), np.nan)
        distances[owner, rank[owner, place] - 1] = distance(
            peaks.positions[image, owner], peaks.landmarks[image, landmark]
        )
        table[:, landmark] = deviation(distances / peaks.diagonal, ddof)
    return table


def constant_deviations(
    peaks: LocatedPeaks, cells: np.ndarray, ddof: int
) -> np.ndarray:
    """The same figure for filters that always fire at one place.

    A constant has no scores to choose images by, so all that show the landmark
    count.

    Args:
        peaks: whose landmarks are taken.
        cells: float `(M, 2)`, (x, y) in pixels.
        ddof: as in `distance_deviations`.

    Returns:
        float64 `(M, K)` in units of the diagonal.
    """
    table = np.full((len(cells), peaks.landmarks.shape[1]), np.nan)
    for landmark in range(table.shape[1]):
        places = peaks.landmarks[peaks.present[:, landmark], landmark]
        distances = distance(cells[:, None], places[None])
        table[:, landmark] = deviation(distances / peaks.diagonal, ddof)
    return table


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Euclidean distance of places `(..., 2)`."""
    across = one[..., 0] - other[..., 0]
    down = one[..., 1] - other[..., 1]
    return np.sqrt(across**2 + down**2)


RULES = ("min", "argmax_peak", "argmax_sum")


def mean_without_nan(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean along an axis over the entries that are not NaN, NaN without any."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def landmark_categories(peaks: LocatedPeaks, labels: np.ndarray) -> np.ndarray:
    """Categories, in rising order, with at least one landmark in their images.

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
        peaks: of N images and F filters.
        labels: int `(N,)`.
        activation_sums: float `(N, F)`, sum of each map, for "argmax_sum".
    """
    if isinstance(assign, str) and assign not in RULES:
        raise ValueError(
            f"Expected assign as one of {RULES}, or integers of shape (filters,) with "
            f"each filter's category. Received: assign={assign!r}. Pass one of these."
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
            "Expected activation_sums of shape (images, filters) with "
            'assign="argmax_sum". Received: activation_sums=None. Pass '
            "feature_maps.sum(axis=(1, 2))."
        )
    sums = to_numpy(activation_sums).astype("float64", copy=False)
    if sums.shape != shape:
        raise ValueError(
            f"Expected activation_sums of shape {shape}, as scores have. Received: "
            f"activation_sums of shape {sums.shape}. Pass feature_maps.sum(axis=(1, "
            "2)) of the same maps."
        )
    return sums


RANDOM_FILTERS = 32


@dataclasses.dataclass(frozen=True)
class InstabilityBaselines:
    """Location instability of constant and of random filters on given landmarks.

    Args:
        constant: of a filter that always fires at the one place that scores best.
        center: of a filter that always fires in the middle of the image.
        random: mean over 32 filters that fire at a random place.
    """

    constant: float
    center: float
    random: float


def instability_baselines(
    landmarks: Any,
    image_size: int | tuple[int, int],
    top: int | None = 100,
    ddof: int = 1,
    *,
    cells: Any = None,
    seed: int = 0,
) -> InstabilityBaselines:
    """Location instability that filters reach without looking at the image.

    `keras_interp.metrics.location_instability` carries these figures in its result;
    use this function beside the streaming metric, which does not keep the landmarks.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (200, 2, 2))
    >>> baselines = ki.metrics.instability_baselines(landmarks, 64)
    >>> bool(baselines.constant <= baselines.center < baselines.random)
    True

    Args:
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        top: images per random filter and landmark, `None` for all.
        ddof: 1 for the unbiased variance, 0 for the plain one.
        cells: float `(M, 2)` or `(H, W, 2)`, places to fire at, in pixels; the centres
            of a regular 16x16 grid over the image by default.
        seed: of the random filters.

    Returns:
        `InstabilityBaselines`, with NaN where no landmark is seen twice.

    Raises:
        ValueError: if a shape does not fit.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2, applied to constants.
    """
    images = len(to_numpy(landmarks))
    no_filters = np.empty((images, 0, 2))
    peaks = LocatedPeaks.check(no_filters, no_filters[..., 0], landmarks, image_size)
    cells = check_cells(cells, image_size)
    return baselines_by_category(
        [peaks],
        None,
        constants=np.concatenate([center_cell(image_size), cells]),
        cells=cells,
        top=top,
        ddof=ddof,
        seed=seed,
    )


def baselines_by_category(
    groups: list[LocatedPeaks],
    weights: np.ndarray | None,
    *,
    constants: np.ndarray,
    cells: np.ndarray,
    top: int | None,
    ddof: int,
    seed: int,
) -> InstabilityBaselines:
    """Baselines where filters are judged on one of several categories.

    Args:
        groups: peaks and landmarks of each category's images.
        weights: number of filters judged on each category; `None` lets each baseline
            take its best category, as the rule "min" lets each filter.
        constants: float `(M, 2)`, places of the constant filters, the middle first.
        cells: float `(M', 2)`, places of the random filters.
        top: images per random filter and landmark.
        ddof: of the variance.
        seed: of the random filters.
    """
    generator = np.random.default_rng(seed)
    fixed = np.empty((len(groups), len(constants)))
    random = np.empty((len(groups), RANDOM_FILTERS))
    for index, peaks in enumerate(groups):
        fixed[index] = mean_without_nan(
            constant_deviations(peaks, constants, ddof), axis=1
        )
        random[index] = mean_without_nan(
            distance_deviations(_random_peaks(peaks, cells, generator), top, ddof),
            axis=1,
        )
    if weights is None:
        return InstabilityBaselines(
            constant=_least(fixed.ravel()),
            center=_least(fixed[:, 0]),
            random=mean_of_known(np.array([_least(column) for column in random.T])),
        )
    return InstabilityBaselines(
        constant=_weighted(np.array([_least(row) for row in fixed]), weights),
        center=_weighted(fixed[:, 0], weights),
        random=_weighted(mean_without_nan(random, axis=1), weights),
    )


def _random_peaks(
    peaks: LocatedPeaks, cells: np.ndarray, generator: np.random.Generator
) -> LocatedPeaks:
    """Filters that fire at a random cell with a random score in every image."""
    shape = len(peaks.landmarks), RANDOM_FILTERS
    return dataclasses.replace(
        peaks,
        positions=cells[generator.integers(len(cells), size=shape)],
        scores=generator.random(shape),
        firing=np.ones(shape, dtype=bool),
    )


def _least(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if known.size else float("nan")


def _weighted(values: np.ndarray, weights: np.ndarray) -> float:
    weights = np.where(np.isnan(values), 0.0, weights)
    total = weights.sum()
    return float(np.nansum(values * weights) / total) if total else float("nan")
