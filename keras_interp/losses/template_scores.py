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


def log_sum_exp(values: Any, axis: int) -> Any:
    """`log(sum(exp(values)))` along an axis that is kept."""
    highest = ops.stop_gradient(ops.max(values, axis=axis, keepdims=True))
    total = ops.sum(ops.exp(values - highest), axis=axis, keepdims=True)
    return ops.log(total) + highest
