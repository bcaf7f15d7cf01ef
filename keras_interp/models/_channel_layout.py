"""Which maps of a model have their channels first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from keras_interp._network.graph import Node, graph_of, nodes_of

# What puts the axes of maps into another order, or makes maps of something else.
_REORDERING_LAYERS = (
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.Reshape,
)
_REORDERING_OPERATIONS = ("Einsum", "Moveaxis", "Reshape", "Swapaxes", "Transpose")


def channels_first_operations(model: Any) -> set[int]:
    """Operations whose maps have their channels first.

    A layer with a `data_format` says so itself; all others have the layout of the
    maps that go in and out, through inner models too.

    Args:
        model: functional or Sequential.

    Returns:
        The `id`s of layers and other operations.
    """
    groups = _Groups()
    first: set[int] = set()
    nodes = list(_linked_nodes(graph_of(model), groups))
    for node in nodes:
        tensors = _maps(node)
        if not _reorders(node.operation):
            groups.join([id(tensor) for tensor in tensors])
        if tensors and _is_channels_first(node.operation):
            first.add(id(tensors[0]))
    roots = {groups.root(tensor) for tensor in first}
    return {
        id(node.operation)
        for node in nodes
        for tensor in node.outputs
        if groups.root(id(tensor)) in roots
    }


def _linked_nodes(graph: Any, groups: _Groups) -> Iterator[Node]:
    """All calls of a graph and of those inside, whose ends belong together."""
    for node in nodes_of(graph):
        inner = graph_of(node.operation)
        if inner is None:
            yield node
            continue
        ends = ((node.inputs, inner.inputs), (node.outputs, inner.outputs))
        for outside, inside in ends:
            for one, other in zip(outside, inside, strict=True):
                groups.join([id(one), id(other)])
        yield from _linked_nodes(inner, groups)


def _maps(node: Node) -> list[Any]:
    return [
        tensor for tensor in (*node.inputs, *node.outputs) if len(tensor.shape) == 4
    ]


def _reorders(operation: Any) -> bool:
    kinds = isinstance(operation, _REORDERING_LAYERS)
    return kinds or type(operation).__name__ in _REORDERING_OPERATIONS


def _is_channels_first(operation: Any) -> bool:
    if isinstance(operation, keras.layers.BatchNormalization):
        return operation.axis == 1
    return getattr(operation, "data_format", None) == "channels_first"


class _Groups:
    """Sets of things that belong together (union-find)."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def root(self, one: int) -> int:
        while (parent := self._parents.get(one, one)) != one:
            one = parent
        return one

    def join(self, members: list[int]) -> None:
        for other in members[1:]:
            self._parents[self.root(other)] = self.root(members[0])
