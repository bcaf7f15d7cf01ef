"""The only folder that names TensorFlow, JAX or torch: a file for each.

What a file of a backend must have is what the functions here ask of it: each of them
says what it promises and hands on to the file of the active Keras backend.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._backend.common import (
    ACTIVATION_NAMES,
    ArraySpec,
    BackwardRule,
    OnFunction,
    TensorFunction,
    Variables,
)

__all__ = [
    "ACTIVATION_NAMES",
    "ArraySpec",
    "BackwardRule",
    "OnFunction",
    "TensorFunction",
    "Variables",
    "batches_of_arrays",
    "compiled",
    "compiled_function_class",
    "gradient",
    "has_gpu",
    "has_open_batches",
    "is_traced",
    "most_bytes_at_once",
    "own_functions",
    "rectifiers_in",
    "seen_calls",
    "used_inputs",
    "value_and_gradient",
    "vector_jacobian_product",
    "version_of",
    "widest_float",
    "with_backward_rule",
]


def widest_float() -> str:
    """`"float64"`; `"float32"` on JAX, which computes in double only when asked to."""
    return "float32" if keras.backend.backend() == "jax" else "float64"


@functools.cache
def _active() -> Any:
    """The file of the active Keras backend."""
    name = keras.backend.backend()
    if name not in ("tensorflow", "jax", "torch"):
        raise ValueError(
            "Expected TensorFlow, JAX or torch as the Keras backend, with which "
            f"keras_interp computes gradients. Received: backend={name!r}. Set "
            "KERAS_BACKEND to one of them before importing keras."
        )
    return importlib.import_module(f"{__name__}.{name}")


def gradient(function: Callable[[Any], Any], inputs: Any) -> np.ndarray:
    """Gradient of a scalar-valued function at a tensor.

    Args:
        function: Takes a tensor of the active Keras backend, gives a scalar tensor.
        inputs: Array or tensor.

    Returns:
        Array of the shape of `inputs`.
    """
    slope = _active().gradient(function, ops.convert_to_tensor(inputs))
    return ops.convert_to_numpy(slope)


def batches_of_arrays(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> Any:
    """A `tf.data.Dataset` of (float32 images, int32 labels) batches of two arrays."""
    import tensorflow as tf

    with tf.device("CPU"):
        all_images = tf.convert_to_tensor(images)
        all_labels = tf.convert_to_tensor(labels, tf.int32)
    # Positions are shuffled, not images: no buffer of images is needed.
    positions = tf.data.Dataset.range(len(images))
    if shuffle:
        positions = positions.shuffle(max(1, len(images)), seed=seed)

    def gather(rows: Any) -> tuple[Any, Any]:
        batch = tf.cast(tf.gather(all_images, rows), tf.float32)
        return batch, tf.gather(all_labels, rows)

    batches = positions.batch(batch_size).map(gather, tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def has_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    return _active().has_gpu()


def has_open_batches() -> bool:
    """Whether a compiled function takes other numbers of images without a trace."""
    return _active().HAS_OPEN_BATCHES


def most_bytes_at_once() -> int | None:
    """Size of a tensor above which more images at once are slower, if there is one."""
    return _active().most_bytes_at_once()


def value_and_gradient(
    function: Callable[[Any], tuple[Any, Any]], at: Any
) -> tuple[Any, Any, Any]:
    """Value, by-products and gradient of a function, inside a compiled function.

    Args:
        function: takes a tensor; gives a scalar and a structure of other tensors.
        at: tensor at which the gradient is taken.

    Returns:
        The scalar, the other tensors, and the gradient in the shape of `at`, zero where
        the scalar does not depend on it.
    """
    value, others, slopes = _active().pulled_back(function, [at], None)
    return value, others, slopes[0]


def vector_jacobian_product(
    function: Callable[..., Any], inputs: Sequence[Any], upstream: Any
) -> list[Any]:
    """Pull a signal at a function's output back to each of its inputs.

    It runs inside a compiled function or a backward rule. `function` gives one tensor.
    The signal may be a function that makes it from the output.
    """
    return _active().pulled_back(lambda *x: (function(*x), ()), inputs, upstream)[2]


def with_backward_rule(
    function: Callable[..., Any], rule: BackwardRule, *, signal_alone: bool = False
) -> Callable[..., Any]:
    """The same function with another backward pass, inside a compiled function.

    Args:
        function: takes tensors, gives one. What else it uses is held constant.
        rule: gives the signal for each input; `None` where there is none.
        signal_alone: whether the rule looks at the signal above and nothing else. torch
            then keeps no tensor for it, and the rule is given none.
    """
    return _active().with_backward_rule(function, rule, signal_alone)


def compiled(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """Compile a function of arrays and of Keras variables, which it cannot change.

    Args:
        function: takes tensors, gives tensors. TensorFlow traces it at once and JAX at
            the first call; torch runs it as it is.
        specs: what the function takes. JAX traces once for every size that comes in
            place of `None`.
        variables: gives the variables whose present values are used at each call.

    Returns:
        Function from a list of arrays to a list of arrays.
    """
    return _active().compiled(function, specs, variables)


def rectifiers_in(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[str]:
    """Trace a function once, for one image, and name each ReLU that is in it."""
    return _active().rectifiers_in(function, specs, variables)


def used_inputs(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[bool]:
    """Trace a function once, for one image: does its result depend on each input?

    torch knows it of floating inputs alone, and only where a gradient could flow.
    """
    return _active().used_inputs(function, specs, variables)


def own_functions() -> list[tuple[Any, str]]:
    """The backend's activation functions that must be replaced to be seen.

    Returns:
        Each as (module or class, attribute).
    """
    return _active().own_functions()


def seen_calls(on_function: OnFunction) -> AbstractContextManager[None]:
    """Let a function see the calls of this thread to the backend's activations.

    Args:
        on_function: is given the name, the function, its arguments and its keywords;
            gives what the caller gets. Of a backend that has `own_functions` it sees
            nothing.

    Returns:
        A context manager.
    """
    return _active().seen_calls(on_function)


def compiled_function_class() -> Any:
    """The class of a user's compiled functions, whose calls must be run inline."""
    return _active().COMPILED_FUNCTION


def is_traced(tensor: Any) -> bool:
    """Whether a tensor stands for others, in a trace, and has no numbers."""
    return _active().is_traced(tensor)


def version_of(tensor: Any) -> Any:
    """Something that changes with the numbers of a tensor; `None` if they cannot."""
    return _active().version_of(tensor)
