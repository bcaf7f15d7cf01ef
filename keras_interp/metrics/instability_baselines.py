"""Location instability of filters that look at nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics.candidate_cells import center_cell, check_cells
from keras_interp.metrics.distance_deviation import (
    constant_deviations,
    distance_deviations,
)
from keras_interp.metrics.filter_category import mean_without_nan
from keras_interp.metrics.filter_scores import mean_of_known
from keras_interp.metrics.located_peaks import LocatedPeaks, to_numpy

RANDOM_FILTERS = 32


@dataclasses.dataclass(frozen=True)
class InstabilityBaselines:
    """Location instability of constant and of random filters on given landmarks.

    Args:
        constant: of a filter that always fires at the one place that scores best.
        center: of a filter that always fires in the middle of the picture.
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
    """Location instability that filters reach without looking at the picture.

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
        image_size: side of the pictures, or `(height, width)`, in pixels.
        top: pictures per random filter and landmark, `None` for all.
        ddof: 1 for the unbiased variance, 0 for the plain one.
        cells: float `(M, 2)` or `(H, W, 2)`, places to fire at, in pixels; the centres
            of a regular 16x16 grid over the picture by default.
        seed: of the random filters.

    Returns:
        `InstabilityBaselines`, with NaN where no landmark is seen twice.

    Raises:
        ValueError: if a shape does not fit.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2, applied to constants.
    """
    pictures = len(to_numpy(landmarks))
    nobody = np.empty((pictures, 0, 2))
    peaks = LocatedPeaks.check(nobody, nobody[..., 0], landmarks, image_size)
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
        groups: peaks and landmarks of each category's pictures.
        weights: number of filters judged on each category; `None` lets each baseline
            take its best category, as the rule "min" lets each filter.
        constants: float `(M, 2)`, places of the constant filters, the middle first.
        cells: float `(M', 2)`, places of the random filters.
        top: pictures per random filter and landmark.
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
    """Filters that fire at a random cell with a random score in every picture."""
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
