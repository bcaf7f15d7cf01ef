"""The default filter loss: the position posterior of the part templates."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_interp.losses.filter_loss import (
    FilterLoss,
    FilterLossInputs,
    batch_size_of,
    with_gradient,
)


class PosteriorFilterLoss(FilterLoss):
    """Minus the log posterior of the peak's template; silence on other pictures.

    On a picture of the filter's category the loss is
    `-log softmax_mu(tr(x . T_mu))` at the peak of the map's distinctive part, which is
    low when the map is one compact blob there; on other pictures it is the mean
    activation. It needs no normaliser over the data set, is bounded below and, with
    `scale="peak"`, does not change when all activations grow, so that it cannot be
    lowered by growth.

    This loss is the library's own; the paper's is `exact`. It keeps the two aims of the
    paper, low inter-category entropy and low spatial entropy (section 4), and replaces
    the expectation over templates by the template that the map chose itself, as the
    paper's approximation does (second line of eq. 4).

    The distinctive part is what a map has beyond the mean of the batch's other maps. A
    map's plain peak would let a filter stay where it fires on every picture, such as
    the corner of a zero-padded map: as compact as any part, and never looking at the
    object.
    """

    name = "posterior"
    temperature = 1.0
    looks_for_distinctive_peaks = True
    default_weight = 0.1
    default_weight_many = 0.15

    def __call__(self, inputs: FilterLossInputs) -> Any:
        scores = ops.stop_gradient(inputs.scores) * inputs.score_scale
        highest = ops.max(scores, axis=1)
        likelihoods = ops.exp(scores - highest[:, None])
        # The negative template fits no map better than any other template does, so
        # that taking it out of the sum again is exact enough.
        total = ops.sum(likelihoods, axis=1) - likelihoods[:, -1]
        feature_maps = ops.stop_gradient(inputs.feature_maps)
        fit = ops.sum(feature_maps * inputs.peak_templates, axis=(1, 2))
        surprise = ops.log(total) + highest - fit * inputs.score_scale
        silence = ops.mean(feature_maps, axis=(1, 2))
        # An all-zero map has no peak to be certain of.
        alive = ops.cast(ops.max(feature_maps, axis=(1, 2)) > 0, total.dtype)
        weights = inputs.weights / batch_size_of(total)
        on_targets = weights * inputs.targets * alive
        on_others = weights * (1.0 - inputs.targets)
        value = ops.sum(on_targets * surprise + on_others * silence, axis=0)
        strength = on_targets * inputs.score_scale
        posterior = likelihoods * (strength / total)[:, None]
        gradient = _gradient(inputs, posterior, strength, on_others)
        return with_gradient(value, gradient, inputs.feature_maps)


def _gradient(
    inputs: FilterLossInputs, posterior: Any, strength: Any, on_others: Any
) -> Any:
    """On targets the posterior's mean template minus the one at the peak.

    In closed form it leaves one array of the maps' size to the backward pass, where
    automatic differentiation would keep five.
    """
    _, height, width, _ = ops.shape(inputs.feature_maps)
    expected = ops.matmul(ops.transpose(inputs.templates), posterior)
    # The negative template, -1 everywhere, is no position: out with it again.
    elsewhere = posterior[:, -1] + on_others / ops.cast(height * width, strength.dtype)
    expected = ops.reshape(
        expected + elsewhere[:, None], ops.shape(inputs.feature_maps)
    )
    return expected - strength[:, None, None] * inputs.peak_templates
