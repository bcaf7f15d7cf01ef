"""The graph of a functional model: one answer to what a graph is, one walk over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras

# Keras gives the class of functional models no public name; `keras.Model(inputs,
# outputs)` makes an object of it.
from keras.src.models.functional import Functional

ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ReLU,
)
# Activations that a user called as functions, `keras.ops.relu(maps)` say.
ACTIVATION_FUNCTIONS = ("Elu", "Gelu", "HardSilu", "LeakyRelu", "Relu", "Relu6", "Silu")
NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)


# The classes whose `call` runs through a graph and does nothing else.
_RUNNING_A_GRAPH = (Functional, keras.Function, keras.Sequential)


@dataclasses.dataclass(frozen=True)
class Node:
    """One call of an operation in a graph.

    Attributes:
        operation: layer or other operation.
        inputs: symbolic tensors that it takes.
        outputs: symbolic tensors that it gives.
        is_input: whether it is an input of the graph, and takes none.
    """

    operation: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    is_input: bool
    _arguments: Any

    def again(self, inputs: Iterable[Any]) -> list[Any]:
        """What the operation gives for other tensors in place of its inputs."""
        replaced = zip(self.inputs, inputs, strict=True)
        tensors = {id(old): new for old, new in replaced}
        args, kwargs = self._arguments.fill_in(tensors)
        return keras.tree.flatten(self.operation(*args, **kwargs))


def graph_of(operation: Any) -> Any:
    """The functional graph that a call of a model runs through.

    Args:
        operation: anything; a Keras model or layer is meant.

    Returns:
        The functional model, of a Sequential model the one that it keeps; `None` for
        what is no model, has a `call` of its own, which may do more than the graph
        says, or is not built.
    """
    if not isinstance(operation, _RUNNING_A_GRAPH):
        return None
    kinds = type(operation).__mro__
    caller = next(kind for kind in kinds if "call" in vars(kind))
    # A class of ours may say that its own call computes what its graph does.
    follows = caller in _RUNNING_A_GRAPH or vars(caller).get("call_follows_graph")
    if not follows or "call" in vars(operation):
        return None
    if isinstance(operation, keras.Sequential):
        # A Sequential model shows its layers, but not the calls of them.
        return operation._functional
    return operation


def is_graph(operation: Any) -> bool:
    """Whether a call of it runs through a graph of layers and does nothing else."""
    return graph_of(operation) is not None


def functional_view(model: Any) -> Any:
    """A functional model of the same layers, for a Sequential model too."""
    graph = graph_of(model)
    return keras.Model(graph.input, graph.output, name=model.name)


def nodes_of(graph: Any) -> list[Node]:
    """The calls of a graph, in the order in which Keras makes them.

    Args:
        graph: what `graph_of` gives.

    Returns:
        `Node`s, those of the inputs among them.
    """
    # `keras.Function` gives a public name to the operations, but none to their calls.
    return [
        Node(
            node.operation,
            tuple(node.input_tensors),
            tuple(node.output_tensors),
            node.is_input,
            node.arguments,
        )
        for depth in sorted(graph._nodes_by_depth, reverse=True)
        for node in graph._nodes_by_depth[depth]
    ]


def input_names(graph: Any) -> list[str | None]:
    """Names of the layers or operations whose outputs are the inputs of a graph."""
    by_tensor = {id(t): n.operation.name for n in nodes_of(graph) for t in n.outputs}
    return [by_tensor.get(id(tensor)) for tensor in graph.inputs]


def output_tensors(operation: Any, model: keras.Model) -> list[Any]:
    """All that an operation puts out in a model, call after call."""
    nodes = _nodes_of(operation, graph_of(model))
    return [tensor for node in nodes for tensor in node.outputs]


def finishing_operation(layer: Any, model: keras.Model) -> Any:
    """Follow convolution, normalisation and activation to the finished maps.

    Args:
        layer: a layer of `model`.
        model: the model, or the inner model, that the layer is in.

    Returns:
        The last operation of the chain. It is the layer itself if its output goes to
        several places, or if an activation is built into it.
    """
    graph = graph_of(model)
    while not is_activation(layer):
        consumer = _only_consumer(layer, graph)
        if not (isinstance(consumer, NORMALISATIONS) or only_activates(consumer)):
            break
        layer = consumer
    return layer


def is_activation(operation: Any) -> bool:
    """Whether an operation ends in an activation function."""
    if isinstance(operation, keras.layers.Layer):
        function = getattr(operation, "activation", None)
        if function is not None:
            return function is not keras.activations.linear
        return isinstance(operation, ACTIVATIONS)
    return type(operation).__name__ in ACTIVATION_FUNCTIONS


def only_activates(operation: Any) -> bool:
    """Whether an operation is an activation and nothing else.

    A convolution or dense layer with an activation of its own makes new maps.
    """
    if isinstance(operation, keras.layers.Layer):
        return isinstance(operation, ACTIVATIONS) and is_activation(operation)
    return is_activation(operation)


def is_unfinished(operation: Any) -> bool:
    """Whether maps with meaningful negative values come out of an operation."""
    linear = getattr(operation, "activation", None) is keras.activations.linear
    return isinstance(operation, NORMALISATIONS) or linear


def _nodes_of(operation: Any, graph: Any) -> list[Node]:
    return [node for node in nodes_of(graph) if node.operation is operation]


def _only_consumer(operation: Any, graph: Any) -> Any:
    """The operation that alone takes every output of this one, or `None`."""
    nodes = _nodes_of(operation, graph)
    tensors = {id(tensor) for node in nodes for tensor in node.outputs}
    if tensors & {id(tensor) for tensor in graph.outputs}:
        return None
    consumers = [
        node
        for node in nodes_of(graph)
        if not node.is_input and tensors & {id(t) for t in node.inputs}
    ]
    if not consumers or len(consumers) != len(nodes):
        return None
    consumer = consumers[0].operation
    # A layer that is called several times keeps step only with one called as often.
    same = all(node.operation is consumer for node in consumers)
    in_step = len(_nodes_of(consumer, graph)) == len(nodes)
    return consumer if same and in_step else None
