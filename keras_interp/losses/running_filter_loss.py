"""The paper's filter loss with running normalisers."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_interp.losses.filter_loss import (
    FilterLoss,
    FilterLossInputs,
    batch_size_of,
    with_gradient,
)
from keras_interp.losses.template_scores import divergence_summands, log_ratio_to_mean


class RunningFilterLoss(FilterLoss):
    """Eq. (1) with `Z_T` of the maps seen so far (footnote 2), taken as a constant.

    With `r = exp(tr(x . T)) / mean_x exp(tr(x . T))` the loss of a picture is
    `-sum_T p(T) r log(r / sum_T' p(T') r)`. The gradient is the first line of eq. (4),
    with the sign that makes it a descent direction. With `scale="peak"` the ratios are
    held at e at most, beyond which the exponential would swamp the task.
    """

    name = "running"
    keeps_normaliser = True
    temperature = 0.3
    default_weight = 0.03
    default_weight_many = 0.03
    largest_log_ratio = 1.0

    def __call__(self, inputs: FilterLossInputs) -> Any:
        scores = ops.stop_gradient(inputs.scores) * inputs.score_scale
        log_ratio = scores - ops.stop_gradient(inputs.log_mean_likelihood)[None]
        held = ops.zeros_like(log_ratio)
        if not inputs.literal:
            held = ops.cast(log_ratio > self.largest_log_ratio, log_ratio.dtype)
            log_ratio = ops.minimum(log_ratio, self.largest_log_ratio)
        relative = log_ratio_to_mean(log_ratio, axis=1)
        ratio = ops.exp(log_ratio)
        templates = ops.cast(ops.shape(scores)[1], scores.dtype)
        share = 1.0 / (templates * batch_size_of(scores))
        value = -share * ops.sum(divergence_summands(log_ratio, relative), axis=(0, 1))
        gradient = -share * ratio * relative * (1.0 - held) * inputs.score_scale
        return with_gradient(value, gradient, inputs.scores)
