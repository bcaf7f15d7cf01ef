"""How well feature maps fit the part templates."""

from __future__ import annotations

from typing import Any

from keras import ops


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
    # One matrix product a picture keeps the maps in place: no transposed copy.
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
