"""Split of the pictures into those that choose a part and those that are scored."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy


def split_pictures(choose_on: Any, pictures: int) -> tuple[np.ndarray, np.ndarray]:
    """Boolean masks of the pictures that choose and of those that are scored.

    Args:
        choose_on: `None` (all pictures do both), or boolean `(N,)`.
        pictures: N.

    Returns:
        Two boolean arrays `(N,)`.
    """
    if choose_on is None:
        everything = np.ones(pictures, dtype=bool)
        return everything, everything
    chosen = to_numpy(choose_on)
    if chosen.shape != (pictures,) or chosen.dtype != bool:
        raise ValueError(
            f"choose_on must be a boolean array of shape ({pictures},), True for the "
            f"pictures that choose the part; got {chosen.dtype} of shape "
            f"{chosen.shape}. For training pictures pass `dataset.split == 'train'`."
        )
    if pictures and (chosen.all() or not chosen.any()):
        raise ValueError(
            "choose_on must leave pictures on both sides, some that choose and some "
            f"that are scored; got {int(chosen.sum())} of {pictures} True. Pass None "
            "to let all pictures do both (optimistic)."
        )
    return chosen, ~chosen


def best_part(choosing: np.ndarray) -> np.ndarray:
    """Part with the greatest figure for each filter, -1 where all are NaN."""
    if choosing.shape[1] == 0:
        return np.full(len(choosing), -1)
    known = ~np.isnan(choosing)
    part = np.argmax(np.where(known, choosing, -np.inf), axis=1)
    return np.where(known.any(axis=1), part, -1)


def pick(table: np.ndarray, part: np.ndarray) -> np.ndarray:
    """`table[f, part[f]]` for every filter, NaN where the part is -1."""
    if table.shape[1] == 0:
        return np.full(len(table), np.nan)
    picked = np.take_along_axis(table, np.maximum(part, 0)[:, None], axis=1)[:, 0]
    return np.where(part >= 0, picked, np.nan)
