"""How a model's labels reach the filter losses inside it, and what they may be."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

_scopes = threading.local()


class LabelScope:
    """The labels of the batch that is being computed, and what layers found on it.

    Attributes:
        labels: Tensor of labels as the caller has them, or None.
        findings: Layer to a dict of named scalars, filled by the explainer's layers
            as they are called. The model turns them into metrics once the forward pass
            is over, because the JAX backend forgets what is put into a metric during
            the pass.
        places: Height and width of maps to where the places of the object were found
            in this batch, by the first layer with maps of that size.
    """

    def __init__(self, labels: Any):
        self.labels = labels
        self.findings: dict[Any, Any] = {}
        self.places: dict[Any, Any] = {}


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
    """Labels as a 0-1 matrix of images and categories.

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
    check_labels(labels, num_categories)
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == 1:
        labels = ops.expand_dims(labels, -1)
    if len(labels.shape) != 2 or labels.shape[1] not in (1, num_categories):
        raise ValueError(
            "Expected labels of shape (batch,), (batch, 1) or (batch, num_categories) "
            f"with num_categories={num_categories} for the filter loss. Received: "
            f"shape={tuple(labels.shape)}. Give the layer the right `num_categories=`."
        )
    if num_categories > 1 and labels.shape[1] == 1:
        return ops.one_hot(ops.cast(labels[:, 0], "int32"), num_categories)
    # Above one half serves 0/1, -1/+1 and smoothed labels alike.
    return ops.cast(ops.cast(labels, "float32") > 0.5, "float32")


def categories_of(
    labels: Any, number: int | None, needed_by: str | None, layer_name: str
) -> Any:
    """Labels as a 0-1 matrix of images and categories; None without labels.

    Args:
        labels: As for `category_matrix`, or None.
        number: Number of categories, or None where it is not known.
        needed_by: The filter loss that cannot do without labels, or None.
        layer_name: Named in errors.

    Raises:
        ValueError: For labels that are needed and not there, or of an unknown number of
            categories.
    """
    if labels is None:
        if needed_by is not None:
            raise ValueError(
                f"Expected labels of the images at layer '{layer_name}', whose "
                "filter loss goes by them. Received: no labels, and filter_loss="
                f"{needed_by!r}. Make the model a keras_interp.models."
                "InterpretableModel or InterpretableSequential, whose `fit` hands "
                "them over, or choose filter_loss='posterior' or 'exact', which "
                "need none."
            )
        return None
    if number is None:
        raise ValueError(
            f"Expected the number of categories of the labels at layer "
            f"'{layer_name}'. Received: labels, and num_categories=None. Pass "
            "`num_categories=` (1 for object against background) when you make the "
            "layer."
        )
    return category_matrix(labels, number)


def check_labels(labels: Any, num_categories: int, *, soft: bool = True) -> None:
    """Refuse values that are no categories, such as the targets of a regression.

    Tensors pass: what they hold is not known while a graph is traced.

    Args:
        labels: As for `category_matrix`.
        num_categories: Number of categories, 1 for object against background.
        soft: Whether labels may be anything between 0 and 1, as mixed or smoothed
            labels are. Otherwise they may have two values, whichever these are.

    Raises:
        ValueError: For a class index that is no whole number below `num_categories`,
            or any other label that is outside -1 to 1 or too soft.
    """
    if not isinstance(labels, (np.ndarray, list, tuple)):
        return
    values = np.asarray(labels)
    if not values.size or values.dtype.kind not in "fiu":
        return
    one_column = values.ndim == 1 or values.shape[-1] == 1
    if num_categories > 1 and one_column:
        fits = (values == np.floor(values)) & (values < num_categories)
        # -1 is what losses are told to ignore.
        fits &= values >= -1
        wanted = f"class indices, whole numbers from 0 to {num_categories - 1}"
    else:
        fits = np.abs(values) <= 1
        if not soft and len(np.unique(values)) > 2:
            fits &= values == np.round(values)
        wanted = "labels from 0 (or -1), other images, to 1, images of the category"
    if not fits.all():
        raise ValueError(
            f"Expected {wanted}, which tell the filters their categories. Received: "
            f"y={values[~fits].flat[0]!r} among them. If the model predicts a number, "
            "make it a keras.Sequential or keras.Model, in which "
            "filter_loss='posterior' and 'exact' do without categories."
        )


def output_index(model: Any, output: int | str | None) -> int:
    """Which of a model's outputs holds the categories.

    Args:
        model: Model with outputs.
        output: Name or index, or None where there is only one.

    Raises:
        ValueError: If there is no such output, or None cannot choose among several.
    """
    if output is None and len(model.outputs) == 1:
        return 0
    names = list(model.output_names)
    if isinstance(output, int) and 0 <= output < len(names):
        return output
    if isinstance(output, str) and output in names:
        return names.index(output)
    raise ValueError(
        f"Expected the name or index of one of the model's {len(names)} outputs, "
        f"{names}. Received: category_output={output!r}. Set `model.category_output` "
        "to the output whose labels are the categories of the filters."
    )


def category_labels(
    model: Any, labels: Any, output: int | str | None, needed: bool
) -> Any:
    """The categories' labels out of whatever `fit` was given as `y`.

    Args:
        model: Model whose outputs the labels belong to.
        labels: One array, or a list or dict of one for each output.
        output: Name or index of the output that holds the categories, or None.
        needed: Whether a filter loss cannot do without. Where none needs them, and
            nothing says which of several outputs holds the categories, there are none.
    """
    if labels is None or not isinstance(labels, (dict, list, tuple)):
        return labels
    if len(labels) == 1:
        return next(iter(labels.values())) if isinstance(labels, dict) else labels[0]
    if output is None and not needed:
        return None
    index = output_index(model, output)
    return labels[model.output_names[index] if isinstance(labels, dict) else index]
