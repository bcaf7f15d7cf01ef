"""All nodes of an explanatory graph in one table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from keras_interp.graphs.explanatory._graph_layers import GraphLayer

if TYPE_CHECKING:
    import networkx


@dataclasses.dataclass(frozen=True)
class NodeTable:
    """All nodes of an explanatory graph, the lowest layer first.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = {"conv": np.random.default_rng(0).random((4, 7, 7, 2))}
    >>> field = ki.ReceptiveField(size=32, stride=16, start=8)
    >>> graph = ki.graphs.ExplanatoryGraph(iterations=1)
    >>> graph.fit_maps(maps, {"conv": field}, image_size=112, verbose=0)
    ExplanatoryGraph of 20 nodes: conv 20
    >>> strongest = graph.nodes.strengths.argmax()
    >>> str(graph.nodes.layers[strongest])
    'conv'

    Args:
        layers: str `(nodes,)`, name of each node's layer.
        filters: int `(nodes,)`, the filter whose pattern it is.
        means: float32 `(nodes, 2)`, mean position, (x, y) in pixels.
        sigmas: float32 `(nodes,)`, spread in pixels.
        strengths: float32 `(nodes,)`, mean strength on the pictures learnt from.
        parts: the part that each node follows, `""` where it has no name.
        edges: int `(edges, 2)`, (parent, child) as places in this table.
    """

    layers: np.ndarray
    filters: np.ndarray
    means: np.ndarray
    sigmas: np.ndarray
    strengths: np.ndarray
    parts: tuple[str, ...]
    edges: np.ndarray

    def __len__(self) -> int:
        return len(self.filters)

    @classmethod
    def of(cls, layers: list[GraphLayer], parts: tuple[str, ...] | None) -> NodeTable:
        """The nodes of layers that stand from the highest to the lowest."""
        low = layers[::-1]
        sizes = [layer.nodes.sigmas.size for layer in low]
        starts = np.cumsum([0, *sizes])
        edges = [np.empty((0, 2), "int64")]
        for place, layer in enumerate(low[:-1]):
            children = np.repeat(np.arange(sizes[place]), layer.parents.shape[1])
            edges.append(
                np.stack(
                    [
                        layer.parents.ravel() + starts[place + 1],
                        children + starts[place],
                    ],
                    axis=-1,
                )
            )
        return cls(
            np.repeat([layer.name for layer in low], sizes),
            np.concatenate(
                [np.repeat(layer.filters, layer.nodes.shape[1]) for layer in low]
            ),
            np.concatenate([layer.nodes.means.reshape(-1, 2) for layer in low]),
            np.concatenate([layer.nodes.sigmas.ravel() for layer in low]),
            np.concatenate([layer.mean_strengths for layer in low]),
            ("",) * int(starts[-1]) if parts is None else parts,
            np.concatenate(edges),
        )

    def to_networkx(self) -> networkx.DiGraph:
        """The nodes for networkx: an edge goes from each parent to its child.

        Returns:
            What `keras_interp.graphs.ExplanatoryGraph.to_networkx` says.
        """
        import networkx

        graph = networkx.DiGraph()
        for index in range(len(self)):
            graph.add_node(
                index,
                layer=str(self.layers[index]),
                filter=int(self.filters[index]),
                x=float(self.means[index, 0]),
                y=float(self.means[index, 1]),
                sigma=float(self.sigmas[index]),
                strength=float(self.strengths[index]),
                part=self.parts[index],
            )
        for parents, children in self.edges:
            graph.add_edge(int(parents), int(children))
        return graph
