"""How a model's labels reach the filter losses inside it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from keras import ops

_scopes = threading.local()


class LabelScope:
    """The labels of the batch that is being computed, and what layers found on it.

    Attributes:
        labels: Tensor of labels as the caller has them, or None.
        findings: Layer to `FilterFindings`, filled by the layers as they are called.
            The model turns them into metrics once the forward pass is over, because
            the JAX backend forgets what is put into a metric during the pass.
    """

    def __init__(self, labels: Any):
        self.labels = labels
        self.findings: dict[Any, Any] = {}


@contextlib.contextmanager
def label_scope(labels: Any) -> Iterator[LabelScope]:
    """Hand labels to every filter loss that is computed inside the `with` block.

    Example:

    ```python
    with label_scope(labels):
        logits = model(images, training=True)
    ```
    """
    stack = _scopes.__dict__.setdefault("stack", [])
    stack.append(LabelScope(labels))
    try:
        yield stack[-1]
    finally:
        stack.pop()


@contextlib.contextmanager
def no_label_scope() -> Iterator[None]:
    """Hide the scopes around from a model that is read and not trained."""
    stack = _scopes.__dict__.setdefault("stack", [])
    stack.append(None)
    try:
        yield
    finally:
        stack.pop()


def current_label_scope() -> LabelScope | None:
    """The innermost scope of this thread."""
    stack = _scopes.__dict__.get("stack")
    return stack[-1] if stack else None


def category_matrix(labels: Any, num_categories: int) -> Any:
    """Labels as a 0-1 matrix of pictures and categories.

    Args:
        labels: `(batch,)` or `(batch, 1)`: class indices, or 0/1 or -1/+1 when there is
            one category; or `(batch, num_categories)`, one-hot or several-hot, 0/1 or
            -1/+1.
        num_categories: Number of categories, 1 for object against background.

    Returns:
        float32 tensor `(batch, num_categories)`.

    Raises:
        ValueError: If the labels' width is another one.
    """
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == 1:
        labels = ops.expand_dims(labels, -1)
    if len(labels.shape) != 2 or labels.shape[1] not in (1, num_categories):
        raise ValueError(
            "The filter loss needs labels of shape (batch,), (batch, 1) or (batch, "
            f"num_categories) with num_categories={num_categories}. Received: "
            f"shape={tuple(labels.shape)}. Give the layer the right `num_categories=`."
        )
    if num_categories > 1 and labels.shape[1] == 1:
        return ops.one_hot(ops.cast(labels[:, 0], "int32"), num_categories)
    # Above one half serves 0/1, -1/+1 and smoothed labels alike.
    return ops.cast(ops.cast(labels, "float32") > 0.5, "float32")
