"""What a functional model says of itself without being called."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.models.functional import Functional

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class GraphOutline:
    """Outputs and sizes of a functional or Sequential model, read from its graph.

    A trace would say the same and take a tenth of the time of a first call.

    Args:
        outputs: name and shape of each, the pictures `None`, in the order in which the
            model returns them.
        largest_bytes: of the largest tensor in float32 that comes out of a layer or
            operation for one picture.
    """

    outputs: tuple[tuple[str, Shape], ...]
    largest_bytes: int


def graph_outline(model: Any) -> GraphOutline | None:
    """The outline of a model, or `None` where its graph does not say everything.

    That is so for a model with a `call` of its own, for layers with layers inside that
    are no models, and for pictures of any size.

    Example:

    ```python
    graph_outline(keras.applications.VGG16()).outputs  # (("0", (None, 1000)),)
    ```

    Args:
        model: any built Keras model.
    """
    structure = _structure_of_outputs(model)
    tensors = [*_tensors_of_operations(model)]
    known = all(t is not None and None not in t.shape[1:] for t in tensors)
    if structure is None or not known:
        return None
    outputs = keras.tree.flatten_with_path(structure)
    return GraphOutline(
        tuple(
            ("/".join(map(str, path)) or "0", (None, *tensor.shape[1:]))
            for path, tensor in outputs
        ),
        4 * max(math.prod(tensor.shape[1:]) for tensor in tensors),
    )


def _structure_of_outputs(model: Any) -> Any:
    """Symbolic tensors that a model returns; `None` where it does not only do that."""
    if isinstance(model, Functional) and type(model).call is Functional.call:
        return model.output
    sequential = keras.Sequential
    if isinstance(model, sequential) and type(model).call is sequential.call:
        # There is no graph where its layers are called one after another.
        return next(iter(getattr(model, "outputs", None) or []), None)
    return None


def _tensors_of_operations(model: Any) -> Iterator[Any]:
    """Symbolic tensors that come out of layers; `None` for a layer without any.

    Operations between the layers of a functional model have theirs too.
    """
    for layer in model._flatten_layers():
        between = layer.operations if isinstance(layer, Functional) else []
        for operation in between if layer is model else [layer, *between]:
            calls = [node.output_tensors for node in operation._inbound_nodes]
            yield from itertools.chain.from_iterable(calls or [[None]])
