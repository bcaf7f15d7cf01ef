"""The signal of a layer's output, made from those of its inputs by a rule."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_interp._backend import vector_jacobian_product, with_backward_rule
from keras_interp.attribution.excitation._rules import (
    is_average,
    is_gate,
    shared_in_proportion,
)

Rule = Callable[[list[Any], Any], Sequence[Any]]


@dataclasses.dataclass(frozen=True)
class Signal:
    """A float32 copy of an activation whose gradient is its winning probability.

    Args:
        carrier: the copy; `None` where no rule leads on.
        nearest: calls with weights next below, nothing but others in between.
        source: the call with weights that made it, and the signal that went into it.
        gate: whether it lies between 0 and 1, to switch something off.
        refusal: why no rule leads on.
    """

    carrier: Any
    nearest: frozenset[WeightedCall] = frozenset()
    source: tuple[WeightedCall, Signal] | None = None
    gate: bool = False
    refusal: str | None = None


def signal_after(
    rule: str,
    operation: Any,
    args: Any,
    kwargs: Any,
    output: Any,
    inputs: dict[int, Signal | None],
) -> Signal:
    """The signal of what came out of a call.

    Args:
        rule: name of the rule, a key of `excitation_rules.LAYERS`.
        operation: the layer or operation, or the name of a function.
        args: what it was called with.
        kwargs: by name, what it was called with.
        output: tensor that it gave.
        inputs: signals of the tensors that it was called with, by their identity;
            `None` for a tensor that does not depend on the target layer.

    Returns:
        Signal of the output.
    """
    kwargs = {k: v for k, v in kwargs.items() if k not in ("mask", "training")}
    signals = [signal for signal in inputs.values() if signal is not None]
    if rule == "weighted":
        return _weighted(WeightedCall(operation), signals[0], output)
    if rule == "normalized":
        return _normalized(operation, signals[0], output)
    if rule == "passed":
        return _joined(output, signals, _passed, is_gate(operation))
    if rule == "gated":
        return _gated(operation, args, kwargs, output, inputs)
    if is_average(operation, output):
        for call in signals[0].nearest:
            call.averaged = True
    function = _function_of_signals(rule, operation, args, kwargs, inputs)
    if rule == "routed":
        return _joined(
            output, signals, lambda x, p: vector_jacobian_product(function, x, p)
        )
    return _joined(output, signals, lambda x, p: shared_in_proportion(function, x, p))


def _weighted(call: WeightedCall, below: Signal, output: Any) -> Signal:
    carrier = _carrier(output, [below.carrier], call.rule)
    return Signal(carrier, frozenset([call]), (call, below), call.ends_in_gate)


def _normalized(normalization: Any, below: Signal, output: Any) -> Signal:
    """Folded into the convolution or dense layer before it, where there is one."""
    if below.source is not None:
        call, before = below.source
        folded = call.with_normalization(normalization, len(output.shape))
        if folded is not None:
            return _weighted(folded, before, output)
    return _joined(output, [below], _passed)


def _gated(
    operation: Any, args: Any, kwargs: Any, output: Any, inputs: dict[int, Any]
) -> Signal:
    """A product, of which all factors but one only let the last one through."""
    factors = [leaf for leaf in keras.tree.flatten((args, kwargs)) if leaf is not None]
    signals = [signal for signal in inputs.values() if signal is not None]
    # A gate of a whole map, as in squeeze-and-excitation, is one number for each.
    through = [s for s in signals if not s.gate and _same_shape(s.carrier, output)]
    if len(signals) == 1:
        through = signals
    if len(through) != 1:
        return Signal(None, refusal=_two_factors(operation, len(through)))
    (signal,) = through
    mask: Any = 1.0
    for factor in factors:
        if inputs.get(id(factor)) is not signal:
            mask = mask * ops.cast(factor, "float32")
    is_open = ops.cast(mask > 0, "float32")

    def rule(carriers: list[Any], upstream: Any) -> list[Any]:
        return vector_jacobian_product(lambda x: x * is_open, carriers, upstream)

    return _joined(output, [signal], rule)


def _same_shape(tensor: Any, other: Any) -> bool:
    return tuple(tensor.shape[1:]) == tuple(other.shape[1:])


def _two_factors(operation: Any, count: int) -> str:
    return (
        "Expected products of exactly one tensor that is no gate (a sigmoid, a "
        "softmax, or one number for a whole map). Received: "
        f"{operation.name!r} ({type(operation).__name__}), which multiplies {count} of "
        "them. Choose a layer above it with layer_name=."
    )


def _joined(
    output: Any, signals: Sequence[Signal], rule: Rule, gate: bool = False
) -> Signal:
    """The signal after a layer without weights."""
    nearest = frozenset[WeightedCall]().union(*(signal.nearest for signal in signals))
    carrier = _carrier(output, [signal.carrier for signal in signals], rule)
    gate = gate or all(signal.gate for signal in signals)
    return Signal(carrier, nearest, gate=gate)


def _passed(inputs: list[Any], upstream: Any) -> list[Any]:
    return [upstream]


def _carrier(output: Any, carriers: Sequence[Any], rule: Rule) -> Any:
    """A float32 copy of an output whose gradient reaches the carriers by a rule."""

    def backward(inputs: list[Any], output: Any, upstream: Any) -> list[Any]:
        return [None, *rule(inputs[1:], upstream)]

    copy = with_backward_rule(lambda value, *carriers: value, backward)
    return copy(ops.cast(output, "float32"), *carriers)


def _function_of_signals(
    rule: str,
    operation: Any,
    args: Any,
    kwargs: Any,
    inputs: dict[int, Signal | None],
) -> Callable[..., Any]:
    """A call as a function of those of its tensors that have a signal."""
    leaves = keras.tree.flatten((args, kwargs))
    # What does not depend on the target layer takes its share as well.
    fixed = [_fixed(rule, x) if id(x) in inputs else x for x in leaves]
    carrying = [id(x) for x in leaves if inputs.get(id(x)) is not None]
    order = list(dict.fromkeys(carrying))
    tensors = [id(x) in inputs for x in leaves]
    function = _function_of(operation)

    def of_signals(*carriers: Any) -> Any:
        values = [
            carriers[order.index(id(leaf))] if id(leaf) in order else value
            for leaf, value in zip(leaves, fixed, strict=True)
        ]
        if function is None:
            # Numbers and variables that are added are a bias, which has no share.
            return sum(x for x, is_one in zip(values, tensors, strict=True) if is_one)
        new_args, new_kwargs = keras.tree.pack_sequence_as((args, kwargs), values)
        return function(*new_args, **new_kwargs)

    return of_signals


def _fixed(rule: str, tensor: Any) -> Any:
    tensor = ops.cast(tensor, "float32")
    return tensor if rule == "routed" else ops.relu(tensor)


def _function_of(operation: Any) -> Callable[..., Any] | None:
    """What a layer or operation computes; `None` for a sum that is no layer's."""
    if operation == "add" or type(operation).__name__ == "Add":
        if not isinstance(operation, keras.layers.Layer):
            return None
    if isinstance(operation, str):
        return getattr(ops, operation)
    if not isinstance(operation, keras.layers.Layer):
        return operation.call
    # A rule is kept with the compiled function and must not hold the model.
    reference: Callable[[], Any] = weakref.ref(operation)
    return lambda *args, **kwargs: reference().call(*args, **kwargs)


class WeightedCall:
    """Hands the winning probability of a layer's output to its inputs.

    The connections of positive weight share it in proportion to what they contribute;
    the bias is ignored. A batch normalisation after the layer scales each filter by
    `gamma / sigma`; the scale itself cancels, and its sign is that of the connections.

    Example:

    ```python
    call = WeightedCall(layer)
    (probability_of_inputs,) = call.rule([inputs], probability_of_outputs)
    ```

    Args:
        layer: `Conv2D`, `DepthwiseConv2D`, `SeparableConv2D` or `Dense`.
        normalization: `BatchNormalization` between the layer and its activation.

    Attributes:
        contrast: whether what the connections of negative weight would hand down is
            subtracted.
        averaged: whether the output is averaged over all places, and nothing else,
            before it is explained. The average is then part of the contrasted layer:
            place by place, what is subtracted would leave nothing in the sum over the
            channels.
    """

    def __init__(self, layer: Any, normalization: Any = None):
        # A rule is kept with the compiled function and must not hold the model.
        self._layer: Callable[[], Any] = weakref.ref(layer)
        self._normalization: Callable[[], Any] | None = None
        if normalization is not None:
            self._normalization = weakref.ref(normalization)
        self.contrast = False
        self.averaged = False

    @property
    def ends_in_gate(self) -> bool:
        """Whether the layer's activation lies between 0 and 1."""
        return is_gate(self._layer())

    def with_normalization(self, normalization: Any, rank: int) -> WeightedCall | None:
        """The layer and a batch normalisation as one call.

        Args:
            normalization: the `BatchNormalization` layer.
            rank: number of axes of the layer's output.

        Returns:
            The call, or `None` where the layer has an activation of its own or the
            normalisation has no scale for each filter.
        """
        layer = self._layer()
        if getattr(normalization, "gamma", None) is None or self._normalization:
            return None
        if layer.activation not in (None, keras.activations.linear):
            return None
        first = getattr(layer, "data_format", None) == "channels_first"
        if normalization.axis % rank != (1 if first else rank - 1):
            return None
        return WeightedCall(layer, normalization)

    def rule(self, inputs: list[Any], upstream: Any) -> list[Any]:
        """The winning probability of the inputs.

        Args:
            inputs: one float32 tensor, what the layer was called with.
            upstream: winning probability of its output.

        Returns:
            One tensor of the shape of the input.
        """
        kernel = self._kernel()
        if not self.contrast:
            return self._handed_down(ops.relu(kernel), inputs, upstream)
        (excited,) = self._handed_down(ops.relu(kernel), inputs, upstream)
        (inhibited,) = self._handed_down(ops.relu(-kernel), inputs, upstream)
        return [excited - inhibited]

    def _handed_down(self, kernel: Any, inputs: list[Any], upstream: Any) -> list[Any]:
        """What the connections of a kernel without negative weights hand down."""
        together = self.contrast and self.averaged
        if together:
            upstream = self._over_places(upstream)

        def linear(tensor: Any) -> Any:
            output = self._linear(tensor, kernel)
            return self._over_places(output) if together else output

        return shared_in_proportion(linear, inputs, upstream)

    def _over_places(self, maps: Any) -> Any:
        first = getattr(self._layer(), "data_format", None) == "channels_first"
        return ops.sum(maps, axis=(2, 3) if first else (1, 2))

    def _kernel(self) -> Any:
        """float32 weights with the sign that a batch normalisation gives them."""
        layer = self._layer()
        if isinstance(layer, layers.SeparableConv2D):
            kernel = _full_kernel(layer)
        else:
            kernel = ops.cast(layer.kernel, "float32")
        if self._normalization is None:
            return kernel
        sign = ops.sign(ops.cast(self._normalization().gamma, "float32"))
        if isinstance(layer, layers.DepthwiseConv2D):
            sign = ops.reshape(sign, kernel.shape[2:])
        return kernel * sign

    def _linear(self, tensor: Any, kernel: Any) -> Any:
        layer = self._layer()
        if isinstance(layer, layers.Dense):
            return ops.matmul(tensor, kernel)
        if isinstance(layer, layers.Conv2D):
            return layer.convolution_op(tensor, kernel)
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        return (ops.depthwise_conv if depthwise else ops.conv)(
            tensor,
            kernel,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )


def _full_kernel(layer: Any) -> Any:
    """The kernel of the one convolution that a separable convolution amounts to."""
    depthwise = ops.cast(layer.depthwise_kernel, "float32")
    pointwise = ops.cast(layer.pointwise_kernel, "float32")
    channels, multiplier = depthwise.shape[2:]
    pointwise = ops.reshape(pointwise, (channels, multiplier, -1))
    return ops.einsum("hwcm,cmf->hwcf", depthwise, pointwise)
