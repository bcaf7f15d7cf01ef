"""What the filter-loss modes have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from keras import ops


@dataclass(frozen=True)
class FilterLossInputs:
    """One batch as a filter loss sees it. All tensors are float32.

    Attributes:
        feature_maps: `(batch, height, width, filters)`, activations after the ReLU and
            before the mask; with `scale="peak"` divided by each filter's mean peak.
        peak_templates: `(batch, height, width, filters)`, the positive template at
            each map's peak, -1 to 1, a constant.
        peak_cells: `(batch, filters)`, row-major index of the peak, int32.
        templates: `(height * width + 1, height * width)`, the negative one last.
        scores: `(batch, height * width + 1, filters)`, inner products with all
            templates, not yet multiplied with `score_scale`.
        score_scale: What turns `scores` into `tr(x . T)`: the paper's tau, or the
            temperature of the mode with `scale="peak"`.
        targets: `(batch, filters)`, 1 where the picture shows the filter's category.
        weights: `(batch, filters)`, weight of the picture for the filter: pictures of
            the category and others count alike in sum.
        mean_peak: `(filters,)`, running mean peak of each filter on its targets.
        log_mean_likelihood: `(height * width + 1, filters)`, running
            `log mean_x exp tr(x . T)`, or None where the mode keeps none.
        literal: True with `scale="paper"`.
    """

    feature_maps: Any
    peak_templates: Any
    peak_cells: Any
    templates: Any
    scores: Any
    score_scale: Any
    targets: Any
    weights: Any
    mean_peak: Any = None
    log_mean_likelihood: Any = None
    literal: bool = False


class FilterLoss(ABC):
    """Base of the filter-loss modes: maps a batch to a loss for each filter.

    Attributes:
        name: The value of `filter_loss=` that chooses the mode.
        needs_labels: Whether the mode cannot tell targets from other pictures itself.
        keeps_normaliser: Whether the layer keeps a running `log Z_T` for the mode.
        temperature: Factor on the scores with `scale="peak"`.
        default_weight: `filter_loss_weight` when none is given, one category.
        default_weight_many: The same for more than one category.
        default_weight_paper: The same with `scale="paper"`.
        follows_activation: Whether the literal weight grows with the mean peak of
            the maps.
        looks_for_distinctive_peaks: Whether the template of a map is the one at the
            peak of its distinctive part, not at the map's own peak.
    """

    name: str
    needs_labels = False
    keeps_normaliser = False
    temperature = 1.0
    default_weight = 0.1
    default_weight_many = 0.1
    default_weight_paper = 1.0
    follows_activation = True
    looks_for_distinctive_peaks = False

    @abstractmethod
    def __call__(self, inputs: FilterLossInputs) -> Any:
        """Loss `(filters,)`, a mean over the batch, with the mode's gradient."""


def with_gradient(value: Any, gradient: Any, variable: Any) -> Any:
    """A loss of a given value whose gradient with respect to `variable` is `gradient`.

    Args:
        value: Tensor `(filters,)`; nothing flows back through it.
        gradient: Tensor of the shape of `variable`.
        variable: Tensor whose last axis is the filters'.

    Returns:
        Tensor `(filters,)`.
    """
    axes = tuple(range(len(variable.shape) - 1))
    carrier = ops.sum(ops.stop_gradient(gradient) * variable, axis=axes)
    # In this order the carrier leaves no rounding error in the value.
    return ops.stop_gradient(value) + (carrier - ops.stop_gradient(carrier))


def batch_size_of(tensor: Any) -> Any:
    """Number of pictures, at least 1, in the dtype of the tensor."""
    return ops.maximum(ops.cast(ops.shape(tensor)[0], tensor.dtype), 1.0)
