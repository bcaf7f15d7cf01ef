"""The filter loss of the interpretable CNN: minus a mutual information."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from keras import backend, ops

from keras_interp.losses._templates import check_template_arguments, template_matrix

# Score of a map that has no part in a distribution.
IMPROBABLE = 1e30
LARGEST_LOSS = 1e37


class FilterEntropies(NamedTuple):
    """The mutual information of a filter and the entropies it is made of.

    Attributes:
        mutual_information: Tensor `(filters,)` in nats, 0 to log(height * width + 1).
        inter_category_entropy: Tensor `(filters,)`; small when the maps tell whether
            the part is in the image (eq. 6).
        spatial_entropy: Tensor `(filters,)`; small when each map has one peak (eq. 7),
            weighted by the probability that the part is there, as in eq. (5).
    """

    mutual_information: Any
    inter_category_entropy: Any
    spatial_entropy: Any


def filter_mutual_information(
    feature_maps: Any, beta: float = 4.0, norm: str = "l1"
) -> Any:
    """Filter loss of each filter: minus the mutual information of maps and templates.

    The maps of a batch stand for the set of all maps. The loss lies between
    `-log(height * width + 1)` and 0, and falls when each map fits one template, and
    different maps fit different ones. The gradient takes the normaliser `Z_T` of each
    template into account.

    Example:

    ```python
    feature_maps = keras.random.uniform((8, 14, 14, 32))
    loss = ki.losses.filter_mutual_information(feature_maps)  # (32,)
    ```

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`, activations after the
            ReLU and before the mask. float64 is computed in float64, all else in
            float32.
        beta: Slope of the templates. Defaults to 4.
        norm: `"l1"` (default) or `"l2"`.

    Returns:
        Tensor `(filters,)` in nats, with the paper's `tau = 0.5 / (height * width)` and
        `alpha = n**2 / (1 + n**2)`.

    Raises:
        ValueError: For maps that are not of rank 4, or an unknown `beta` or `norm`.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
        equations (1) and (2).
    """
    check_template_arguments(beta, norm)
    feature_maps = convert_feature_maps(feature_maps)
    scores = paper_scores(feature_maps, beta, norm)
    return -mutual_information_of_scores(scores)


def filter_entropies(
    feature_maps: Any, beta: float = 4.0, norm: str = "l1"
) -> FilterEntropies:
    """Mutual information of each filter, and the two entropies that it hides.

    `mutual_information = log(height * width + 1) - inter_category_entropy -
    spatial_entropy` (eq. 5), so that the two entropies say why a filter is unclear.

    Example:

    ```python
    entropies = ki.losses.filter_entropies(feature_maps)
    entropies.spatial_entropy  # (filters,)
    ```

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`, activations after the
            ReLU and before the mask. float64 is computed in float64, all else in
            float32.
        beta: Slope of the templates. Defaults to 4.
        norm: `"l1"` (default) or `"l2"`.

    Returns:
        `FilterEntropies` of tensors `(filters,)` in nats.

    Raises:
        ValueError: For maps that are not of rank 4, or an unknown `beta` or `norm`.

    Reference:
        Zhang, Wu, Zhu, CVPR 2018, equations (5) to (7).
    """
    check_template_arguments(beta, norm)
    feature_maps = convert_feature_maps(feature_maps)
    return entropies_of_scores(paper_scores(feature_maps, beta, norm))


def convert_feature_maps(feature_maps: Any) -> Any:
    """Feature maps as a float tensor of rank 4, float32 unless they are float64."""
    feature_maps = ops.convert_to_tensor(feature_maps)
    if len(feature_maps.shape) != 4:
        raise ValueError(
            "Expected feature maps of shape (batch, height, width, filters). "
            f"Received: shape={tuple(feature_maps.shape)}. Give a single map as "
            "maps[None]."
        )
    if backend.standardize_dtype(feature_maps.dtype) != "float64":
        feature_maps = ops.cast(feature_maps, "float32")
    return feature_maps


def paper_scores(feature_maps: Any, beta: float, norm: str) -> Any:
    """`tr(x . T)` with the paper's tau, `(batch, height * width + 1, filters)`."""
    _, height, width, _ = ops.shape(feature_maps)
    dtype = backend.standardize_dtype(feature_maps.dtype)
    templates = template_matrix(height, width, beta, norm, dtype)
    tau = 0.5 / ops.cast(height * width, dtype)
    return template_scores(feature_maps, templates) * tau


def mutual_information_of_scores(scores: Any) -> Any:
    """Eq. (1) without its sign, from scores `(batch, templates, filters)`.

    The prior of the templates is uniform: alpha / n^2 = 1 - alpha = 1 / (n^2 + 1).

    Maps that fit no template well differ little from one another, and eq. (1) is then
    a small difference of large sums: it is taken as a sum of positive numbers. Its
    gradient is `p(x|T) (log r - sum_x p(x|T) log r)` with `r = p(x|T) / p(x)`.
    """
    batch = ops.cast(ops.shape(scores)[0], scores.dtype)
    templates = ops.cast(ops.shape(scores)[1], scores.dtype)
    constant = ops.stop_gradient(scores)
    # A map that is no number has no part in the distribution over the batch, so that
    # the others keep their gradient.
    usable = ops.isfinite(ops.sum(constant, axis=1, keepdims=True))
    constant = ops.where(usable, constant, -IMPROBABLE)
    log_likelihood = log_ratio_to_mean(constant, axis=0)
    likelihood = ops.exp(log_likelihood) / batch  # p(x|T)
    log_scaled = log_likelihood - ops.log(batch)
    log_ratio = log_ratio_to_mean(log_likelihood, axis=1)  # log p(x|T) / p(x)
    value = ops.sum(divergence_summands(log_scaled, log_ratio), axis=(0, 1))
    product = likelihood * log_ratio
    gradient = product - likelihood * ops.sum(product, axis=0, keepdims=True)
    # The loss shows what came in.
    value = ops.where(ops.all(usable, axis=(0, 1)), value / templates, math.nan)
    return with_gradient(value, gradient / templates, scores)


def entropies_of_scores(scores: Any) -> FilterEntropies:
    """Decomposition of eq. (5) from scores whose last template is the negative one."""
    templates = ops.cast(ops.shape(scores)[1], scores.dtype)
    # One exponential of the large array serves all the sums.
    shifted = scores - ops.max(scores, axis=0, keepdims=True)
    likelihood = ops.exp(shifted)
    total = ops.sum(likelihood, axis=0, keepdims=True)
    likelihood = likelihood / total  # p(x|T)
    both = ops.sum(likelihood, axis=1) / templates  # p(x)
    negative = likelihood[:, -1] / templates  # p(x, T-)
    positive = ops.maximum(both - negative, 0.0)  # p(x, T+)
    positive_entropy = _sum_of_p_log_p(positive)
    inter_category = (
        _sum_of_p_log_p(both) - positive_entropy - _sum_of_p_log_p(negative)
    )
    # sum_x p(x, T+) H(T+ | x), with log p~(T|x) = log p(x, T) - log p(x, T+).
    log_likelihood = shifted - ops.log(total)
    of_templates = ops.sum(likelihood * log_likelihood, axis=0)[:-1]
    joint = ops.sum(of_templates, axis=0) / templates
    joint = joint - ops.log(templates) * ops.sum(positive, axis=0)
    spatial = positive_entropy - joint
    return FilterEntropies(
        ops.log(templates) - inter_category - spatial, inter_category, spatial
    )


def _sum_of_p_log_p(probabilities: Any) -> Any:
    # The least positive number stands for 0, whose p log p is 0.
    return ops.sum(probabilities * ops.log(ops.maximum(probabilities, 1e-30)), axis=0)


def template_scores(feature_maps: Any, templates: Any) -> Any:
    """Inner product of each feature map with each template.

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`.
        templates: Tensor `(templates, height * width)`.

    Returns:
        Tensor `(batch, templates, filters)`, `tr(x . T)` of the paper.
    """
    batch, height, width, filters = ops.shape(feature_maps)
    cells = ops.reshape(feature_maps, (batch, height * width, filters))
    # One matrix product an image keeps the maps in place: no transposed copy.
    return ops.matmul(templates, cells)


def log_ratio_to_mean(values: Any, axis: int) -> Any:
    """`log(exp(values) / mean(exp(values)))`, exact also where values hardly differ."""
    shifted = values - ops.max(values, axis=axis, keepdims=True)
    mean_beyond_one = ops.mean(ops.expm1(shifted), axis=axis, keepdims=True)
    mean = ops.mean(ops.exp(shifted), axis=axis, keepdims=True)
    log_mean = ops.where(
        mean_beyond_one > -0.5,
        ops.log1p(ops.maximum(mean_beyond_one, -0.5)),
        ops.log(mean),
    )
    return shifted - log_mean


def divergence_summands(log_values: Any, log_ratio: Any) -> Any:
    """`p log(p/q) - p + q` of numbers given by `log p` and `log(p/q)`.

    Where `p` and `q` have the same sum, so have these and `p log(p/q)`; but these are
    not negative, so that nothing is lost where `p` and `q` hardly differ. `q` comes
    from the logarithms, since `p` may be too small for a float where `q` is not.
    """
    values = ops.exp(log_values)
    product = values * log_ratio
    near = product + values * ops.expm1(-ops.maximum(log_ratio, -1.0))
    far = product - values + ops.exp(log_values - ops.minimum(log_ratio, -1.0))
    return ops.where(log_ratio > -1.0, near, far)


def bounded_product(loss: Any, weight: Any) -> Any:
    """A loss times a weight that both grow with the activation.

    Their product may be beyond every float where its gradient, which grows with one of
    them, is not.
    """
    constant = ops.stop_gradient(loss)
    value = ops.clip(constant * weight, -LARGEST_LOSS, LARGEST_LOSS)
    return value + weight * (loss - constant)


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
