"""The default filter loss: the position posterior of the part templates."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_interp.losses.filter_loss import FilterLoss, FilterLossInputs, batch_size_of
from keras_interp.losses.template_scores import log_sum_exp


class PosteriorFilterLoss(FilterLoss):
    """Minus the log posterior of the peak's template; silence on other pictures.

    On a picture of the filter's category the loss is
    `-log softmax_mu(tr(x . T_mu))` at the map's own peak, which is low when the map is
    one compact blob; on other pictures it is the mean activation. It needs no
    normaliser over the data set, is bounded below and, with `scale="peak"`, does not
    change when all activations grow, so that it cannot be lowered by growth.

    This loss is the library's own; the paper's is `exact`. It keeps the two aims of the
    paper, low inter-category entropy and low spatial entropy (section 4), and replaces
    the expectation over templates by the template that the map chose itself, as the
    paper's approximation does (second line of eq. 4).
    """

    name = "posterior"
    temperature = 1.0
    default_weight = 0.1
    default_weight_many = 0.3

    def __call__(self, inputs: FilterLossInputs) -> Any:
        positive_scores = inputs.scores[:, :-1] * inputs.score_scale
        log_normaliser = log_sum_exp(positive_scores, axis=1)[:, 0]
        fit = ops.sum(inputs.feature_maps * inputs.peak_templates, axis=(1, 2))
        surprise = log_normaliser - fit * inputs.score_scale
        silence = ops.mean(inputs.feature_maps, axis=(1, 2))
        # An all-zero map has no peak to be certain of.
        peaks = ops.max(inputs.feature_maps, axis=(1, 2))
        alive = ops.cast(peaks > 0, peaks.dtype)
        per_map = inputs.targets * alive * surprise + (1.0 - inputs.targets) * silence
        return ops.sum(inputs.weights * per_map, axis=0) / batch_size_of(per_map)
