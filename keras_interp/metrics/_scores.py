"""Results that give each filter a figure, and the images that choose its part."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy


def mean_of_known(values: np.ndarray) -> float:
    """Mean over the entries that are not NaN, NaN when there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


@dataclasses.dataclass(frozen=True)
class FilterScores:
    """One figure per filter and their mean.

    Args:
        value: mean over the filters whose figure is known, NaN when none is.
        per_filter: float `(F,)`, NaN where a filter could not be judged.
    """

    value: float
    per_filter: np.ndarray

    @classmethod
    def of(cls, per_filter: np.ndarray) -> FilterScores:
        """Result whose value is the mean of the known figures."""
        return cls(mean_of_known(per_filter), per_filter)


def split_images(choose_on: Any, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Boolean masks of the images that choose and of those that are scored.

    Args:
        choose_on: `None` (all images do both), or boolean `(N,)`.
        images: N.

    Returns:
        Two boolean arrays `(N,)`.
    """
    if choose_on is None:
        everything = np.ones(images, dtype=bool)
        return everything, everything
    chosen = to_numpy(choose_on)
    if chosen.shape != (images,) or chosen.dtype != bool:
        raise ValueError(
            f"Expected choose_on as booleans of shape ({images},), True for the "
            f"images that choose the part. Received: choose_on of {chosen.dtype}, "
            f"shape {chosen.shape}. For training images pass dataset.split == "
            '"train".'
        )
    if images and (chosen.all() or not chosen.any()):
        raise ValueError(
            "Expected choose_on to leave images on both sides, some that choose and "
            f"some that are scored. Received: {int(chosen.sum())} of {images} True. "
            "Pass None to let all images do both (optimistic)."
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


@dataclasses.dataclass(frozen=True)
class PartScores(FilterScores):
    """One figure per filter for the part that the filter was given.

    Args:
        value: mean of `per_filter` over the filters that could be judged.
        per_filter: float `(F,)`, the figure of the chosen part on the scored images.
        part: int `(F,)`, the chosen part; -1 where no part could be chosen.
        per_part: float `(F, K)`, the figure of every part on the scored images.
        count: int `(F,)`, the number of images behind `per_filter`.
    """

    part: np.ndarray
    per_part: np.ndarray
    count: np.ndarray

    @classmethod
    def chosen(
        cls, choosing: np.ndarray, scored: np.ndarray, count: np.ndarray
    ) -> PartScores:
        """Takes each filter's best part of `choosing` and its figure of `scored`.

        Args:
            choosing: float `(F, K)`, figures on the images that choose.
            scored: float `(F, K)`, figures on the images that are scored.
            count: float `(F, K)`, images behind `scored`.
        """
        part = best_part(choosing)
        per_filter = pick(scored, part)
        counts = np.nan_to_num(pick(count, part)).astype(int)
        return cls(mean_of_known(per_filter), per_filter, part, scored, counts)
