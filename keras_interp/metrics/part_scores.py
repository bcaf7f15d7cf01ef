"""Result of a metric that gives each filter a part and a figure for it."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.metrics.choosing_pictures import best_part, pick
from keras_interp.metrics.filter_scores import FilterScores, mean_of_known


@dataclasses.dataclass(frozen=True)
class PartScores(FilterScores):
    """One figure per filter for the part that the filter was given.

    Args:
        value: mean of `per_filter` over the filters that could be judged.
        per_filter: float `(F,)`, the figure of the chosen part on the scored pictures.
        part: int `(F,)`, the chosen part; -1 where no part could be chosen.
        per_part: float `(F, K)`, the figure of every part on the scored pictures.
        count: int `(F,)`, the number of pictures behind `per_filter`.
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
            choosing: float `(F, K)`, figures on the pictures that choose.
            scored: float `(F, K)`, figures on the pictures that are scored.
            count: float `(F, K)`, pictures behind `scored`.
        """
        part = best_part(choosing)
        per_filter = pick(scored, part)
        counts = np.nan_to_num(pick(count, part)).astype(int)
        return cls(mean_of_known(per_filter), per_filter, part, scored, counts)
