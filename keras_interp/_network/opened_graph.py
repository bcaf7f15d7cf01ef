"""All operations of a model in one list, those of inner models among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras

from keras_interp._network.graph import (
    Node,
    finishing_operation,
    functional_view,
    is_graph,
    nodes_of,
)
from keras_interp._network.layer_names import match_path


@dataclasses.dataclass(frozen=True)
class OpenedCall:
    """One call of an operation.

    Attributes:
        path: Names of the inner models and of the operation, with slashes between.
        operation: Layer or other operation.
        model: The model, or the inner model, that the operation is in.
        inputs: Tensors that it takes.
        outputs: Tensors that it gives.
    """

    path: str
    operation: Any
    model: keras.Model
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """Shape of the only output, None for several."""
        return tuple(self.outputs[0].shape) if len(self.outputs) == 1 else None


class OpenedGraph:
    """The calls of a functional or Sequential model, inner models opened.

    The layers are the model's own, called once more on symbolic tensors; nothing of
    their state changes.

    Example:

    ```python
    graph = OpenedGraph(model)
    maps = graph.find("backbone/conv5").outputs[0]
    features = keras.Model(graph.inputs, maps)
    ```

    Args:
        model: Built functional or Sequential model.

    Attributes:
        inputs: Symbolic inputs.
        outputs: Symbolic outputs.
        calls: `OpenedCall`s in an order in which they can be computed.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.calls: list[OpenedCall] = []
        view = functional_view(model)
        self.inputs = [
            keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            for tensor in keras.tree.flatten(view.inputs)
        ]
        # Of each name, the operation that came first.
        self._named: dict[str, Any] = {}
        self.outputs = self._open(view, self.inputs, "")

    def _open(self, graph: keras.Model, inputs: list[Any], prefix: str) -> list[Any]:
        known = {
            id(old): new for old, new in zip(graph.inputs, inputs, strict=True)
        }  # fmt: skip
        for node in nodes_of(graph):
            self._call(node, graph, known, prefix)
        return [known[id(tensor)] for tensor in graph.outputs]

    def _call(
        self, node: Node, graph: keras.Model, known: dict[int, Any], prefix: str
    ) -> None:
        operation = node.operation
        path = f"{prefix}{operation.name}"
        taken = tuple(known[id(t)] for t in node.inputs)
        if node.is_input:
            given = [known[id(tensor)] for tensor in node.outputs]
        elif is_graph(operation):
            view = functional_view(operation)
            given = self._open(view, list(taken), f"{path}/")
        else:
            given = self._called(node, path, taken)
        known.update(
            {id(old): new for old, new in zip(node.outputs, given, strict=True)}
        )
        call = OpenedCall(path, operation, graph, taken, tuple(given))
        self.calls.append(call)

    def _called(self, node: Node, path: str, taken: tuple[Any, ...]) -> list[Any]:
        """What an operation gives for other tensors than in its own model."""
        operation = node.operation
        if self._named.setdefault(operation.name, operation) is operation:
            return node.again(taken)
        # A model's operations have different names, those of its inner models need
        # not: the second one of a name goes into a model of its own.
        inputs = [keras.Input(batch_shape=t.shape, dtype=t.dtype) for t in taken]
        name = f"{path.replace('/', '_')}_{len(self.calls)}"
        return keras.tree.flatten(
            keras.Model(inputs, node.again(inputs), name=name)(list(taken))
        )

    def find(self, name: str) -> OpenedCall:
        """The first call of a layer, by name or path.

        Raises:
            ValueError: If no layer, or several, have that name.
        """
        # A layer that is reached along several paths is one layer.
        paths: dict[int, str] = {}
        for call in self.calls:
            paths.setdefault(id(call.operation), call.path)
        known = [tuple(path.split("/")) for path in dict.fromkeys(paths.values())]
        path = "/".join(match_path(name, known, self.model.name))
        return next(call for call in self.calls if call.path == path)

    def finished(self, call: OpenedCall) -> OpenedCall:
        """Where the maps or features of a layer are finished: after its activation."""
        last = finishing_operation(call.operation, call.model)
        later = self.calls[self.calls.index(call) :]
        return next(c for c in later if c.operation is last)

    def producer(self, tensor: Any) -> OpenedCall | None:
        """The call that gives a tensor; None for an input of the model."""
        for call in self.calls:
            if any(given is tensor for given in call.outputs):
                return call
        return None

    def after(self, tensors: Iterable[Any]) -> list[OpenedCall]:
        """Calls that depend on one of the tensors."""
        reached = {id(tensor) for tensor in tensors}
        found = []
        for call in self.calls:
            if any(id(tensor) in reached for tensor in call.inputs):
                reached.update(id(tensor) for tensor in call.outputs)
                found.append(call)
        return found

    def carries_all(self, call: OpenedCall, below: OpenedCall) -> bool:
        """Whether nothing of a call below reaches the outputs but through a call."""
        reached = {id(tensor) for tensor in below.outputs}
        for other in self.calls:
            # An inner model's call stands for the calls in it, which are listed too.
            passed = other is call or is_graph(other.operation)
            if not passed and any(id(tensor) in reached for tensor in other.inputs):
                reached.update(id(tensor) for tensor in other.outputs)
        return not any(id(tensor) in reached for tensor in self.outputs)

    def paths(self) -> list[str]:
        """Paths of all layers, each once."""
        layers = (c for c in self.calls if isinstance(c.operation, keras.layers.Layer))
        return list(dict.fromkeys(call.path for call in layers))
