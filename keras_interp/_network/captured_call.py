"""Reach into a model at one call of one layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_interp._network.interception import Interceptor


class ReplacedCall(Interceptor):
    """Does something else at one call of one layer.

    Example:

    ```python
    with intercepting(ReplacedCall(layer, lambda call, args, kwargs: args[0])):
        model(images, training=False)  # as if the layer handed its input on
    ```

    Args:
        operation: the layer or operation.
        replacement: takes the call, its arguments and its keywords; gives what the
            caller gets.
        index: which of the calls of that layer, from 0.
    """

    def __init__(
        self,
        operation: Any,
        replacement: Callable[[Callable[..., Any], Any, Any], Any],
        index: int = 0,
    ):
        self.operation = operation
        self.replacement = replacement
        self.index = index
        self.calls = 0

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        if operation is not self.operation:
            return call(*args, **kwargs)
        self.calls += 1
        if self.calls - 1 != self.index:
            return call(*args, **kwargs)
        return self.replacement(call, args, kwargs)


class CapturedCall(ReplacedCall):
    """Keeps what a layer puts out, and may add something to it.

    The gradient with respect to zeros that are added is the gradient with respect to
    the activation.

    Example:

    ```python
    def scores_of(added):
        captured = CapturedCall(layer, added=added)
        scores, _ = forward.scores(pictures, targets, captured)
        return scores, captured.output

    slope, activation = forward.gradient(scores_of, zeros)
    ```

    Args:
        operation: the layer or operation.
        index: which of the calls of that layer, from 0.
        added: tensor of the shape of the output, or `None`.

    Attributes:
        output: what the layer put out, without what is added; `None` before the call.
    """

    def __init__(self, operation: Any, index: int = 0, added: Any = None):
        super().__init__(operation, self._capture, index)
        self.added = added
        self.output: Any = None

    def _capture(self, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self.output = call(*args, **kwargs)
        if self.added is None:
            return self.output
        return self.output + ops.cast(self.added, self.output.dtype)
