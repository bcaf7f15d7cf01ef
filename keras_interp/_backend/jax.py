"""JAX: what `_backend` promises, with functions of the variables' values."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
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

# Every number of images is traced and compiled for itself.
HAS_OPEN_BATCHES = False
COMPILED_FUNCTION: Any = None


def has_gpu() -> bool:
    """As in `_backend`."""
    return jax.default_backend() == "gpu"


def most_bytes_at_once() -> int | None:
    """As in `_backend`."""
    return None


def gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """As in `_backend`, of a tensor."""
    return jax.grad(function)(inputs)


def pulled_back(
    function: Callable[..., tuple[Any, Any]], inputs: Sequence[Any], upstream: Any
) -> tuple[Any, Any, list[Any]]:
    """Output, by-products and slopes; a signal of `None` is 1 at a scalar."""
    output, pull_back, others = jax.vjp(function, *inputs, has_aux=True)
    signal = signal_at(output, upstream)
    slopes = pull_back(ops.ones_like(output) if signal is None else signal)
    return output, others, list(slopes)


def with_backward_rule(
    function: Callable[..., Any], rule: BackwardRule, signal_alone: bool
) -> Callable[..., Any]:
    """As in `_backend`."""
    with_rule = jax.custom_vjp(lambda *inputs: function(*inputs))

    def forward(*inputs: Any) -> tuple[Any, Any]:
        output = function(*inputs)
        return output, (inputs, output)

    def backward(kept: Any, upstream: Any) -> tuple[Any, ...]:
        inputs, output = kept
        slopes = rule(list(inputs), output, upstream)
        return tuple(
            jnp.zeros_like(tensor) if slope is None else slope
            for tensor, slope in zip(inputs, slopes, strict=True)
        )

    with_rule.defvjp(forward, backward)
    return with_rule


def compiled(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """As in `_backend`; traced at the first call of each size."""
    of_values = jax.jit(functools.partial(with_values, function, variables))
    return lambda arrays: [
        np.asarray(tensor)
        for tensor in of_values([v.value for v in variables()], *arrays)
    ]


def rectifiers_in(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[str]:
    """As in `_backend`."""
    return _rectifiers_in_jaxpr(_jaxpr_of(function, specs, variables))


def used_inputs(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[bool]:
    """As in `_backend`."""
    jaxpr = _jaxpr_of(function, specs, variables)
    # By identity, for constants stand among the variables.
    used = {id(value) for value in jaxpr.outvars}
    for equation in reversed(jaxpr.eqns):
        if any(id(value) in used for value in equation.outvars):
            used |= {id(value) for value in equation.invars}
    return [id(value) in used for value in jaxpr.invars[-len(specs) :]]


def _jaxpr_of(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Any:
    shapes = [jax.ShapeDtypeStruct(s.with_batch(1), s.dtype) for s in specs]
    values = [v.value for v in variables()]
    of_values = functools.partial(with_values, function, variables)
    return jax.make_jaxpr(of_values)(values, *shapes).jaxpr


def _rectifiers_in_jaxpr(jaxpr: Any) -> list[str]:
    found = []
    for equation in jaxpr.eqns:
        inner = [
            getattr(value, "jaxpr", value)
            for value in equation.params.values()
            if hasattr(getattr(value, "jaxpr", value), "eqns")
        ]
        names = {getattr(j.debug_info, "func_name", "") for j in inner}
        names.add(str(equation.params.get("name", "")))
        known = names & {"relu", "relu6", "leaky_relu"}
        if known:
            found.append(known.pop())
        else:
            found.extend(name for j in inner for name in _rectifiers_in_jaxpr(j))
    return found


def own_functions() -> list[tuple[Any, str]]:
    """As in `_backend`."""
    return [(jax.nn, name) for name in ACTIVATION_NAMES if hasattr(jax.nn, name)]


@contextlib.contextmanager
def seen_calls(on_function: OnFunction) -> Iterator[None]:
    """As in `_backend`: the functions that `own_functions` names are seen by these.

    Functions that the user compiled are run as plain Python, in this thread alone: a
    trace of theirs that was made while calls are seen would stay with them.
    """
    with jax.disable_jit():
        yield


def is_traced(tensor: Any) -> bool:
    """As in `_backend`."""
    return isinstance(tensor, jax.core.Tracer)


def version_of(tensor: Any) -> Any:
    """As in `_backend`; an array never changes."""
    return None
