"""Stand between a model and the calls that it makes, in one thread, for a while.

While the context manager `intercepting` is open, each call of a Keras layer, of an
operation of a functional graph (`ops.add` between two layers, say) and of an activation
function, Keras's or the backend's own, goes through the interceptors of the thread that
opened it. Other threads see the ordinary functions, no object of the user is touched,
and everything is put back when the last one leaves.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.src import activations as keras_activations
from keras.src import backend as keras_backend

from keras_interp import _backend

# Names of activation functions, in whatever module they stand.
ACTIVATIONS = frozenset(_backend.ACTIVATION_NAMES)
# Functions of Keras besides the activations that an interceptor may want to see.
_OTHER_FUNCTIONS = (
    (keras_backend.numpy, "tanh"),
    (keras_backend.numpy, "maximum"),
    (keras_backend.numpy, "reshape"),
    (keras_backend.numpy, "squeeze"),
    (keras_backend.numpy, "expand_dims"),
    (keras_backend.numpy, "add"),
    (keras_backend.numpy, "concatenate"),
    (keras_backend.core, "cast"),
)


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


_thread = _Thread()
_lock = threading.Lock()
_open = 0
# Owner, attribute, and how it was: `None` where it was inherited.
_replaced: list[tuple[Any, str, Any]] = []


@contextlib.contextmanager
def intercepting(*interceptors: Interceptor) -> Iterator[None]:
    """Send the calls of this thread through interceptors inside the `with` block.

    Args:
        *interceptors: the first is next to the call itself, the last one is asked
            first. Those of an enclosing block are nearer to the call.
    """
    before = _thread.interceptors, _thread.inside_function
    _replace_functions()
    try:
        _thread.interceptors = before[0] + interceptors
        _thread.inside_function = False
        with _backend.inner_functions_inline():
            yield
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
    global _open
    with _lock:
        _open += 1
        if _open > 1:
            return
        try:
            for owner, attribute, wrapper in _replacements():
                _replaced.append((owner, attribute, vars(owner).get(attribute)))
                setattr(owner, attribute, wrapper)
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
        owner, attribute, original = _replaced.pop()
        if original is None:
            delattr(owner, attribute)
        else:
            setattr(owner, attribute, original)


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    """Owner, attribute and what stands there while calls are intercepted."""
    for kind in (keras.layers.Layer, keras.Operation):
        yield kind, "__call__", _operation_wrapper(kind)
    # `activation="relu"` and the layer ReLU with their slopes and thresholds.
    relu = keras_activations.activations.ReLU
    yield relu, "static_call", staticmethod(_function_wrapper("relu", relu.static_call))
    nn = keras_backend.nn
    own = [(nn, name) for name in _backend.ACTIVATION_NAMES if hasattr(nn, name)]
    for owner, attribute in [*own, *_OTHER_FUNCTIONS, *_backend.activation_functions()]:
        original = getattr(owner, attribute)
        yield owner, attribute, _function_wrapper(attribute, original)
    inner = _backend.compiled_function_class()
    if inner is not None:
        yield inner, "__call__", _inline_wrapper(inner.__call__)
    for owner, attribute, faster in _backend.faster_functions():
        yield owner, attribute, _faster_wrapper(getattr(owner, attribute), faster)


def _operation_wrapper(kind: Any) -> Callable[..., Any]:
    original = kind.__call__

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        # A layer's own call goes on to that of operations, and is one call.
        again = kind is keras.Operation and isinstance(self, keras.layers.Layer)
        if again or not _thread.interceptors:
            return original(self, *args, **kwargs)
        call: Callable[..., Any] = functools.partial(original, self)
        for interceptor in _thread.interceptors:
            call = _link(interceptor.on_operation, self, call)
        return call(*args, **kwargs)

    return wrapper


def _function_wrapper(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if _thread.inside_function or not _thread.interceptors:
            return original(*args, **kwargs)
        call = original
        for interceptor in _thread.interceptors:
            call = _link(interceptor.on_function, name, call)
        _thread.inside_function = True
        try:
            return call(*args, **kwargs)
        finally:
            _thread.inside_function = False

    return wrapper


def _inline_wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _thread.interceptors:
            return self.python_function(*args, **kwargs)
        return original(self, *args, **kwargs)

    return wrapper


def _faster_wrapper(
    original: Callable[..., Any], faster: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return (faster if _thread.interceptors else original)(*args, **kwargs)

    return wrapper


def _link(
    method: Callable[..., Any], subject: Any, call: Callable[..., Any]
) -> Callable[..., Any]:
    return lambda *args, **kwargs: method(subject, call, args, kwargs)
