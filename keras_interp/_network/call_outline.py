"""What a functional model says of itself without being called."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterator
from typing import Any

import keras

from keras_interp._network.call_record import CallRecord, LayerCall
from keras_interp._network.graph import graph_of, nodes_of
from keras_interp._network.layer_names import inner_layers
from keras_interp._network.map_layouts import MapLayouts

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class GraphOutline:
    """Calls and outputs of a functional or Sequential model, read from its graph.

    A trace would say the same and take a tenth of the time of a first call.

    Args:
        outputs: name and shape of each, the images `None`, in the order in which the
            model returns them.
        record: the calls of layers and operations, and nothing else of a record.
    """

    outputs: tuple[tuple[str, Shape], ...]
    record: CallRecord


class _NotInGraphError(Exception):
    """The graph does not say everything."""


def graph_outline(model: Any) -> GraphOutline | None:
    """The outline of a model, or `None` where its graph does not say everything.

    That is so for a model with a `call` of its own, for layers with layers inside that
    are no models, and for images of any size.

    Example:

    ```python
    graph_outline(keras.applications.VGG16()).outputs  # (("0", (None, 1000)),)
    ```

    Args:
        model: any built Keras model.
    """
    graph = graph_of(model)
    if graph is None:
        return None
    try:
        layouts = MapLayouts()
        layouts.start(graph.inputs)
        calls = [*_calls(graph, (), {}, layouts)]
    except _NotInGraphError:
        return None
    outputs = keras.tree.flatten_with_path(graph.output)
    return GraphOutline(
        tuple(
            ("/".join(map(str, path)) or "0", (None, *tensor.shape[1:]))
            for path, tensor in outputs
        ),
        CallRecord(model.name, calls, channels_first=layouts.channels_first),
    )


def _calls(
    graph: Any, path: tuple[str, ...], times: dict[int, int], layouts: MapLayouts
) -> Iterator[LayerCall]:
    """The calls inside a graph in the order in which they end.

    Args:
        graph: functional model.
        path: names of the models around its layers.
        times: how often each operation has been called, by its identity; counted on.
        layouts: of the tensors; added to.
    """
    for node in nodes_of(graph):
        if node.is_input:
            continue
        operation, inner = node.operation, graph_of(node.operation)
        own_path = (*path, operation.name)
        if inner is not None:
            if _shapes(inner.inputs) != _shapes(node.inputs):
                raise _NotInGraphError
            layouts.hand_over(node.inputs, inner.inputs)
            yield from _calls(inner, own_path, times, layouts)
            layouts.hand_over(inner.outputs, node.outputs)
        elif isinstance(operation, keras.layers.Layer) and inner_layers(operation):
            raise _NotInGraphError
        index = times.get(id(operation), 0)
        times[id(operation)] = index + 1
        shapes, tensors = _shapes(node.outputs), node.outputs
        one = len(tensors) == 1
        layout = layouts.follow(operation, _floats(node.inputs), tensors[0])
        yield LayerCall(
            own_path,
            weakref.ref(operation),
            index,
            shapes[0] if one else None,
            tensors[0].dtype if one else "",
            layout if one else None,
        )


def _floats(tensors: Any) -> list[Any]:
    return [x for x in tensors if keras.backend.is_float_dtype(x.dtype)]


def _shapes(tensors: Any) -> list[Shape]:
    """Shapes of symbolic tensors, all known but for the number of images."""
    shapes = [tuple(tensor.shape[1:]) for tensor in tensors]
    if any(None in shape for shape in shapes):
        raise _NotInGraphError
    return [(None, *shape) for shape in shapes]
