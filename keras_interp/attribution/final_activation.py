"""Look through a softmax or sigmoid at the end of a model, to the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from keras_interp._network.interception import Interceptor, not_intercepting

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
