"""The filter loss of the authors' released code."""

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

_TEMPERATURE = 0.5
# Factors of the released code, used by the literal form alone.
MAGNITUDE = 0.1
GRADIENT_FACTOR = 1e-5


def raw_strengths(feature_maps: Any, templates: Any, targets: Any) -> Any:
    """How strongly each map is pushed, before the normalisation over the batch.

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`.
        templates: Tensor of the same shape, the template at each map's peak.
        targets: Tensor `(batch, filters)`, 1 where the picture shows the category.

    Returns:
        Tensor `(batch, filters)`.
    """
    fit = ops.mean(feature_maps * templates, axis=(1, 2))
    # Templates reversed in batch and filters give every map a stranger's template: a
    # stand-in for the sum over all templates and maps.
    strange = ops.flip(ops.flip(templates, axis=0), axis=-1)
    strange_fit = ops.mean(feature_maps * strange, axis=(1, 2))
    absence = -ops.mean(feature_maps, axis=(1, 2))
    log_positive = _log_mean_exp(strange_fit)
    log_negative = _log_mean_exp(absence)
    positive = ops.exp(fit / _TEMPERATURE) * (fit - log_positive + _TEMPERATURE)
    negative = ops.exp(absence / _TEMPERATURE) * (absence - log_negative + _TEMPERATURE)
    return ops.where(targets > 0, positive, negative)


def normalised_strengths(strengths: Any, targets: Any, literal: bool) -> Any:
    """Strengths divided by their mean over the targets, or over the other pictures.

    The literal form divides by the plain mean, which turns the sign when that mean is
    negative; the other divides by the mean of absolute values.
    """
    strengths = _finite(strengths)
    size = strengths if literal else ops.abs(strengths)

    def mean_over(group: Any) -> Any:
        count = ops.maximum(ops.sum(group, axis=0, keepdims=True), 1.0)
        mean = ops.sum(size * group, axis=0, keepdims=True) / count
        return ops.where(ops.abs(mean) < 1e-12, 1e-12, mean)

    others = 1.0 - targets
    return strengths * (targets / mean_over(targets) + others / mean_over(others))


def _log_mean_exp(values: Any) -> Any:
    scaled = values / _TEMPERATURE
    highest = ops.max(scaled, axis=0, keepdims=True)
    mean = ops.mean(ops.exp(scaled - highest), axis=0, keepdims=True)
    return _TEMPERATURE * (ops.log(mean) + highest)


def _finite(values: Any) -> Any:
    # As in the released code: overflow becomes the largest finite value, NaN zero.
    finite = ops.isfinite(values)
    largest = ops.max(ops.where(finite, values, 0.0))
    return ops.where(finite, values, ops.where(ops.isnan(values), 0.0, largest))


class AuthorsFilterLoss(FilterLoss):
    """The gradient that the authors' released code adds, strengths normalised.

    Maps of target pictures are raised by their template, maps of other pictures are
    lowered everywhere, each in proportion to a strength that is normalised over the
    batch. The value is eq. (1) on the batch. With `scale="paper"` the normalisation and
    the factors 1e-5 and 0.1 are the released code's.
    """

    name = "authors"
    needs_labels = True
    temperature = 0.3
    default_weight = 0.03
    default_weight_many = 0.03
    follows_activation = False

    def __call__(self, inputs: FilterLossInputs) -> Any:
        targets = inputs.targets
        strengths = ops.stop_gradient(
            raw_strengths(inputs.feature_maps, inputs.peak_templates, targets)
        )
        strengths = normalised_strengths(strengths, targets, inputs.literal)
        strengths = strengths * inputs.weights / batch_size_of(strengths)
        if inputs.literal:
            strengths = strengths * (MAGNITUDE * GRADIENT_FACTOR)
        spatial_targets = targets[:, None, None, :]
        direction = (1.0 - spatial_targets) - spatial_targets * inputs.peak_templates
        gradient = direction * strengths[:, None, None, :]
        value = -mutual_information_of_scores(inputs.scores * inputs.score_scale)
        return with_gradient(value, gradient, inputs.feature_maps)
