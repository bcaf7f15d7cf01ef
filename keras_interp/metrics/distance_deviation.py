"""Standard deviation of the distance between a filter's best peaks and a landmark."""

from __future__ import annotations

import numpy as np

from keras_interp.metrics.located_peaks import LocatedPeaks


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
    """Deviation of each filter's distance to each landmark over its best pictures.

    For each pair the pictures that show the landmark and where the filter fires are
    sorted by falling score; the first `top` count. Equal scores stay in the order of
    the pictures.

    Args:
        peaks: of N pictures, F filters and K landmarks.
        top: number of pictures, `None` for all.
        ddof: 1 divides by the count less one, 0 by the count.

    Returns:
        float64 `(F, K)` in units of the diagonal, NaN with fewer than 2 pictures.
    """
    pictures, filters = peaks.firing.shape
    landmarks = peaks.landmarks.shape[1]
    top = pictures if top is None else min(top, pictures)
    falling = np.where(peaks.firing, -peaks.scores, np.inf).T
    order = np.argsort(falling, axis=1, kind="stable")
    firing = np.take_along_axis(peaks.firing.T, order, axis=1)
    table = np.full((filters, landmarks), np.nan)
    for landmark in range(landmarks):
        usable = peaks.present[:, landmark][order] & firing
        rank = np.cumsum(usable, axis=1, dtype="int32")
        owner, place = np.nonzero(usable & (rank <= top))
        picture = order[owner, place]
        distances = np.full((filters, top), np.nan)
        distances[owner, rank[owner, place] - 1] = distance(
            peaks.positions[picture, owner], peaks.landmarks[picture, landmark]
        )
        table[:, landmark] = deviation(distances / peaks.diagonal, ddof)
    return table


def constant_deviations(
    peaks: LocatedPeaks, cells: np.ndarray, ddof: int
) -> np.ndarray:
    """The same figure for filters that always fire at one place.

    A constant has no scores to choose pictures by, so all that show the landmark
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
