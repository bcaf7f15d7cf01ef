"""TensorFlow: what `_backend` promises, with graphs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_interp._backend.common import (
    ACTIVATION_NAMES,
    ArraySpec,
    BackwardRule,
    OnFunction,
    TensorFunction,
    Variables,
    signal_at,
    with_values,
)

# A compiled function takes other numbers of images without a trace.
HAS_OPEN_BATCHES = True
# The class of a user's compiled functions, whose calls must be run inline.
COMPILED_FUNCTION: Any = type(tf.function(lambda: None))


def has_gpu() -> bool:
    """As in `_backend`."""
    return bool(tf.config.list_logical_devices("GPU"))


def most_bytes_at_once() -> int | None:
    """As in `_backend`."""
    return None


def gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """As in `_backend`, of a tensor."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(inputs)
    return tape.gradient(value, inputs, unconnected_gradients="zero")


def pulled_back(
    function: Callable[..., tuple[Any, Any]], inputs: Sequence[Any], upstream: Any
) -> tuple[Any, Any, list[Any]]:
    """Output, by-products and slopes; a signal of `None` is 1 at a scalar."""
    # Copies, so that an input which depends on another is held constant.
    inputs = [tf.identity(tensor) for tensor in inputs]
    output, others = function(*inputs)
    # A tape would also compute the gradients of the filters, and throw them away.
    signal = signal_at(output, upstream)
    slopes = tf.gradients(output, inputs, signal, unconnected_gradients="zero")
    return output, others, list(slopes)


def with_backward_rule(
    function: Callable[..., Any], rule: BackwardRule, signal_alone: bool
) -> Callable[..., Any]:
    """As in `_backend`."""
    return functools.partial(_with_rule, function, rule)


def _with_rule(function: Callable[..., Any], rule: BackwardRule, *inputs: Any) -> Any:
    graph = tf.compat.v1.get_default_graph()
    output = function(*inputs)
    with graph.gradient_override_map({"IdentityN": _rule_gradient()}):
        output, *_ = tf.identity_n([output, *inputs])
    # The rules live and die with their graph. `tf.custom_gradient` would register each
    # of them for the life of the process.
    if not hasattr(graph, "keras_interp_rules"):
        graph.keras_interp_rules = {}
    graph.keras_interp_rules[output.op.name] = rule
    return output


@functools.cache
def _rule_gradient() -> str:
    name = "KerasInterpBackwardRule"

    @tf.RegisterGradient(name)
    def backward(operation: Any, *upstream: Any) -> list[Any]:
        rule = operation.graph.keras_interp_rules[operation.name]
        output, *inputs = operation.inputs
        return [None, *rule(inputs, output, upstream[0])]

    return name


def compiled(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """As in `_backend`; traced at once."""
    graph = _graph_function(function, specs)
    return lambda arrays: [
        tensor.numpy() for tensor in graph(*map(ops.convert_to_tensor, arrays))
    ]


def rectifiers_in(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[str]:
    """As in `_backend`."""
    definition = _graph_function(function, specs).graph.as_graph_def()
    nodes = [*definition.node]
    for inner in definition.library.function:
        nodes.extend(inner.node_def)
    return [node.op for node in nodes if node.op in ("Relu", "Relu6", "LeakyRelu")]


def used_inputs(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[bool]:
    """As in `_backend`."""
    graph = _graph_function(function, specs).graph
    steps = {tensor.op for tensor in graph.outputs}
    waiting = [*steps]
    while waiting:
        before = {tensor.op for tensor in waiting.pop().inputs} - steps
        steps |= before
        waiting.extend(before)
    return [tensor.op in steps for tensor in graph.inputs[: len(specs)]]


def _graph_function(function: TensorFunction, specs: Sequence[ArraySpec]) -> Any:
    # The graph reads the variables themselves: no values stand in for them.
    without_updates = functools.partial(with_values, function, list, ())
    signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in specs]
    traced = tf.function(without_updates, autograph=False)
    return traced.get_concrete_function(*signature)


def own_functions() -> list[tuple[Any, str]]:
    """As in `_backend`."""
    owners = (tf.nn, tf.math, tf)
    return [(o, name) for o in owners for name in ACTIVATION_NAMES if hasattr(o, name)]


@contextlib.contextmanager
def seen_calls(on_function: OnFunction) -> Iterator[None]:
    """As in `_backend`: the functions that `own_functions` names are seen by these."""
    yield


def is_traced(tensor: Any) -> bool:
    """As in `_backend`."""
    return bool(tf.is_symbolic_tensor(tensor))


def version_of(tensor: Any) -> Any:
    """As in `_backend`; a tensor never changes."""
    return None
