"""The filter losses: what a filter is pushed to, one class a mode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_interp.losses._mutual_information import (
    divergence_summands,
    log_ratio_to_mean,
    mutual_information_of_scores,
    with_gradient,
)

# Of the released code: the temperature of its strengths (its alpha), and two factors
# that the literal form alone uses.
AUTHORS_TEMPERATURE = 0.5
AUTHORS_MAGNITUDE = 0.1
AUTHORS_GRADIENT_FACTOR = 1e-5
# The mode in which filters are pulled to different parts. It is no `FilterLoss`, which
# sees the maps after their ReLU alone.
PARTS = "parts"
# Stands for an infinite number where an infinite one would make a NaN.
FLOAT_RANGE = 3e38


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
        targets: `(batch, filters)`, 1 where the image shows the filter's category.
        weights: `(batch, filters)`, weight of the image for the filter: images of
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
        needs_labels: Whether the mode cannot tell targets from other images itself.
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


def batch_size_of(tensor: Any) -> Any:
    """Number of images, at least 1, in the dtype of the tensor."""
    return ops.maximum(ops.cast(ops.shape(tensor)[0], tensor.dtype), 1.0)


class PosteriorFilterLoss(FilterLoss):
    """Minus the log posterior of the peak's template; silence on other images.

    On an image of the filter's category the loss is
    `-log softmax_mu(tr(x . T_mu))` at the peak of the map's distinctive part, which is
    low when the map is one compact blob there; on other images it is the mean
    activation. It needs no normaliser over the data set, is bounded below and, with
    `scale="peak"`, does not change when all activations grow, so that it cannot be
    lowered by growth.

    This loss is the library's own; the paper's is `exact`. It keeps the two aims of the
    paper, low inter-category entropy and low spatial entropy (section 4), and replaces
    the expectation over templates by the template that the map chose itself, as the
    paper's approximation does (second line of eq. 4).

    The distinctive part is what a map has beyond the mean of the batch's other maps. A
    map's plain peak would let a filter stay where it fires on every image, such as
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


class ExactFilterLoss(FilterLoss):
    """Eq. (1) of the paper with the batch for the set of all maps.

    Needs no labels. The gradient goes through the normalisers `Z_T` too, which is more
    stable on small batches than taking them as constant.
    """

    name = "exact"
    temperature = 0.3
    default_weight = 0.3
    default_weight_many = 0.3

    def __call__(self, inputs: FilterLossInputs) -> Any:
        return -mutual_information_of_scores(inputs.scores * inputs.score_scale)


class RunningFilterLoss(FilterLoss):
    """Eq. (1) with `Z_T` of the maps seen so far (footnote 2), taken as a constant.

    With `r = exp(tr(x . T)) / mean_x exp(tr(x . T))` the loss of an image is
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


class ApproximateFilterLoss(FilterLoss):
    """Second line of eq. (4): one template a map, chosen by the label.

    An image of the filter's category is compared with the template at its peak, any
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


def raw_strengths(feature_maps: Any, templates: Any, targets: Any) -> tuple[Any, Any]:
    """How strongly each map is pushed, before the normalisation over the batch.

    The strength is `exp(exponent) * factor`; strong maps would overflow it, or lose it
    among the smallest floats, and so its two parts are handed on.

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`.
        templates: Tensor of the same shape, the template at each map's peak.
        targets: Tensor `(batch, filters)`, 1 where the image shows the category.

    Returns:
        Exponent and factor, tensors `(batch, filters)`.
    """
    fit = ops.mean(feature_maps * templates, axis=(1, 2))
    # Templates reversed in batch and filters give every map a stranger's template: a
    # stand-in for the sum over all templates and maps.
    strange = ops.flip(ops.flip(templates, axis=0), axis=-1)
    strange_fit = ops.mean(feature_maps * strange, axis=(1, 2))
    absence = -ops.mean(feature_maps, axis=(1, 2))
    positive = fit - _log_mean_exp(strange_fit) + AUTHORS_TEMPERATURE
    negative = absence - _log_mean_exp(absence) + AUTHORS_TEMPERATURE
    exponent = ops.where(targets > 0, fit, absence) / AUTHORS_TEMPERATURE
    return exponent, ops.where(targets > 0, positive, negative)


def normalised_strengths(
    exponent: Any, factor: Any, targets: Any, literal: bool
) -> Any:
    """Strengths divided by their mean over the targets, or over the other images.

    The literal form divides by the plain mean, which turns the sign when that mean is
    negative; the other divides by the mean of absolute values. What is not finite is
    left out.
    """
    finite = ops.isfinite(exponent) & ops.isfinite(factor)
    factor = ops.where(finite, factor, 0.0)

    def normalised(group: Any) -> Any:
        inside = finite & (group > 0)
        # The quotient does not depend on a common factor: the largest exponent is 0.
        known = ops.where(inside, exponent, -ops.ones_like(exponent) * FLOAT_RANGE)
        highest = ops.max(known, axis=0, keepdims=True)
        # What is not in the group would overflow, and 0 * inf is no number.
        strengths = ops.where(inside, ops.exp(ops.minimum(known - highest, 0.0)), 0.0)
        strengths = strengths * factor
        size = strengths if literal else ops.abs(strengths)
        count = ops.maximum(ops.sum(group, axis=0, keepdims=True), 1.0)
        mean = ops.sum(size, axis=0, keepdims=True) / count
        return strengths / ops.where(ops.abs(mean) < 1e-12, 1e-12, mean)

    return normalised(targets) + normalised(1.0 - targets)


def _log_mean_exp(values: Any) -> Any:
    """`T log mean exp(values / T)` over the images of the batch that are finite."""
    scaled = values / AUTHORS_TEMPERATURE
    finite = ops.isfinite(scaled)
    known = ops.where(finite, scaled, -ops.ones_like(scaled) * FLOAT_RANGE)
    highest = ops.max(known, axis=0, keepdims=True)
    count = ops.sum(ops.cast(finite, scaled.dtype), axis=0, keepdims=True)
    total = ops.sum(ops.exp(known - highest), axis=0, keepdims=True)
    return AUTHORS_TEMPERATURE * (
        ops.log(total) - ops.log(ops.maximum(count, 1.0)) + highest
    )


class AuthorsFilterLoss(FilterLoss):
    """The gradient that the authors' released code adds, strengths normalised.

    Maps of target images are raised by their template, maps of other images are
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
        maps = ops.stop_gradient(inputs.feature_maps)
        exponent, factor = raw_strengths(maps, inputs.peak_templates, targets)
        strengths = normalised_strengths(exponent, factor, targets, inputs.literal)
        strengths = strengths * inputs.weights / batch_size_of(strengths)
        if inputs.literal:
            strengths = strengths * (AUTHORS_MAGNITUDE * AUTHORS_GRADIENT_FACTOR)
        spatial_targets = targets[:, None, None, :]
        direction = (1.0 - spatial_targets) - spatial_targets * inputs.peak_templates
        gradient = direction * strengths[:, None, None, :]
        value = -mutual_information_of_scores(inputs.scores * inputs.score_scale)
        return with_gradient(value, gradient, inputs.feature_maps)


FILTER_LOSSES = {
    loss.name: loss
    for loss in (
        PosteriorFilterLoss,
        ExactFilterLoss,
        RunningFilterLoss,
        ApproximateFilterLoss,
        AuthorsFilterLoss,
    )
}
