"""The paper's approximate gradient."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_interp.losses.filter_loss import (
    FilterLoss,
    FilterLossInputs,
    batch_size_of,
    with_gradient,
)
from keras_interp.losses.filter_mutual_information import mutual_information_of_scores


class ApproximateFilterLoss(FilterLoss):
    """Second line of eq. (4): one template a map, chosen by the label.

    A picture of the filter's category is compared with the template at its peak, any
    other with the negative template. The gradient is `-p(T) t r log r` with
    `r = exp(tr(x . T)) / mean_x exp(tr(x . T))`; the paper prints it without the minus
    sign. The value is eq. (1) on the batch. With `scale="peak"` the constant p(T) is
    left to the weight, and r is held at e at most.
    """

    name = "approx"
    needs_labels = True
    keeps_normaliser = True
    temperature = 0.3
    default_weight = 0.003
    default_weight_many = 0.01
    largest_log_ratio = 1.0

    def __call__(self, inputs: FilterLossInputs) -> Any:
        targets = inputs.targets[:, None, None, :]
        template = targets * inputs.peak_templates - (1.0 - targets)
        score = ops.sum(inputs.feature_maps * template, axis=(1, 2))
        at_peak = ops.take_along_axis(
            inputs.log_mean_likelihood, inputs.peak_cells, axis=0
        )
        log_mean = ops.where(
            inputs.targets > 0, at_peak, inputs.log_mean_likelihood[-1:]
        )
        log_ratio = score * inputs.score_scale - log_mean
        if not inputs.literal:
            log_ratio = ops.minimum(log_ratio, self.largest_log_ratio)
        strength = inputs.weights * ops.exp(log_ratio) * log_ratio
        if inputs.literal:
            templates = ops.cast(ops.shape(inputs.scores)[1], score.dtype)
            strength = strength / templates
        strength = strength * inputs.score_scale / batch_size_of(score)
        gradient = -template * strength[:, None, None, :]
        value = -mutual_information_of_scores(inputs.scores * inputs.score_scale)
        return with_gradient(value, gradient, inputs.feature_maps)
