"""torch: what `_backend` promises, step by step and without a trace."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import torch
from keras import ops
from torch.overrides import TorchFunctionMode

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

# Nothing is traced.
HAS_OPEN_BATCHES = True
COMPILED_FUNCTION: Any = None
# Tensors of more bytes cost glibc, which serves torch on a CPU, a page fault a page at
# each call.
MOST_BYTES_ON_CPU = 32 * 1024**2


def has_gpu() -> bool:
    """As in `_backend`."""
    return torch.cuda.is_available()


def most_bytes_at_once() -> int | None:
    """As in `_backend`."""
    return MOST_BYTES_ON_CPU if ops.zeros(()).device.type == "cpu" else None


def gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """As in `_backend`, of a tensor."""
    return pulled_back(lambda x: (function(x), ()), [inputs], None)[2][0]


def pulled_back(
    function: Callable[..., tuple[Any, Any]], inputs: Sequence[Any], upstream: Any
) -> tuple[Any, Any, list[Any]]:
    """Output, by-products and slopes; a signal of `None` is 1 at a scalar."""
    with torch.enable_grad():
        inputs = [tensor.detach().requires_grad_(True) for tensor in inputs]
        output, others = function(*inputs)
        slopes: Sequence[Any] = [None] * len(inputs)
        if output.requires_grad:
            signal = signal_at(output.detach(), upstream)
            slopes = torch.autograd.grad(output, inputs, signal, allow_unused=True)
    slopes = [
        torch.zeros_like(tensor) if slope is None else slope
        for tensor, slope in zip(inputs, slopes, strict=True)
    ]
    output, others = keras.tree.map_structure(ops.stop_gradient, (output, others))
    return output, others, slopes


def with_backward_rule(
    function: Callable[..., Any], rule: BackwardRule, signal_alone: bool
) -> Callable[..., Any]:
    """As in `_backend`."""
    return functools.partial(_WithRule.apply, function, rule, signal_alone)


class _WithRule(torch.autograd.Function):
    """A function whose backward pass is a rule."""

    @staticmethod
    def forward(
        ctx: Any, function: Any, rule: Any, signal_alone: bool, *inputs: Any
    ) -> Any:
        output = function(*inputs)
        ctx.rule = rule
        if not signal_alone:
            ctx.save_for_backward(output, *inputs)
        return output

    @staticmethod
    def backward(ctx: Any, upstream: Any) -> Any:
        output, *inputs = ctx.saved_tensors or (None,)
        return None, None, None, *ctx.rule(inputs, output, upstream)


def compiled(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """As in `_backend`; run as it is."""
    return lambda arrays: [
        ops.convert_to_numpy(tensor)
        for tensor in _called(function, variables, arrays)[1]
    ]


def rectifiers_in(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[str]:
    """As in `_backend`."""
    arrays = [np.zeros(spec.with_batch(1), spec.dtype) for spec in specs]
    _, outputs = _called(function, variables, arrays, tracking=True)
    return _rectifiers_among(_steps_behind(outputs))


def used_inputs(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[bool]:
    """As in `_backend`."""
    arrays = [np.zeros(spec.with_batch(1), spec.dtype) for spec in specs]
    inputs, outputs = _called(function, variables, arrays, tracking=True)
    # Where a gradient ends, the step knows the tensor.
    leaves = [getattr(step, "variable", None) for step in _steps_behind(outputs)]
    used = {id(tensor) for tensor in [*leaves, *outputs]}
    return [id(tensor) in used for tensor in inputs]


def _called(
    function: TensorFunction,
    variables: Variables,
    arrays: Sequence[np.ndarray],
    *,
    tracking: bool = False,
) -> tuple[list[Any], tuple[Any, ...]]:
    """The arrays as tensors, and what the function makes of them."""
    # Values without a history of their own: no gradient of a weight is prepared, and
    # none can be left on the model.
    values = [variable.value.detach() for variable in variables()]
    with torch.inference_mode(False), torch.set_grad_enabled(tracking):
        tensors = [ops.convert_to_tensor(array) for array in arrays]
        for tensor in tensors:
            tensor.requires_grad_(tracking and tensor.is_floating_point())
        return tensors, with_values(function, variables, values, *tensors)


def _steps_behind(tensors: Sequence[Any]) -> set[Any]:
    """All steps of the backward pass from some tensors, in torch."""
    waiting = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        links = waiting.pop().next_functions
        before = {link for link, _ in links if link is not None} - seen
        seen |= before
        waiting.extend(before)
    return seen


def _rectifiers_among(steps: set[Any]) -> list[str]:
    names = ("ReluBackward", "LeakyReluBackward", "HardtanhBackward")
    found = [step.name() for step in steps if step.name().startswith(names)]
    return [name.rstrip("0123456789").removesuffix("Backward") for name in found]


def own_functions() -> list[tuple[Any, str]]:
    """As in `_backend`: none, since torch itself shows the calls of its functions."""
    return []


@functools.cache
def _names_of_functions() -> dict[Any, str]:
    """Every spelling of the activation functions, with its name."""
    owners = (torch.nn.functional, torch, torch.Tensor)
    return {
        getattr(owner, name): name
        for owner in owners
        for name in ACTIVATION_NAMES
        if hasattr(owner, name)
    }


class _SeenCalls(TorchFunctionMode):
    """Shows the calls of torch's functions, in this thread and without a patch."""

    def __init__(self, on_function: OnFunction):
        super().__init__()
        self._on_function = on_function

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = _names_of_functions().get(function)
        if name is None:
            return function(*args, **(kwargs or {}))
        return self._on_function(name, function, args, kwargs or {})


@contextlib.contextmanager
def seen_calls(on_function: OnFunction) -> Iterator[None]:
    """As in `_backend`."""
    with _SeenCalls(on_function):
        yield


def is_traced(tensor: Any) -> bool:
    """As in `_backend`."""
    return False


def version_of(tensor: Any) -> Any:
    """As in `_backend`: how often the tensor was changed."""
    return None if tensor.is_inference() else tensor._version
