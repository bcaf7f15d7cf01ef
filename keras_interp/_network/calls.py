"""Stand between a model and the calls that it makes, in one thread, for a while.

While the context manager `intercepting` is open, each call of a Keras layer, of an
operation of a functional graph (`ops.add` between two layers, say) and of an activation
function, Keras's or the backend's own, goes through the interceptors of the thread that
opened it. Other threads see the ordinary functions, no object of the user is touched,
and everything is put back when the last one leaves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops
from keras.src import activations as keras_activations
from keras.src import backend as keras_backend

from keras_interp import _backend
from keras_interp._network.layer_names import flattened_layers

# Names of activation functions, in whatever module they stand.
ACTIVATIONS = frozenset(_backend.ACTIVATION_NAMES)
# Keras's functions have no public place in which all calls of them could be seen: a
# layer holds the function itself, and `keras.ops` is not asked again. All end in these
# modules of the active backend, which stand one level deeper from Keras 3.16 on.
_modules = getattr(keras_backend, "ops", keras_backend)
# Functions of Keras besides the activations that an interceptor may want to see.
_OTHER_FUNCTIONS = (
    (_modules.numpy, "tanh"),
    (_modules.numpy, "maximum"),
    (_modules.numpy, "reshape"),
    (_modules.numpy, "squeeze"),
    (_modules.numpy, "expand_dims"),
    (_modules.numpy, "add"),
    (_modules.numpy, "concatenate"),
    (_modules.core, "cast"),
)
RECTIFIERS = ("relu", "relu6", "leaky_relu")


class Interceptor:
    """What is done at the calls that a model makes; does nothing unless overridden.

    Example:

    ```python
    class Names(Interceptor):
        def on_operation(self, operation, call, args, kwargs):
            print(operation.name)
            return call(*args, **kwargs)

    with intercepting(Names()):
        model(images, training=False)
    ```
    """

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """A layer or an operation of a graph is called.

        Args:
            operation: the layer or `keras.Operation`. Models are layers too, and the
                calls inside them are seen as well.
            call: what would have been called.
            args: its arguments.
            kwargs: its keywords.

        Returns:
            What the caller gets.
        """
        return call(*args, **kwargs)

    def on_function(
        self, name: str, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """An activation function is called, or one of a few others.

        A function that is called by another one of these is not seen: `keras.ops.relu`
        is one call, whatever the backend does in it.

        Args:
            name: name of the function, such as `"relu"`, `"leaky_relu"` or `"softmax"`.
            call: what would have been called.
            args: its arguments.
            kwargs: its keywords.

        Returns:
            What the caller gets.
        """
        return call(*args, **kwargs)


class _Thread(threading.local):
    """What one thread intercepts."""

    interceptors: tuple[Interceptor, ...] = ()
    inside_function = False


@dataclasses.dataclass(frozen=True)
class _Replaced:
    """An attribute that was replaced, and how it was: `None` where it was inherited."""

    owner: Any
    attribute: str
    original: Any
    wrapper: Any

    def put_back(self) -> None:
        """Restore it, unless another tool has put something else there meanwhile."""
        if vars(self.owner).get(self.attribute) is not self.wrapper:
            return
        if self.original is None:
            delattr(self.owner, self.attribute)
        else:
            setattr(self.owner, self.attribute, self.original)

    def was_undone(self) -> bool:
        """Whether another tool has put back what stood there before it came."""
        standing = vars(self.owner).get(self.attribute)
        ours = getattr(standing, "keras_interp_time", _time) == _time
        return standing is self.original or not ours


_thread = _Thread()
_lock = threading.Lock()
_open = 0
# Counted up each time that the functions are replaced. What another tool keeps of an
# earlier time, and calls, lets everything through.
_time = 0
_replaced: list[_Replaced] = []


@contextlib.contextmanager
def intercepting(*interceptors: Interceptor) -> Iterator[None]:
    """Send the calls of this thread through interceptors inside the `with` block.

    Args:
        *interceptors: the first is next to the call itself, the last one is asked
            first. Those of an enclosing block are nearer to the call.

    Raises:
        RuntimeError: if another tool put back the functions that were replaced, so that
            calls went by unseen.
    """
    before = _thread.interceptors, _thread.inside_function
    _replace_functions()
    try:
        _thread.interceptors = before[0] + interceptors
        _thread.inside_function = False
        with _backend.seen_calls(_seen):
            yield
        if any(replaced.was_undone() for replaced in _replaced):
            raise RuntimeError(
                "Another tool changed the functions of Keras while a model was being "
                "explained, and some of its calls were not seen. Explain it once more."
            )
    finally:
        _thread.interceptors, _thread.inside_function = before
        _put_functions_back()


@contextlib.contextmanager
def not_intercepting() -> Iterator[None]:
    """Let the calls of this thread alone inside the `with` block."""
    before = _thread.interceptors
    _thread.interceptors = ()
    try:
        yield
    finally:
        _thread.interceptors = before


def _replace_functions() -> None:
    global _open, _time
    with _lock:
        _open += 1
        if _open > 1:
            return
        _time += 1
        try:
            for owner, attribute, wrapper in _replacements():
                original = vars(owner).get(attribute)
                getattr(wrapper, "__func__", wrapper).keras_interp_time = _time
                setattr(owner, attribute, wrapper)
                _replaced.append(_Replaced(owner, attribute, original, wrapper))
        except BaseException:
            _open -= 1
            _restore()
            raise


def _put_functions_back() -> None:
    global _open
    with _lock:
        _open -= 1
        if _open == 0:
            _restore()


def _restore() -> None:
    while _replaced:
        _replaced.pop().put_back()


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    """Owner, attribute and what stands there while calls are intercepted."""
    for kind in (keras.layers.Layer, keras.Operation):
        yield kind, "__call__", _operation_wrapper(kind)
    # `activation="relu"` and the layer ReLU with their slopes and thresholds: made of
    # several functions, and to be seen as one.
    relu = keras_activations.activations.ReLU
    yield relu, "static_call", staticmethod(_function_wrapper("relu", relu.static_call))
    nn = _modules.nn
    of_keras = [(nn, name) for name in _backend.ACTIVATION_NAMES if hasattr(nn, name)]
    for owner, attribute in [
        *of_keras,
        *_OTHER_FUNCTIONS,
        *_backend.own_functions(),
    ]:
        original = getattr(owner, attribute)
        yield owner, attribute, _function_wrapper(attribute, original)
    inner = _backend.compiled_function_class()
    if inner is not None:
        yield inner, "__call__", _inline_wrapper(inner.__call__)


def _operation_wrapper(kind: Any) -> Callable[..., Any]:
    original, time = kind.__call__, _time

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        # A layer's own call goes on to that of operations, and is one call.
        again = kind is keras.Operation and isinstance(self, keras.layers.Layer)
        if again or not _thread.interceptors or time != _time:
            return original(self, *args, **kwargs)
        call: Callable[..., Any] = functools.partial(original, self)
        for interceptor in _thread.interceptors:
            call = _link(interceptor.on_operation, self, call)
        return call(*args, **kwargs)

    return wrapper


def _function_wrapper(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    time = _time

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if time != _time:
            return original(*args, **kwargs)
        return _seen(name, original, args, kwargs)

    return wrapper


def _seen(name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Send the call of a function through the interceptors of this thread."""
    if _thread.inside_function or not _thread.interceptors:
        return function(*args, **kwargs)
    call = function
    for interceptor in _thread.interceptors:
        call = _link(interceptor.on_function, name, call)
    _thread.inside_function = True
    try:
        return call(*args, **kwargs)
    finally:
        _thread.inside_function = False


def _inline_wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
    time = _time

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _thread.interceptors and time == _time:
            return self.python_function(*args, **kwargs)
        return original(self, *args, **kwargs)

    return wrapper


def _link(
    method: Callable[..., Any], subject: Any, call: Callable[..., Any]
) -> Callable[..., Any]:
    return lambda *args, **kwargs: method(subject, call, args, kwargs)


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
        scores, _ = forward.scores(images, targets, captured)
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


def called_in_inference(model: Any, inputs: Any, *interceptors: Interceptor) -> Any:
    """What a model returns in inference mode, its calls seen by interceptors.

    Args:
        model: any Keras model.
        inputs: structure of tensors.
        *interceptors: as for `intercepting`.

    Returns:
        Structure of tensors.
    """
    with _losses_kept(model), intercepting(*interceptors):
        return model(inputs, training=False)


@contextlib.contextmanager
def _losses_kept(model: Any) -> Iterator[None]:
    """Keep what `add_loss` gathered: Keras forgets it when a model is called again."""
    kept = [
        (layer, list(layer._losses), set(layer._loss_ids))
        for layer in flattened_layers(model)
    ]
    try:
        yield
    finally:
        for layer, losses, identities in kept:
            layer._losses[:] = losses
            layer._loss_ids.clear()
            layer._loss_ids.update(identities)


def is_rectifier(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a call of a function is that of a ReLU.

    `maximum(x, 0)` is one as well.
    """
    if name != "maximum":
        return name in RECTIFIERS
    operands = [*args, *kwargs.values()]
    return any(isinstance(value, (int, float)) and value == 0 for value in operands)
