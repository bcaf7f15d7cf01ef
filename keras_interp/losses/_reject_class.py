"""Filters that say at which cell of a map their part is, or that it is nowhere."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_interp.losses._mutual_information import with_gradient


def reject_class_loss(logits: Any, templates: Any, is_target: Any) -> Any:
    """Cross entropy over the cells of a map and a class "nowhere" whose logit is 0.

    On an image that shows the object a filter's class is a cell, softened to the
    template around it: `log(1 + sum_u exp a_u) - sum_u T_u a_u`. On any other image it
    is "nowhere": `log(1 + sum_u exp a_u)`. The logits `a` are activations *before* the
    ReLU, so that the gradient reaches cells at which the filter is silent: no filter
    dies, and any can be pulled to a cell at which it has never fired.

    Example:

    ```python
    logits = np.random.default_rng(0).normal(size=(8, 169, 24)).astype("float32")
    templates = np.full(logits.shape, 1 / 169, "float32")
    is_target = np.array([1, 0] * 4, "float32")
    ki.losses.reject_class_loss(logits, templates, is_target).shape  # (24,)
    ```

    Args:
        logits: float32 tensor `(batch, cells, filters)`.
        templates: Constant tensor of the same shape, at least 0, of sum 1 over the
            cells.
        is_target: Tensor `(batch,)`, 1 where the image shows the object, else 0.

    Returns:
        Tensor `(filters,)`: the mean over the targets and the mean over other images,
        added up.

    Raises:
        ValueError: If `templates` has another shape than `logits`.

    Reference:
        A loss of this library. The templates are those of Zhang, Wu, Zhu,
        "Interpretable Convolutional Neural Networks", CVPR 2018, section 3.1.
    """
    if tuple(templates.shape[1:]) != tuple(logits.shape[1:]):
        raise ValueError(
            "Expected `templates` of the shape of `logits`, (batch, cells, filters). "
            f"Received: templates of shape {tuple(templates.shape)}, logits of shape "
            f"{tuple(logits.shape)}. Give a template for each image and filter."
        )
    constant = ops.stop_gradient(logits)
    highest = ops.maximum(ops.max(constant, axis=1, keepdims=True), 0.0)
    likelihood = ops.exp(constant - highest)
    total = ops.exp(-highest) + ops.sum(likelihood, axis=1, keepdims=True)
    normaliser = (ops.log(total) + highest)[:, 0]
    targets, others = is_target, 1.0 - is_target
    on_targets = (targets / ops.maximum(ops.sum(targets), 1.0))[:, None]
    on_others = (others / ops.maximum(ops.sum(others), 1.0))[:, None]
    fit = ops.sum(templates * constant, axis=1)
    value = ops.sum((on_targets + on_others) * normaliser - on_targets * fit, axis=0)
    posterior = likelihood / total
    gradient = (on_targets + on_others)[:, None] * posterior
    gradient = gradient - on_targets[:, None] * templates
    return with_gradient(value, gradient, logits)
