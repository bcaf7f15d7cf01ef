"""Result of a metric that gives each filter one number."""

from __future__ import annotations

import dataclasses

import numpy as np


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
