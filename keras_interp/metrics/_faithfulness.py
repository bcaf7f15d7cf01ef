"""How well an explanation predicts what a network predicts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._scores import mean_of_known


@dataclasses.dataclass(frozen=True)
class Faithfulness:
    """Result of `faithfulness`; `float()` gives its value.

    Args:
        value: mean of `per_output`, in the unit of the target.
        relative: mean of `relative_per_output`.
        per_output: float64 `(C,)`, mean distance to each target.
        relative_per_output: float64 `(C,)`, the same as a share of the range of that
            target over the images; NaN where the target never changes.
        count: number of images.
    """

    value: float
    relative: float
    per_output: np.ndarray
    relative_per_output: np.ndarray
    count: int

    def __float__(self) -> float:
        return self.value


def faithfulness(predicted: Any, target: Any) -> Faithfulness:
    """Measures the mean distance between what is explained and its explanation.

    Example:

    >>> import keras_interp as ki
    >>> found = ki.metrics.faithfulness([[2.0], [5.0]], [3.0, 5.0])
    >>> found.value, found.relative
    (0.5, 0.25)

    Args:
        predicted: float `(N,)`, `(N, 1)` or `(N, C)`, the scores as the explanation
            computes them.
        target: float, the same number of scores of the network itself. `(N,)` and
            `(N, 1)` are the same.

    Returns:
        `Faithfulness` with `.value`, `.relative`, `.per_output`,
        `.relative_per_output` and `.count`; NaN without images.

    Raises:
        ValueError: if the two have different shapes or hold NaN.

    Reference:
        Qi and Li, Learning Explainable Embeddings for Deep Networks, 2017, section 3,
        "Faithfulness", F_reg.
    """
    one, other = _columns("predicted", predicted), _columns("target", target)
    if one.shape != other.shape:
        # [N, 1] - [N] would silently be all pairs.
        raise ValueError(
            "Expected predicted and target of the same images and classes. Received: "
            f"predicted of shape {one.shape} and target of shape {other.shape}. Pass "
            "one column for each class."
        )
    if not len(one):
        nothing = np.full(one.shape[1], np.nan)
        return Faithfulness(float("nan"), float("nan"), nothing, nothing, 0)
    distance = np.abs(one - other).mean(axis=0)
    spread = other.max(axis=0) - other.min(axis=0)
    relative = np.where(spread > 0, distance / np.where(spread > 0, spread, 1), np.nan)
    return Faithfulness(
        mean_of_known(distance), mean_of_known(relative), distance, relative, len(one)
    )


def _columns(name: str, scores: Any) -> np.ndarray:
    """Scores as float64 `(N, C)`."""
    checked = to_numpy(scores).astype("float64")
    if checked.ndim == 1:
        checked = checked[:, None]
    if checked.ndim != 2:
        raise ValueError(
            f"Expected {name} of shape (images,) or (images, classes). Received: "
            f"{name} of shape {checked.shape}. Pass one score for each image and class."
        )
    if not np.isfinite(checked).all():
        raise ValueError(
            f"Expected finite scores as {name}. Received: "
            f"{int((~np.isfinite(checked)).sum())} that are not. Check that training "
            "did not diverge."
        )
    return checked
