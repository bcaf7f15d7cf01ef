"""Find a layer in a graph of layers, and where its feature maps are finished."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

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


@dataclasses.dataclass(frozen=True)
class Place:
    """A layer in a model that may lie inside other models.

    Args:
        models: the models around the layer, outermost first.
        layer: the layer itself.
    """

    models: tuple[keras.Model, ...]
    layer: keras.layers.Layer

    @property
    def path(self) -> str:
        """Names of the inner models and of the layer, with slashes between."""
        return "/".join([*(model.name for model in self.models[1:]), self.layer.name])


def is_graph(layer: Any) -> bool:
    """Whether a layer is a model that Keras runs as a graph of layers."""
    if not isinstance(layer, (keras.Function, keras.Sequential)):
        return False
    # A subclass with a `call` of its own does more than its graph says.
    own_call = not type(layer).call.__module__.startswith("keras.")
    return not own_call and bool(getattr(layer, "outputs", None))


def functional_view(model: keras.Model) -> keras.Model:
    """A functional model of the same layers, for a Sequential model too."""
    graph = _graph(model)
    return keras.Model(graph.input, graph.output, name=model.name)


def places(model: keras.Model, around: tuple[keras.Model, ...] = ()) -> Iterator[Place]:
    """All the layers of a model and of the models inside it, in order."""
    around = (*around, model)
    for layer in model.layers:
        yield Place(around, layer)
        if is_graph(layer):
            yield from places(layer, around)


def find_places(model: keras.Model, layer_name: str) -> list[Place]:
    """The layers of that name or path; an exact path comes alone."""
    found: dict[int, Place] = {}
    for place in places(model):
        if place.path == layer_name:
            return [place]
        if place.path.endswith(f"/{layer_name}"):
            found.setdefault(id(place.layer), place)
    return list(found.values())


def output_tensors(operation: Any, model: keras.Model) -> list[Any]:
    """All that an operation puts out in a model, call after call."""
    nodes = _nodes_of(operation, _graph(model))
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
    graph = _graph(model)
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


def _graph(model: keras.Model) -> keras.Model:
    return model._functional if isinstance(model, keras.Sequential) else model


def _nodes(graph: keras.Model) -> list[Any]:
    """The calls of the graph's operations."""
    return [node for nodes in graph._nodes_by_depth.values() for node in nodes]


def _nodes_of(operation: Any, graph: keras.Model) -> list[Any]:
    return [node for node in _nodes(graph) if node.operation is operation]


def _only_consumer(operation: Any, graph: keras.Model) -> Any:
    """The operation that alone takes every output of this one, or `None`."""
    nodes = _nodes_of(operation, graph)
    tensors = {id(tensor) for node in nodes for tensor in node.outputs}
    if tensors & {id(tensor) for tensor in graph.outputs}:
        return None
    consumers = [
        node
        for node in _nodes(graph)
        if not node.is_input and tensors & {id(t) for t in node.input_tensors}
    ]
    if not consumers or len(consumers) != len(nodes):
        return None
    consumer = consumers[0].operation
    # A layer that is called several times keeps step only with one called as often.
    same = all(node.operation is consumer for node in consumers)
    in_step = len(_nodes_of(consumer, graph)) == len(nodes)
    return consumer if same and in_step else None
