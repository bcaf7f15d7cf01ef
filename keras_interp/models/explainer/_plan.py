"""What an explainer takes from a performer: where it starts, and what it rebuilds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from keras_interp._network.graph import NORMALISATIONS, is_activation, is_graph
from keras_interp._network.opened_graph import OpenedCall, OpenedGraph
from keras_interp.models._channel_layout import channels_first_operations

_GLOBAL = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
POOLINGS = (keras.layers.AveragePooling2D, keras.layers.MaxPooling2D, *_GLOBAL)
# What may stand between the top maps and the first vector and changes no number.
_PASSING = (
    keras.layers.Dropout,
    keras.layers.Identity,
    keras.layers.InputLayer,
    keras.layers.SpatialDropout2D,
)
_SHAPING = (keras.layers.Flatten, keras.layers.Reshape)
# Poolings that a user called as functions, `keras.ops.max_pool(maps)` say.
POOLING_FUNCTIONS = ("AveragePool", "MaxPool")
MOST_REBUILT = 2


@dataclasses.dataclass(frozen=True)
class PerformerPlan:
    """The places in a performer that an explainer needs.

    Attributes:
        graph: The performer, opened.
        target: Call whose maps are explained.
        first_vector: The first call above it that gives a vector of features.
        top_maps: Tensor of the last maps before the vector features, or before the
            pooling that leads to them.
        poolings: Pooling and zero-padding layers that lead from maps of the target's
            size to the first vector, in order.
        rebuilt: Calls whose vectors are rebuilt, in order; the last one goes back into
            the performer.
        names: Path of each, that of the dense layer and not of its activation.
        dense: The performer's dense layers of `rebuilt`; None for pooled maps, and for
            class scores that are pooled the 1x1 convolution that gives them.
    """

    graph: OpenedGraph
    target: OpenedCall
    first_vector: OpenedCall
    top_maps: Any
    poolings: tuple[Any, ...]
    rebuilt: tuple[OpenedCall, ...]
    names: tuple[str, ...]
    dense: tuple[OpenedCall | None, ...]

    @property
    def rebuilds_pooled_maps(self) -> bool:
        """Whether the pooled maps themselves are rebuilt: no dense layer before."""
        return self.rebuilt[0] is self.first_vector and self.dense[0] is None


def plan_performer(
    performer: keras.Model, target_layer: str, rebuilt_layers: Sequence[str] | None
) -> PerformerPlan:
    """Find the target layer, the features to rebuild and the poolings between.

    Args:
        performer: Built functional or Sequential classifier.
        target_layer: Name or path of the layer whose maps are explained.
        rebuilt_layers: Names of the layers whose vectors are rebuilt, in order; None
            takes the last two dense layers before the classifying one, or the pooled
            maps where there is none.

    Raises:
        ValueError: If a layer is missing or does not fit.
    """
    _check_performer(performer)
    graph = OpenedGraph(performer)
    target = graph.finished(graph.find(target_layer))
    if target.shape is None or len(target.shape) != 4 or None in target.shape[1:]:
        raise ValueError(
            "Expected as `target_layer` a layer with maps (batch, height, width, "
            f"channels) of a known size. Received: {target_layer!r} with the output "
            f"{target.shape}. Layers with such maps: {_map_layers(graph)}."
        )
    if id(target.operation) in channels_first_operations(performer):
        raise ValueError(
            "Expected as `target_layer` a layer with channels-last maps. Received: "
            f"{target_layer!r}, whose data_format, or that of the layers around it, is "
            "'channels_first'. Build the performer with 'channels_last'."
        )
    above = graph.after(target.outputs)
    # A gate computed from pooled maps (squeeze and excitation) is no such vector.
    vectors = [c for c in above if is_vector(c) and graph.carries_all(c, target)]
    if not vectors:
        raise ValueError(
            f"No vector of features depends on {target_layer!r}: choose a layer below "
            "the pooling or flattening that leads to the dense layers of "
            f"{performer.name!r}."
        )
    rebuilt = _named(graph, above, rebuilt_layers) or _usual(graph, vectors)
    poolings = [
        c.operation
        for c in above
        if (_pools(c) or isinstance(c.operation, keras.layers.ZeroPadding2D))
        and _leads_to_vector(c, vectors[0], graph)
        and graph.carries_all(c, target)
    ]
    scores = scoring_convolution(graph, vectors[0])
    return PerformerPlan(
        graph,
        target,
        vectors[0],
        _maps_below(graph, scores or vectors[0]),
        tuple(poolings),
        tuple(finished for _, finished in rebuilt),
        tuple(call.path for call, _ in rebuilt),
        tuple(
            scores if call is vectors[0] else _dense_of(graph, call)
            for call, _ in rebuilt
        ),
    )


def _check_performer(performer: Any) -> None:
    if not isinstance(performer, keras.Model) or not is_graph(performer):
        raise ValueError(
            "Expected as `performer` a built functional or Sequential Keras model, "
            f"whose layers Keras knows as a graph. Received: {type(performer).__name__}"
            f" {getattr(performer, 'name', '')!r}. Build it on keras.Input, or call it "
            "on data first."
        )
    if len(performer.inputs) != 1 or len(performer.outputs) != 1:
        raise ValueError(
            f"Expected a performer with one input and one output. Received: "
            f"{performer.name!r} with {len(performer.inputs)} inputs and "
            f"{len(performer.outputs)} outputs. Make one with keras.Model(inputs, the "
            "output to explain)."
        )
    if len(performer.outputs[0].shape) != 2 or performer.outputs[0].shape[1] is None:
        raise ValueError(
            "Expected a classifier with an output (batch, classes). Received: "
            f"{performer.name!r} with the output {performer.outputs[0].shape}."
        )


def is_vector(call: OpenedCall) -> bool:
    """Whether a call gives `(batch, features)`, or pooled maps of a single cell."""
    shape = call.shape or ()
    if len(shape) == 4:
        return isinstance(call.operation, _GLOBAL) and shape[1:3] == (1, 1)
    return len(shape) == 2


def _dense_of(graph: OpenedGraph, call: OpenedCall) -> OpenedCall | None:
    """The dense layer whose features are finished here."""
    found: OpenedCall | None = call
    while found is not None and not isinstance(found.operation, keras.layers.Dense):
        kinds = (*NORMALISATIONS, *_PASSING)
        passed = is_activation(found.operation) or isinstance(found.operation, kinds)
        found = graph.producer(found.inputs[0]) if passed and found.inputs else None
    return found


def _named(
    graph: OpenedGraph, above: list[OpenedCall], names: Sequence[str] | None
) -> list[tuple[OpenedCall, OpenedCall]]:
    """The layers that the caller names, and where their features are finished."""
    listed = isinstance(names, list | tuple) and all(isinstance(n, str) for n in names)
    if names is not None and not listed:
        raise ValueError(
            "Expected `rebuilt_layers` as a list of names of layers, or None for the "
            f"last dense ones. Received: rebuilt_layers={names!r}."
        )
    found = []
    for name in names or ():
        call = graph.find(name)
        finished = graph.finished(call)
        if finished not in above or not is_vector(finished):
            raise ValueError(
                "Expected in `rebuilt_layers` layers above the target layer with an "
                f"output (batch, features). Received: {name!r} with the output "
                f"{finished.shape}. Such layers: "
                f"{[c.path for c in above if is_vector(c)]}."
            )
        found.append((call, finished))
    return found


def _usual(
    graph: OpenedGraph, vectors: list[OpenedCall]
) -> list[tuple[OpenedCall, OpenedCall]]:
    """The dense layers before the last one; the pooled maps where there are none."""
    dense = [c for c in vectors if isinstance(c.operation, keras.layers.Dense)]
    # The last dense layer gives the scores of the classes.
    if dense and _gives_scores(graph, dense[-1]):
        dense.pop()
    hidden = [(call, graph.finished(call)) for call in dense[-MOST_REBUILT:]]
    return hidden or [(vectors[0], vectors[0])]


def _gives_scores(graph: OpenedGraph, call: OpenedCall) -> bool:
    """Whether nothing but functions without weights, a softmax say, follows."""
    later = [c.operation for c in graph.after(call.outputs)]
    plain = all(isinstance(o, NORMALISATIONS) or not has_weights(o) for o in later)
    same = call.shape is not None and call.shape[-1] == graph.outputs[0].shape[-1]
    return same and plain


def has_weights(operation: Any) -> bool:
    """Whether an operation computes with weights."""
    return bool(getattr(operation, "weights", ()))


def scoring_convolution(graph: OpenedGraph, vector: OpenedCall) -> OpenedCall | None:
    """The 1x1 convolution whose averaged maps are the class scores (SqueezeNet)."""
    average = isinstance(vector.operation, keras.layers.GlobalAveragePooling2D)
    if not average or not _gives_scores(graph, vector):
        return None
    call = graph.producer(vector.inputs[0])
    while call is not None and type(call.operation) is not keras.layers.Conv2D:
        if not is_activation(call.operation):
            return None
        call = graph.producer(call.inputs[0])
    if call is None or call.operation.groups != 1:
        return None
    sizes = (*call.operation.kernel_size, *call.operation.strides)
    return call if set(sizes) == {1} else None


def _maps_below(graph: OpenedGraph, call: OpenedCall) -> Any:
    """The maps that a vector was pooled from, or that a convolution takes."""
    current = graph.producer(call.inputs[0])
    tensor = call.inputs[0]
    while current is not None and _is_passed(current):
        tensor = current.inputs[0]
        current = graph.producer(tensor)
    return tensor


def _is_passed(call: OpenedCall) -> bool:
    kinds = (*_PASSING, *_SHAPING, keras.layers.ZeroPadding2D)
    passes = isinstance(call.operation, kinds) or _pools(call)
    return passes and len(call.inputs) == 1


def _pools(call: OpenedCall) -> bool:
    """Whether a call makes maps smaller, or vectors of them, and has no weights."""
    operation = call.operation
    known = isinstance(operation, POOLINGS)
    if known or type(operation).__name__ in POOLING_FUNCTIONS:
        return True
    # `keras.ops.mean` over the positions, a Lambda, a layer of the user's own.
    to_vector = len(call.shape or ()) == 2 and [len(t.shape) for t in call.inputs] == [
        4
    ]
    return (
        to_vector and not isinstance(operation, _SHAPING) and not has_weights(operation)
    )


def _leads_to_vector(call: OpenedCall, vector: OpenedCall, graph: OpenedGraph) -> bool:
    """Whether a pooling's result goes into the vector, and not only beside it."""
    if call is vector:
        return True
    if isinstance(call.operation, keras.layers.ZeroPadding2D):
        # Padding before a convolution is the convolution's; before a pooling it counts.
        padded = call.outputs[0]
        takers = [c for c in graph.calls if any(t is padded for t in c.inputs)]
        if not any(isinstance(c.operation, keras.layers.MaxPooling2D) for c in takers):
            return False
    return vector in graph.after(call.outputs)


def _map_layers(graph: OpenedGraph) -> list[str]:
    paths = [
        c.path
        for c in graph.calls
        if c.shape and len(c.shape) == 4 and isinstance(c.operation, keras.layers.Layer)
    ]
    return list(dict.fromkeys(paths))
