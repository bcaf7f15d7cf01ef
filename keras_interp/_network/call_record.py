"""What a model does when it is called: its layers, its outputs, its activations."""

from __future__ import annotations

import dataclasses
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.calls import ACTIVATIONS, Interceptor, is_rectifier
from keras_interp._network.class_scores import FinalActivation
from keras_interp._network.graph import is_graph
from keras_interp._network.layer_names import LayerPath, match_path
from keras_interp._network.map_layouts import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    NO_MAP,
    MapLayouts,
)

# TensorFlow computes these from a ReLU6, which is no ReLU of the model.
MADE_OF_RELU6 = ("hard_sigmoid", "hard_silu", "hard_swish")


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """One call of a layer or of an operation of a graph.

    Args:
        path: names of the models and layers around it, then its own.
        operation: weak reference to it.
        index: how often it had been called before.
        shape: of what it put out, `None` for the number of images; `None` for
            several tensors.
        dtype: of what it put out.
        layout: of the feature maps that it put out, `"channels_last"` or
            `"channels_first"`; `"no_map"` where its axes mean something else, `None`
            where that is not known.
    """

    path: LayerPath
    operation: weakref.ref[Any]
    index: int
    shape: tuple[int | None, ...] | None
    dtype: str
    layout: str | None = None

    @property
    def name(self) -> str:
        """The path with slashes."""
        return "/".join(self.path)

    @property
    def has_maps(self) -> bool:
        """Whether feature maps of more than one cell came out of it."""
        shape = self.shape_of_maps
        is_map = self.layout in (CHANNELS_LAST, CHANNELS_FIRST)
        return is_map and shape is not None and shape[1:3] != (1, 1)

    @property
    def may_have_maps(self) -> bool:
        """Whether it put out four axes that are not known to be something else."""
        four = self.shape is not None and len(self.shape) == 4
        return four and self.layout != NO_MAP

    @property
    def shape_of_maps(self) -> tuple[int | None, ...] | None:
        """The shape with the channels last."""
        if self.shape is None or self.layout != CHANNELS_FIRST:
            return self.shape
        batch, channels, *cells = self.shape
        return (batch, *cells, channels)


@dataclasses.dataclass(frozen=True)
class ModelOutput:
    """One tensor that a model returns.

    Args:
        name: its name.
        shape: its shape, `None` for the number of images.
        activation: the final activation that is looked through, or `None`.
    """

    name: str
    shape: tuple[int | None, ...]
    activation: str | None

    @property
    def explained(self) -> str:
        """What is explained, in words."""
        if self.activation is None:
            return f"output {self.name!r} as the model returns it"
        words = self.activation.replace("_", "-")
        return f"logits of output {self.name!r} (the final {words} is looked through)"


@dataclasses.dataclass
class CallRecord:
    """All that was seen while a model was traced once.

    Args:
        model_name: name of the model.
        calls: in the order in which they ended.
        outputs: what the model returns.
        activations: names of the activation functions, in the order of first use.
        missed_rectifiers: ReLUs that no interceptor could see.
        bottlenecks: positions of the calls after which no other tensor is used, not
            even the images.
        maps_behind: calls with feature maps that an output depends on, by its position;
            of the outputs that were asked about.
        channels_first: name of a layer that takes the images as channels-first.
    """

    model_name: str
    calls: list[LayerCall] = dataclasses.field(default_factory=list)
    outputs: list[ModelOutput] = dataclasses.field(default_factory=list)
    activations: dict[str, int] = dataclasses.field(default_factory=dict)
    missed_rectifiers: list[str] = dataclasses.field(default_factory=list)
    bottlenecks: list[int] = dataclasses.field(default_factory=list)
    maps_behind: dict[int, list[LayerCall]] = dataclasses.field(default_factory=dict)
    channels_first: str | None = None

    def bytes_of_largest_output(self) -> int:
        """Bytes in float32 of the largest tensor that a call put out for an image."""
        shapes = [call.shape for call in self.calls if call.shape]
        return 4 * max((math.prod(n or 1 for n in s[1:]) for s in shapes), default=0)

    def find_call(self, layer_name: str, call_index: int | None = None) -> LayerCall:
        """The call that is meant by the name of a layer.

        Args:
            layer_name: name or path, such as `"backbone/conv5"`.
            call_index: which call of the layer, where it is called several times.

        Returns:
            The call.

        Raises:
            ValueError: if no layer of that name is called, if it is called several
                times and `call_index` is `None`, or if there is no such call.
        """
        # A layer that is reached along several paths is one layer, called repeatedly.
        paths = {id(call.operation()): call.path for call in reversed(self.calls)}
        known = dict.fromkeys(reversed(paths.values()))
        path = match_path(layer_name, known, self.model_name)
        meant = next(call for call in self.calls if call.path == path).operation()
        calls = [call for call in self.calls if call.operation() is meant]
        if call_index is None and len(calls) > 1:
            raise ValueError(
                f"Expected call_index from 0 to {len(calls) - 1} for layer_name="
                f"{layer_name!r}, which is called {len(calls)} times. Received: "
                "call_index=None. Say which call is meant."
            )
        if not 0 <= (call_index or 0) < len(calls):
            raise ValueError(
                f"Expected call_index from 0 to {len(calls) - 1} for layer_name="
                f"{layer_name!r}, which is called {len(calls)} time(s). Received: "
                f"call_index={call_index}. Choose one of these calls."
            )
        return calls[call_index or 0]

    def last_maps(self) -> LayerCall:
        """The last call that puts out feature maps.

        Raises:
            ValueError: if there is none.
        """
        for call in reversed(self.calls):
            if call.has_maps:
                return call
        raise ValueError(
            "Expected a model with a layer of feature maps (batch, height, width, "
            "channels) of more than one cell. Received: "
            f"model={self.model_name!r}, which has no layer with feature maps. Choose "
            "one with convolutions, or a method that explains the input."
        )


class Recorder(Interceptor):
    """Writes the calls of a model into a record, without computing its ReLUs.

    A ReLU that is left in the trace is one that no interceptor saw.

    Args:
        model: whose calls are recorded.
    """

    def __init__(self, model: Any):
        self.record = CallRecord(model.name)
        self._model = model
        self._path: list[str] = []
        self._times: dict[int, int] = {}
        self._lifetimes = Lifetimes()
        self._layouts = MapLayouts()
        # Whether each layer around was given tokens, and no maps.
        self._among_tokens = [False]

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        # The model itself is not recorded: a record must not keep its model alive.
        if operation is self._model and not self._path:
            images = [x for x in tensors_in((args, kwargs)) if len(x.shape) == 4]
            self._lifetimes.make(images, 0, by_call=False)
            self._layouts.start(images)
            return call(*args, **kwargs)
        index = self._times.get(id(operation), 0)
        self._times[id(operation)] = index + 1
        inputs = tensors_in((args, kwargs))
        self._path.append(operation.name)
        self._among_tokens.append(self._is_given_tokens(operation, inputs))
        self._lifetimes.use((args, kwargs), len(self.record.calls))
        try:
            output = call(*args, **kwargs)
            path = tuple(self._path)
        finally:
            self._path.pop()
            self._among_tokens.pop()
        self._lifetimes.make(output, len(self.record.calls))
        self._note(path, operation, index, inputs, output)
        return output

    def _is_given_tokens(self, operation: Any, inputs: Sequence[Any]) -> bool:
        """Whether what is called inside an operation is called on no maps."""
        ranks = {len(tensor.shape) for tensor in inputs}
        return self._among_tokens[-1] or (
            3 in ranks and 4 not in ranks and not is_graph(operation)
        )

    def _note(
        self,
        path: LayerPath,
        operation: Any,
        index: int,
        inputs: Sequence[Any],
        output: Any,
    ) -> None:
        """Append a call that has ended to the record."""
        tensors = keras.tree.flatten(output)
        one = tensors[0] if len(tensors) == 1 else None
        shape, dtype, layout = None, "", None
        if one is not None:
            shape = (None, *one.shape[1:])
            dtype = keras.backend.standardize_dtype(one.dtype)
            layout = self._layouts.follow(
                operation, inputs, one, among_tokens=self._among_tokens[-1]
            )
        reference = weakref.ref(operation)
        call = LayerCall(path, reference, index, shape, dtype, layout)
        self.record.calls.append(call)

    def on_function(
        self, name: str, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        rectifier = is_rectifier(name, args, kwargs)
        if rectifier or name in ACTIVATIONS:
            counts = self.record.activations
            counts[name] = counts.get(name, 0) + 1
        time = len(self.record.calls)
        self._lifetimes.use((args, kwargs), time)
        if rectifier or name in MADE_OF_RELU6:
            tensors = (x for x in [*args, *kwargs.values()] if ops.is_tensor(x))
            # A tensor of its own, so that what uses it does not seem to use the input.
            output = next(tensors) * 1
        else:
            output = call(*args, **kwargs)
        self._lifetimes.make(output, time, by_call=False)
        for tensor in tensors_in(output):
            self._layouts.follow(name, tensors_in((args, kwargs)), tensor)
        return output

    def finish(self, outputs: Any, seen: FinalActivation) -> list[Any]:
        """Record what the model returned.

        Args:
            outputs: structure of tensors.
            seen: what stood on during the call.

        Returns:
            The tensors of the structure.
        """
        tensors = []
        for path, tensor in keras.tree.flatten_with_path(outputs):
            name = "/".join(map(str, path)) or "0"
            logits, activation = seen.look_through(tensor)
            shape = (None, *logits.shape[1:])
            self.record.outputs.append(ModelOutput(name, shape, activation))
            tensors.append(tensor)
        self._lifetimes.use(tensors, len(self.record.calls) + 1)
        self.record.bottlenecks.extend(self._lifetimes.bottlenecks())
        self.record.channels_first = self._layouts.channels_first
        return tensors


class Lifetimes:
    """Notes when each tensor of a model is made and when it is last used.

    Time is the number of calls that have ended.

    Example:

    ```python
    lifetimes = Lifetimes()
    lifetimes.use(args, time=0)
    lifetimes.make(output, time=0)
    lifetimes.bottlenecks(1)
    ```
    """

    def __init__(self) -> None:
        # By the identity of a tensor; the tensor itself keeps the identity taken.
        self._tensors: dict[int, Any] = {}
        self._made: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._outputs: list[set[int]] = []

    def use(self, structure: Any, time: int) -> None:
        """The tensors of a structure go into a call."""
        for tensor in _tensors_in(structure):
            self._used[id(tensor)] = time

    def make(self, structure: Any, time: int, *, by_call: bool = True) -> None:
        """The tensors of a structure come out of a call, or of a mere function."""
        tensors = _tensors_in(structure)
        for tensor in tensors:
            self._tensors[id(tensor)] = tensor
            self._made.setdefault(id(tensor), time)
        if by_call:
            self._outputs.append({id(tensor) for tensor in tensors})

    def bottlenecks(self) -> list[int]:
        """Positions of the calls after which no other tensor is used any more."""
        alive = np.zeros(len(self._outputs) + 2, int)
        for tensor, made in self._made.items():
            last = self._used.get(tensor, made)
            if last > made:
                alive[made] += 1
                alive[last] -= 1
        alive = np.cumsum(alive)
        found = []
        for position, outputs in enumerate(self._outputs):
            own = sum(
                self._made[x] <= position < self._used.get(x, -1) for x in outputs
            )
            if own and alive[position] == own:
                found.append(position)
        return found


def tensors_in(structure: Any) -> list[Any]:
    """The tensors of real numbers in a structure, variables left out."""
    return [
        leaf
        for leaf in _tensors_in(structure)
        if not isinstance(leaf, keras.Variable)
        and keras.backend.is_float_dtype(keras.backend.standardize_dtype(leaf.dtype))
    ]


def _tensors_in(structure: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(structure) if ops.is_tensor(leaf)]
