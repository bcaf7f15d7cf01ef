"""Location instability of filters (Zhang, Wu and Zhu, CVPR 2018)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics.candidate_cells import candidate_cells, check_cells
from keras_interp.metrics.distance_deviation import distance_deviations
from keras_interp.metrics.filter_category import (
    filter_categories,
    landmark_categories,
    mean_without_nan,
)
from keras_interp.metrics.filter_scores import FilterScores, mean_of_known
from keras_interp.metrics.instability_baselines import baselines_by_category
from keras_interp.metrics.located_peaks import LocatedPeaks, check_integers


@dataclasses.dataclass(frozen=True)
class LocationInstabilityScores(FilterScores):
    """Location instability with the baselines it must be read beside.

    Args:
        value: mean over the filters that could be judged.
        per_filter: float `(F,)`, mean over landmarks.
        per_landmark: float `(F, K)`, D of each filter and landmark (on the filter's
            category where there are several), NaN with fewer than 2 pictures.
        category: int `(F,)`, category on which each filter was judged; `None` without
            labels.
        baseline_constant: the same figure for a filter that always fires at one place,
            the best one.
        baseline_center: for a filter that always fires in the middle of the picture.
        baseline_random: mean of 32 filters that fire at a random place.
    """

    per_landmark: np.ndarray
    category: np.ndarray | None
    baseline_constant: float
    baseline_center: float
    baseline_random: float


def location_instability(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    top: int | None = 100,
    ddof: int = 1,
    *,
    labels: Any = None,
    assign: Any = "min",
    activation_sums: Any = None,
    cells: Any = None,
    seed: int = 0,
) -> LocationInstabilityScores:
    """Measures how much the distance from a filter's peak to the landmarks varies.

    For filter f and landmark k, `D = std(||p_k - mu_f||) / diagonal` over the `top`
    pictures with the highest peak among those that show the landmark; the figure of a
    filter is the mean over landmarks, the value the mean over filters. Pairs with fewer
    than 2 pictures are left out, and so are filters without any pair. Of pictures with
    equal scores those that come first count.

    The lower the better, but never read it alone: **a filter that always fires in the
    middle of the picture scores as well as a perfect part detector**. The result
    carries that baseline. `keras_interp.metrics.tracking` and `hit_gain` tell the two
    apart.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> positions = [[[87.5, 103.5]], [[135.5, 71.5]], [[39.5, 151.5]]]
    >>> landmarks = [[[100.0, 100.0]], [[60.0, 120.0]], [[50.0, 150.0]]]
    >>> found = ki.metrics.location_instability(
    ...     positions, np.ones((3, 1)), landmarks, image_size=224
    ... )
    >>> round(found.value, 6)
    0.142102

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the pictures, or `(height, width)`, in pixels.
        top: pictures per filter and landmark, `None` for all.
        ddof: 1 for the unbiased variance (the released code), 0 for the plain one.
        labels: int `(N,)`, category of each picture, where there are several with
            landmarks. Categories whose pictures show no landmark are passed over.
        assign: with `labels`, how a filter gets its category. "min": the category with
            the least figure (the paper, for ordinary networks). "argmax_peak": the one
            with the highest mean peak (the released code). "argmax_sum": the one with
            the highest mean of summed maps, from `activation_sums`. Or int `(F,)`,
            such as an interpretable layer's `filter_categories`.
        activation_sums: float `(N, F)`, sum of each map over its cells.
        cells: float `(M, 2)` or `(H, W, 2)`, the places at which the baselines may
            fire, in pixels, such as `receptive_field.centers(height, width)`; by
            default the centres of a regular 16x16 grid over the picture.
        seed: of the random baseline.

    Returns:
        `LocationInstabilityScores`. Of its baselines, `.baseline_constant` is the best
        of `cells`, the middle of the picture and the 256 places where the filters peak
        most often; constants are judged on all pictures that show a landmark, as they
        have no scores to choose by. `.baseline_center` is the middle of the picture.
        `.baseline_random` fires at one of `cells`, each as likely, with random scores,
        under the same `top`. With labels, baselines follow the same rule: for "min"
        each takes its best category; otherwise they are judged, for each filter, on
        that filter's category.

    Raises:
        ValueError: if a shape, type or option does not fit.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2.
    """
    _check_options(top, ddof)
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    category = None
    if labels is not None:
        labels = check_integers(labels, "labels", len(peaks.positions))
        category = filter_categories(assign, peaks, labels, activation_sums)
    if labels is not None and category is None:
        table, category = _least_category(peaks, labels, top, ddof)
    else:
        table = np.full((peaks.firing.shape[1], peaks.present.shape[1]), np.nan)
        for pictures, filters in peaks.groups(labels, category):
            group = peaks.subset(pictures, filters)
            table[filters] = distance_deviations(group, top, ddof)
    per_filter = mean_without_nan(table, axis=1)
    groups, weights = _baseline_groups(peaks, labels, assign, category, per_filter)
    baselines = baselines_by_category(
        groups,
        weights,
        constants=candidate_cells(peaks.positions, peaks.firing, image_size, cells),
        cells=check_cells(cells, image_size),
        top=top,
        ddof=ddof,
        seed=seed,
    )
    return LocationInstabilityScores(
        value=mean_of_known(per_filter),
        per_filter=per_filter,
        per_landmark=table,
        category=category,
        baseline_constant=baselines.constant,
        baseline_center=baselines.center,
        baseline_random=baselines.random,
    )


def _check_options(top: int | None, ddof: int) -> None:
    if top is not None and (not isinstance(top, int | np.integer) or top < 2):
        raise ValueError(
            f"top must be a whole number of at least 2 pictures, or None for all of "
            f"them; got {top!r}."
        )
    if ddof not in (0, 1):
        raise ValueError(
            f"ddof must be 1 (unbiased variance) or 0 (plain); got {ddof!r}."
        )


def _least_category(
    peaks: LocatedPeaks, labels: np.ndarray, top: int | None, ddof: int
) -> tuple[np.ndarray, np.ndarray]:
    """D `(F, K)` on each filter's category with the least mean, and that category."""
    categories = landmark_categories(peaks, labels)
    filters, landmarks = peaks.firing.shape[1], peaks.present.shape[1]
    if not categories.size:
        return np.full((filters, landmarks), np.nan), np.full(filters, -1)
    tables = np.stack(
        [
            distance_deviations(peaks.subset(labels == category), top, ddof)
            for category in categories
        ]
    )
    means = mean_without_nan(tables, axis=2)
    least = np.argmin(np.where(np.isnan(means), np.inf, means), axis=0)
    return tables[least, np.arange(filters)], categories[least]


def _baseline_groups(
    peaks: LocatedPeaks,
    labels: np.ndarray | None,
    assign: Any,
    category: np.ndarray | None,
    per_filter: np.ndarray,
) -> tuple[list[LocatedPeaks], np.ndarray | None]:
    """Pictures on which the baselines are judged, and how many filters each has."""
    if labels is None or category is None:
        return [peaks], None
    if isinstance(assign, str) and assign == "min":
        categories = landmark_categories(peaks, labels)
        return [peaks.subset(labels == one) for one in categories], None
    categories, counts = np.unique(category[~np.isnan(per_filter)], return_counts=True)
    return [peaks.subset(labels == one) for one in categories], counts
