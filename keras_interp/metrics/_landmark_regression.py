"""Error of landmarks that a linear map predicts from the places of the peaks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._part_assignment import grid_shape
from keras_interp.metrics._peaks import LocatedPeaks, height_width, to_numpy
from keras_interp.metrics._scores import split_images

_OWN_STREAM = 2020


@dataclasses.dataclass(frozen=True)
class LandmarkRegression:
    """How far landmarks lie from where the peaks of all filters place them.

    Args:
        error: mean distance as a share of the object's box, x 100; smaller is better.
        per_landmark: float `(K,)`, the same of each landmark; NaN where it could not be
            fitted or scored.
        count: int `(K,)`, scored images of each landmark.
        filters: F. Published figures are for a few parts, such as 4, 8 or 16.
        baseline_constant: the error with F places of a fixed grid in place of peaks.
        baseline_random: the error with random places in place of peaks.
    """

    error: float
    per_landmark: np.ndarray
    count: np.ndarray
    filters: int
    baseline_constant: float
    baseline_random: float


def landmark_regression(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    fit_on: Any,
    *,
    boxes: Any = None,
    seed: int = 0,
) -> LandmarkRegression:
    """Predicts each landmark from the peaks of all filters by linear regression.

    Peaks and landmarks are put into the object's box (0 to 1 along both sides) and
    standardised on the images of `fit_on`; a filter that does not fire counts as at its
    mean. For each landmark a linear map without intercept from all F peaks is fitted on
    those of these images that show it, and scored on the others: the mean distance over
    all landmarks of all images, x 100.

    The figure says what the filters know together of where the landmarks are, not that
    a filter is for one of them, and a fixed grid is not far behind where objects fill
    their box. With 2 F numbers for each image it needs many more images than that.

    Published figures take the centroid of a part's attention map, and a part whose map
    stays below 0.5 as absent; a filter of this library has one peak and is absent where
    it does not fire.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 3, 2))
    >>> first = np.arange(100) < 50
    >>> found = ki.metrics.landmark_regression(
    ...     landmarks, np.ones((100, 3)), landmarks, 64, fit_on=first
    ... )
    >>> found.error < 0.01 < 30 < found.baseline_constant
    True

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        fit_on: boolean `(N,)`, the images that the regression is fitted on; the others
            are scored.
        boxes: float `(N, 4)`, the object's (x0, y0, x1, y1) in pixels; images with NaN
            are left out. Default: the whole image.
        seed: of the random baseline.

    Returns:
        `LandmarkRegression` with `.error`, `.per_landmark`, `.count`, `.filters` and
        the baselines; NaN where nothing could be fitted or scored.

    Raises:
        ValueError: if a shape or type does not fit, or `fit_on` leaves no image on one
            of the sides.

    Reference:
        Huang and Li, Interpretable and Accurate Fine-grained Recognition via Region
        Grouping, CVPR 2020; Choudhury et al., NeurIPS 2021; van der Klis et al.,
        PDiscoNet, ICCV 2023; Aniraj et al., PDiscoFormer, ECCV 2024.
    """
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    if fit_on is None:
        raise ValueError(
            "Expected fit_on as booleans, the images that the regression is fitted on. "
            'Received: fit_on=None. Pass dataset.split == "train".'
        )
    fitted, scored = split_images(fit_on, len(peaks.positions))
    corner, extent = _boxes(boxes, len(peaks.positions), image_size)
    parts = (peaks.landmarks - corner) / extent
    filters = peaks.positions.shape[1]
    peaked = np.where(peaks.firing[..., None], peaks.positions, np.nan)
    # Not the very draws of landmarks that somebody made with the same seed.
    rng = np.random.default_rng([seed, _OWN_STREAM])
    size = np.array(height_width(image_size))[::-1]
    rows, columns = grid_shape(filters)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
    fixed = np.broadcast_to(
        (grid + 0.5) / (columns, rows) * size, (len(peaked), len(grid), 2)
    )
    errors = [
        _errors((places - corner) / extent, parts, fitted, scored)
        for places in (peaked, fixed, rng.uniform(0, 1, peaked.shape) * size)
    ]
    count = errors[0][1]
    return LandmarkRegression(
        error=_overall(*errors[0]),
        per_landmark=errors[0][0],
        count=count,
        filters=filters,
        baseline_constant=_overall(*errors[1]),
        baseline_random=_overall(*errors[2]),
    )


def _boxes(
    boxes: Any, count: int, image_size: int | tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Upper left corner and extent of each image's box, `(N, 1, 2)`; NaN for none."""
    if boxes is None:
        height, width = height_width(image_size)
        given = np.tile([0.0, 0.0, width, height], (count, 1))
    else:
        given = to_numpy(boxes).astype("float64")
    if given.shape != (count, 4):
        raise ValueError(
            f"Expected boxes of shape ({count}, 4) with (x0, y0, x1, y1) in pixels. "
            f"Received: boxes of shape {given.shape}. Pass dataset.boxes."
        )
    extent = given[:, 2:] - given[:, :2]
    if np.any(extent <= 0):
        raise ValueError(
            "Expected boxes whose right and lower sides come second, (x0, y0, x1, y1). "
            f"Received: {int((extent <= 0).any(axis=1).sum())} boxes without extent. "
            "Set those of images without an object to NaN."
        )
    return given[:, None, :2], extent[:, None]


def _errors(
    places: np.ndarray, parts: np.ndarray, fitted: np.ndarray, scored: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance `(K,)` of each landmark x 100, and images behind it."""
    features = places.reshape(len(places), 2 * places.shape[1])
    known = np.isfinite(parts).all(axis=-1)
    error, count = np.full(parts.shape[1], np.nan), np.zeros(parts.shape[1], int)
    for landmark in range(parts.shape[1]):
        fit, score = known[:, landmark] & fitted, known[:, landmark] & scored
        if fit.sum() < 2 or not score.any() or not features.shape[1]:
            continue
        target = parts[:, landmark]
        guess = _predicted(features[fit], target[fit], features[score])
        error[landmark] = 100 * np.linalg.norm(guess - target[score], axis=1).mean()
        count[landmark] = score.sum()
    return error, count


def _predicted(
    features: np.ndarray, targets: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Targets of other images by a linear map of standardised features."""
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler

    never = ~np.isfinite(features).any(axis=0)
    features, others = (np.where(never, 0.0, one) for one in (features, others))
    inputs, outputs = StandardScaler().fit(features), StandardScaler().fit(targets)
    # Where a filter does not fire it is at its mean, 0 after standardising.
    fit, score = (np.nan_to_num(inputs.transform(one)) for one in (features, others))
    regression = LinearRegression(fit_intercept=False)
    regression.fit(fit, outputs.transform(targets))
    return outputs.inverse_transform(regression.predict(score).reshape(-1, 2))


def _overall(error: np.ndarray, count: np.ndarray) -> float:
    """Mean over all landmarks of all images."""
    if not count.sum():
        return float("nan")
    return float(np.nansum(error * count) / count.sum())
