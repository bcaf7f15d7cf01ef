"""Which class or filter of each image is explained, and its score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.calls import Interceptor, not_intercepting


def number_of_classes(shape: tuple[int | None, ...]) -> int:
    """How many scores a model gives an image.

    Args:
        shape: of the output, the images first.

    Returns:
        The number of classes.

    Raises:
        ValueError: for more than one score a class, as of a segmentation.
    """
    widths = [width for width in shape[1:] if width != 1]
    if len(widths) > 1 or None in widths:
        raise ValueError(
            "Expected an output of one score a class, (batch, classes). Received: an "
            f"output of shape {shape}. Add a layer that pools the scores, or choose "
            "another output with output_index=."
        )
    return int(widths[0] or 1) if widths else 1


def class_targets(
    class_index: Any, images: int, choices: int, noun: str = "class"
) -> np.ndarray:
    """The class of each image as the compiled functions take it.

    Args:
        class_index: `None`, an integer, or an integer per image.
        images: how many there are.
        choices: how many classes there are.
        noun: "class" or "filter".

    Returns:
        int32 `(images,)`, -1 where the class of highest score is meant.

    Raises:
        ValueError: for another number of classes than images, or one out of range.
    """
    plural = {"class": "classes", "filter": "filters"}[noun]
    if class_index is None:
        return np.full(images, -1, "int32")
    if ops.is_tensor(class_index):
        class_index = ops.convert_to_numpy(class_index)
    wanted = np.asarray(class_index)
    if wanted.size == 0:
        wanted = wanted.astype("int32")
    if wanted.dtype.kind not in "iu" or wanted.shape not in ((), (images,)):
        raise ValueError(
            "Expected class_index as None, an integer, or an integer for each of the "
            f"{images} images. Received: class_index={class_index!r}. Number the "
            f"{plural} from 0."
        )
    outside = wanted[(wanted < 0) | (wanted >= choices)]
    if outside.size and choices == 1 and noun == "class":
        raise ValueError(
            "Expected class_index=0 or None: the model gives one score, that of the "
            "positive class if it ends in a sigmoid. Received: class_index="
            f"{outside.ravel()[0]}. Pass class_index=0 to explain the positive class; "
            "the score of the other class is its negative, whose gradient has the "
            "opposite sign."
        )
    if outside.size:
        raise ValueError(
            f"Expected class_index from 0 to {choices - 1}: there are {choices} "
            f"{plural}. Received: class_index={outside.ravel()[0]}. Number the "
            f"{plural} from 0."
        )
    return np.broadcast_to(wanted, (images,)).astype("int32")


def class_scores(
    logits: Any, targets: Any, *, all_given: bool = False
) -> tuple[Any, Any]:
    """Score of one class of each image.

    Args:
        logits: tensor `(batch, classes)`.
        targets: int32 tensor `(batch,)`, -1 for the class of highest score.
        all_given: whether no target is -1. What only the prediction needs is then left
            out of a compiled function.

    Returns:
        Scores `(batch,)` and the classes that were meant.
    """
    if all_given:
        return _picked(logits, targets), targets
    highest = ops.cast(ops.argmax(logits, axis=-1), "int32")
    chosen = ops.where(targets < 0, highest, targets)
    return _picked(logits, chosen), chosen


def filter_scores(
    activation: Any, targets: Any, *, all_given: bool = False
) -> tuple[Any, Any]:
    """Largest activation of one filter of each image (Zeiler and Fergus).

    Args:
        activation: tensor `(batch, height, width, filters)` or `(batch, filters)`.
        targets: int32 tensor `(batch,)`, -1 for the filter of largest activation.
        all_given: whether no target is -1.

    Returns:
        Scores `(batch,)` and the filters that were meant.
    """
    activation = ops.cast(activation, "float32")
    if len(activation.shape) == 4:
        _, height, width, filters = activation.shape
        if height is None or width is None:
            cells = ops.shape(activation)[1] * ops.shape(activation)[2]
        else:
            cells = height * width
        activation = ops.reshape(activation, (-1, cells, filters))
        # The first largest cell alone: `max` would share the gradient among equals.
        cell = ops.cast(ops.argmax(activation, axis=1), "int32")
        activation = ops.take_along_axis(activation, cell[:, None, :], axis=1)[:, 0]
    return class_scores(activation, targets, all_given=all_given)


def _picked(scores: Any, chosen: Any) -> Any:
    """One entry of each row, by a product whose gradient is the same everywhere."""
    rows = ops.one_hot(chosen, scores.shape[-1], dtype=scores.dtype)
    return ops.sum(ops.where(rows > 0, scores, ops.zeros_like(scores)), axis=-1)


FINAL_ACTIVATIONS = ("softmax", "log_softmax", "sigmoid")
# What may stand between the activation and the end: it changes no number.
_KEEPING_LAYERS = (
    keras.layers.ActivityRegularization,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Permute,
    keras.layers.Reshape,
)
_KEEPING_OPERATIONS = ("Cast", "ExpandDims", "Identity", "Reshape", "Squeeze")
_KEEPING_FUNCTIONS = ("cast", "expand_dims", "reshape", "squeeze")


class FinalActivation(Interceptor):
    """Remembers what went into each softmax and sigmoid.

    Example:

    ```python
    seen = FinalActivation()
    with intercepting(seen):
        outputs = model(images, training=False)
    logits, name = seen.look_through(outputs)
    ```
    """

    def __init__(self) -> None:
        # By the identity of what came out; the tensor itself keeps the identity taken.
        self._before: dict[int, tuple[Any, Any, str]] = {}

    def look_through(self, output: Any) -> tuple[Any, str | None]:
        """What an output was before its softmax or sigmoid.

        Args:
            output: tensor that the model returned.

        Returns:
            The tensor that went into the activation, and the activation's name; the
            output itself and `None` where it does not come out of one.
        """
        _, logits, name = self._before.get(id(output), (output, output, None))
        return logits, name

    def on_function(
        self, name: str, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        output = call(*args, **kwargs)
        if name in FINAL_ACTIVATIONS:
            logits = args[0] if args else next(iter(kwargs.values()))
            self._before[id(output)] = output, logits, name
        elif name in _KEEPING_FUNCTIONS and args:
            self._follow(output, call, args, kwargs)
        return output

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        output = call(*args, **kwargs)
        if args and _keeps_numbers(operation):
            self._follow(output, call, args, kwargs)
        return output

    def _follow(
        self, output: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        """Do to the logits what is done to what came out of the activation."""
        _, logits, name = self._before.get(id(args[0]), (None, None, None))
        if name is not None and id(output) not in self._before:
            with not_intercepting():
                logits = call(logits, *args[1:], **kwargs)
            self._before[id(output)] = output, logits, name


def _keeps_numbers(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    if isinstance(operation, keras.layers.Layer):
        return isinstance(operation, _KEEPING_LAYERS)
    return type(operation).__name__ in _KEEPING_OPERATIONS
