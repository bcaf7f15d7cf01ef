"""The nodes of an explanatory graph in pictures."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class InferredNodes:
    """Where the nodes of a graph lie in one or several pictures, and how strongly.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = {"conv": np.random.default_rng(0).random((4, 7, 7, 2))}
    >>> field = ki.ReceptiveField(size=32, stride=16, start=8)
    >>> graph = ki.graphs.ExplanatoryGraph(iterations=1)
    >>> graph.fit_maps(maps, {"conv": field}, image_size=112, verbose=0)
    ExplanatoryGraph of 20 nodes: conv 20
    >>> found = graph.infer_maps(maps).picture(0)
    >>> found.positions[found.strongest(5)].shape
    (5, 2)

    Args:
        positions: float32 `(nodes, 2)` for one picture or `(N, nodes, 2)` for N, (x, y)
            in pixels. A node without evidence lies where it is expected.
        strengths: float32 `(nodes,)` or `(N, nodes)`, density times response, summed
            over the node's window; 0 without evidence.
        layers: str `(nodes,)`, the layer of each node.
        filters: int `(nodes,)`, its filter.
        parts: the part that each node follows, `""` where it has no name; see
            `keras_interp.graphs.ExplanatoryGraph.name_parts`.
        image_size: (height, width) of the pictures in pixels.
    """

    positions: np.ndarray
    strengths: np.ndarray
    layers: np.ndarray
    filters: np.ndarray
    parts: tuple[str, ...]
    image_size: tuple[int, int]

    @property
    def located(self) -> np.ndarray:
        """Positions with NaN where a node has no evidence, as the metrics take them."""
        return np.where(self.strengths[..., None] > 0, self.positions, np.nan)

    def of_layer(self, name: str) -> np.ndarray:
        """Places of the nodes of one layer.

        Args:
            name: of the layer.

        Returns:
            int array, for indexing the other fields.

        Raises:
            ValueError: if the graph has no such layer.
        """
        found = np.flatnonzero(self.layers == name)
        if not len(found):
            known = list(dict.fromkeys(self.layers.tolist()))
            raise ValueError(
                f"Expected name out of the graph's layers {known}. Received: "
                f"name={name!r}. Choose one of these."
            )
        return found

    def strongest(self, count: int = 10, layer: str | None = None) -> np.ndarray:
        """Places of the strongest nodes of one picture.

        Args:
            count: how many at most.
            layer: name of the layer to choose from. Defaults to all layers.

        Returns:
            int array, the strongest first; nodes without evidence are left out.

        Raises:
            ValueError: if these are the nodes of several pictures.
        """
        if self.strengths.ndim != 1:
            raise ValueError(
                "Expected the nodes of one picture. Received: those of "
                f"{len(self.strengths)}. Choose one: nodes.picture(0)."
            )
        among = np.arange(len(self.layers)) if layer is None else self.of_layer(layer)
        order = among[np.argsort(-self.strengths[among], kind="stable")]
        return order[self.strengths[order] > 0][:count]

    def picture(self, index: int) -> InferredNodes:
        """The nodes of one of several pictures.

        Args:
            index: place of the picture.

        Returns:
            `InferredNodes` without the axis of pictures.
        """
        return dataclasses.replace(
            self, positions=self.positions[index], strengths=self.strengths[index]
        )
