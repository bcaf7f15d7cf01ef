"""Follow the winning probability through the calls that a model makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_interp._network.call_record import LayerCall, tensors_in
from keras_interp._network.calls import Interceptor
from keras_interp._network.graph import is_graph
from keras_interp._network.layer_names import inner_layers
from keras_interp.attribution.excitation._rules import (
    layers_with_a_rule,
    quantization,
    rule_of_function,
    rule_of_operation,
)
from keras_interp.attribution.excitation._signals import Signal, signal_after


@dataclasses.dataclass
class _Frame:
    """A model or layer without a rule, while the calls inside it are followed."""

    operation: Any
    inputs: list[tuple[Any, Signal | None]]
    carries: bool

    @property
    def is_graph(self) -> bool:
        """Whether nothing but layers and operations is called in it."""
        return is_graph(self.operation)

    @property
    def words(self) -> str:
        """Its name and class, and how it is quantised."""
        mode = quantization(self.operation)
        kind = type(self.operation).__name__ + (
            f", quantised to {mode}" if mode else ""
        )
        return f"{self.operation.name!r} ({kind})"


class ExcitationTrace(Interceptor):
    """Builds, beside what a model computes, what its winning probability follows.

    Each tensor that depends on the target layer gets a `Signal`: a float32 copy whose
    gradient with respect to the zeros is its winning probability. The model itself
    computes what it always does.

    Example:

    ```python
    def score(zeros):
        trace = ExcitationTrace(target, None, 0, zeros)
        _, chosen = forward.scores(images, targets, trace)
        return ops.sum(class_scores(trace.end(), chosen)[0]), ()

    probability = backend.value_and_gradient(score, zeros)[2]
    ```

    Args:
        target: call whose units are given their winning probability.
        unit: call from whose unit it starts; `None` for the model's output.
        output: position of the explained output among the model's outputs.
        zeros: float32 tensor of the shape of the target's output.

    Attributes:
        activation: what the target put out, float32.
    """

    def __init__(
        self, target: LayerCall, unit: LayerCall | None, output: int, zeros: Any
    ):
        self.activation: Any = None
        self._target = target
        self._unit = unit
        self._output = output
        self._zeros = zeros
        self._end: Signal | None = None
        # By the identity of a tensor of the model; the tensor keeps the identity taken.
        self._signals: dict[int, tuple[Any, Signal]] = {}
        self._known: dict[int, Any] = {}
        self._times: dict[int, int] = {}
        self._frames: list[_Frame] = []
        self._inside_rule = False

    def end(self, contrastive: bool = False) -> Any:
        """The copy of what the explained unit is one of.

        Args:
            contrastive: whether the connections of negative weight below it are
                subtracted.

        Returns:
            float32 tensor.

        Raises:
            ValueError: if no rules lead from there to the target layer.
        """
        name = self._target.name
        if self._end is None:
            raise ValueError(
                "Expected a layer that the explained score depends on. Received: "
                f"layer_name={name!r}, on which it does not. Choose a layer below it."
            )
        if self._end.refusal is not None:
            raise ValueError(self._end.refusal)
        if contrastive and not self._end.nearest:
            raise ValueError(
                "Expected a layer with a convolution or dense layer above it. "
                f"Received: layer_name={name!r}, which has none. Choose a lower one."
            )
        for call in self._end.nearest if contrastive else ():
            call.contrast = True
        return self._end.carrier

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        index = self._times.get(id(operation), 0)
        self._times[id(operation)] = index + 1
        rule = rule_of_operation(operation)
        if self._inside_rule:
            output = call(*args, **kwargs)
        elif rule is None or not self._frames:
            output = self._entered(operation, call, args, kwargs)
        else:
            self._inside_rule = True
            try:
                output = call(*args, **kwargs)
            finally:
                self._inside_rule = False
            self._follow(rule, operation, args, kwargs, output)
        self._note(operation, index, output)
        return output

    def on_function(
        self, name: str, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        output = call(*args, **kwargs)
        if self._inside_rule or not self._frames:
            return output
        rule = rule_of_function(name, args, kwargs)
        if rule is not None:
            self._follow(rule, name, args, kwargs, output)
        return output

    def _entered(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """Call a model or layer that has no rule, and follow the calls inside it."""
        if self._frames and isinstance(operation, keras.layers.Layer):
            # It would convert them where nobody sees it.
            args, kwargs = keras.tree.map_structure(
                lambda x: _converted(operation, x), (args, kwargs)
            )
        inputs = [(x, self._signal(x)) for x in tensors_in((args, kwargs))]
        carries = any(signal is not None for _, signal in inputs)
        self._frames.append(_Frame(operation, inputs, carries))
        try:
            output = call(*args, **kwargs)
            for tensor in tensors_in(output):
                self._signal(tensor)
        finally:
            self._frames.pop()
        if not self._frames and self._unit is None:
            self._end = self._signal(keras.tree.flatten(output)[self._output])
        return output

    def _follow(
        self, rule: str, operation: Any, args: Any, kwargs: Any, output: Any
    ) -> None:
        """Give the output of a call the signal that follows from its inputs'."""
        tensors = tensors_in(output)
        inputs = {id(x): self._signal(x) for x in tensors_in((args, kwargs))}
        for tensor in tensors:
            # A layer may hand its input on as it is.
            if id(tensor) in self._signals or id(tensor) in inputs:
                continue
            signals = [signal for signal in inputs.values() if signal is not None]
            refusals = [signal for signal in signals if signal.refusal is not None]
            if not signals:
                self._known[id(tensor)] = tensor
            elif refusals:
                self._signals[id(tensor)] = tensor, refusals[0]
            else:
                after = signal_after(rule, operation, args, kwargs, tensor, inputs)
                self._signals[id(tensor)] = tensor, after

    def _note(self, operation: Any, index: int, output: Any) -> None:
        """See whether this was the call of the target, or of the explained layer."""
        target, unit = self._target, self._unit
        if operation is target.operation() and index == target.index:
            (tensor,) = tensors_in(output)
            self.activation = ops.cast(tensor, "float32")
            signal = Signal(self.activation + self._zeros)
            self._signals[id(tensor)] = tensor, signal
            for frame in self._frames:
                frame.carries = True
            if not self._frames:
                self._end = signal
        if unit is not None and operation is unit.operation() and index == unit.index:
            (tensor,) = tensors_in(output)
            self._end = self._signal(tensor)

    def _signal(self, tensor: Any) -> Signal | None:
        """The signal of a tensor of the model, `None` where there is none to follow."""
        if id(tensor) in self._signals:
            return self._signals[id(tensor)][1]
        if id(tensor) not in self._known:
            signal = self._signal_of_unseen(tensor)
            if signal is not None:
                self._signals[id(tensor)] = tensor, signal
                return signal
            self._known[id(tensor)] = tensor
        return None

    def _signal_of_unseen(self, tensor: Any) -> Signal | None:
        """The signal of a tensor that comes out of no call that was seen."""
        frame = self._frames[-1] if self._frames else None
        if frame is None or not frame.carries:
            return None
        if not frame.is_graph:
            return Signal(None, refusal=_refusal(frame))
        # A graph converts its inputs to the precision that it was built for.
        converted = [
            signal
            for x, signal in frame.inputs
            if x.dtype != tensor.dtype and tuple(x.shape) == tuple(tensor.shape)
        ]
        if len(converted) > 1 and any(converted):
            return Signal(None, refusal=_refusal(frame))
        return converted[0] if converted else None


def _converted(layer: Any, value: Any) -> Any:
    """An argument in the precision to which a layer converts its inputs."""
    if not layer.autocast or not tensors_in(value):
        return value
    if keras.backend.standardize_dtype(value.dtype) == layer.input_dtype:
        return value
    return ops.cast(value, layer.input_dtype)


def _refusal(frame: _Frame) -> str:
    layer = isinstance(frame.operation, keras.layers.Layer)
    if layer and inner_layers(frame.operation):
        return (
            "Expected a model that computes with layers alone, which excitation "
            f"backpropagation can follow. Received: {frame.words}, which computes "
            "something between the calls of its layers, such as x + y on tensors. "
            "Write keras.layers.Add or keras.ops.add, say, or choose a layer above it "
            "with layer_name=."
        )
    return (
        "Expected layers that excitation backpropagation has a rule for: "
        f"{layers_with_a_rule()}, and activation functions. Received: {frame.words}. "
        "Choose a layer above it with layer_name=."
    )
