"""How much the features of an explanation say the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._scores import mean_of_known


@dataclasses.dataclass(frozen=True)
class Orthogonality:
    """Result of `orthogonality`: 0 where all differ, 1 where all are one.

    Args:
        map_cosine: mean of |cosine| between different maps of the same image.
        contribution_correlation: mean of |correlation| between contributions of
            different features over the images; NaN where none were given.
        map_cosines: float64 `(n, n)`, mean cosine of each pair of maps; NaN where no
            image has both.
        contribution_correlations: float64 `(n, n)`; NaN for a feature that never
            changes.
    """

    map_cosine: float
    contribution_correlation: float
    map_cosines: np.ndarray
    contribution_correlations: np.ndarray


def orthogonality(maps: Any, contributions: Any = None) -> Orthogonality:
    """Measures how much the features of an explanation say the same.

    A map that is zero everywhere, and a feature that contributes the same to every
    image, have no direction: their pairs are left out.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.zeros((1, 2, 3, 3))
    >>> maps[0, 0, 0, 0] = maps[0, 1, 2, 2] = 1.0
    >>> ki.metrics.orthogonality(maps, [[1.0, 2.0]]).map_cosine
    0.0

    Args:
        maps: float `(N, n, height, width)`, the maps of n features.
        contributions: float `(N, n)`, what each feature adds to the score,
            `v_n E_n`. `None` leaves their correlation out.

    Returns:
        `Orthogonality` with `.map_cosine`, `.contribution_correlation` and the tables
        of pairs.

    Raises:
        ValueError: if the shapes do not fit or a value is not finite.

    Reference:
        Measures of this library; the pull-away term of Qi and Li, arXiv 1709.05360,
        lowers the cosines of contributions.
    """
    maps = to_numpy(maps).astype("float64")
    if maps.ndim != 4 or not np.isfinite(maps).all():
        raise ValueError(
            "Expected finite maps of shape (images, features, height, width). "
            f"Received: maps of shape {maps.shape}. Pass the .maps of an explanation."
        )
    images, count = maps.shape[:2]
    flat = maps.reshape(images, count, -1)
    length = np.linalg.norm(flat, axis=-1, keepdims=True)
    flat = flat / np.where(length > 0, length, 1.0)
    cosines = flat @ flat.transpose(0, 2, 1)
    lit = length[..., 0] > 0
    both = lit[:, :, None] & lit[:, None] & ~np.eye(count, dtype=bool)
    number = both.sum(axis=0)
    mean = np.where(both, cosines, 0.0).sum(axis=0) / np.maximum(number, 1)
    correlations = np.full((count, count), np.nan)
    if contributions is not None:
        correlations = _correlations(_contributions(contributions, (images, count)))
    apart = ~np.eye(count, dtype=bool)
    return Orthogonality(
        mean_of_known(np.abs(cosines[both])),
        mean_of_known(np.abs(correlations[apart])),
        np.where(number > 0, mean, np.nan),
        correlations,
    )


def _contributions(contributions: Any, shape: tuple[int, int]) -> np.ndarray:
    checked = to_numpy(contributions).astype("float64")
    if checked.shape != shape or not np.isfinite(checked).all():
        raise ValueError(
            f"Expected finite contributions of shape {shape}, one for each image and "
            f"map. Received: contributions of shape {checked.shape}. Pass those of the "
            "same images."
        )
    return checked


def _correlations(values: np.ndarray) -> np.ndarray:
    """Correlations of columns, NaN for one that never changes."""
    if not len(values):
        return np.full((values.shape[1],) * 2, np.nan)
    centred = values - values.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    changes = length > 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0))
    unit = centred / np.where(changes, length, 1.0)
    return np.where(changes[:, None] & changes, unit.T @ unit, np.nan)
