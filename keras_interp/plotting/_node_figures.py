"""Nodes of an explanatory graph: what they look like, how they hang together, where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.graphs import ExplanatoryGraph, InferredNodes
from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._canvas import (
    as_image,
    axes_or_new,
    grid_or_new,
    show_image,
)
from keras_interp.plotting._overlay import overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# Distinct for the colour-blind, from the lowest layer to the highest.
_COLORS = ("#56b4e9", "#e69f00", "#d55e00", "#cc79a7", "#f0e442")


def node_patches(
    images: Any,
    positions: Any,
    strengths: Any,
    nodes: Sequence[int] | np.ndarray,
    ax: np.ndarray | None = None,
    *,
    top: int = 5,
    side: float | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Shows patches of the pictures in which nodes are strongest, around the nodes.

    Example:

    ```python
    found = graph.infer(images)
    best = found.strengths.mean(axis=0).argsort()[::-1][:6]
    ki.plotting.node_patches(images, found.positions, found.strengths, best)
    ```

    Args:
        images: `(N, H, W)` or `(N, H, W, C)`.
        positions: `(N, nodes, 2)`, (x, y) in pixels.
        strengths: `(N, nodes)`, 0 without evidence.
        nodes: places of the nodes to show, a row each.
        ax: array of axes, `top` columns. Default: those of a new figure.
        top: patches of each node.
        side: of a patch in pixels. Default: 0.3 of the images' shorter side.
        names: what to write beside each row. Default: `node 7`.

    Returns:
        The axes, an array `(len(nodes), top)`; those of pictures without evidence stay
        empty.

    Raises:
        ValueError: if shapes do not fit together or a node is unknown.

    Reference:
        Zhang, Cao, Shi, Wu and Zhu, Interpreting CNN Knowledge via an Explanatory
        Graph, AAAI 2018, the figure of patches of nodes.
    """
    pictures, places = to_numpy(images), to_numpy(positions)
    scores, chosen = to_numpy(strengths), np.asarray(nodes, dtype=int)
    _check_nodes(pictures, places, scores)
    if not len(chosen) or chosen.min() < 0 or chosen.max() >= scores.shape[1]:
        raise ValueError(
            f"Expected nodes as places from 0 to {scores.shape[1] - 1}, at least one. "
            f"Received: nodes={chosen.tolist()}. Choose some of the graph's."
        )
    half = (0.3 * min(pictures.shape[1:3]) if side is None else side) / 2
    grid = grid_or_new(ax, len(chosen), top, 1.2, 1.2)
    for panel in grid.flat:
        panel.set_axis_off()
    for row, node in enumerate(chosen):
        best = np.argsort(-scores[:, node], kind="stable")[:top]
        for panel, picture in zip(grid[row], best, strict=False):
            if not scores[picture, node] > 0:
                continue
            show_image(panel, pictures[picture])
            x, y = places[picture, node]
            panel.set_xlim(x - half, x + half)
            panel.set_ylim(y + half, y - half)
            panel.set_facecolor("0.85")
            panel.set_axis_on()
        name = f"node {node}" if names is None else names[row]
        grid[row, 0].set_ylabel(name, fontsize=8)
    return grid


def explanatory_graph(
    graph: ExplanatoryGraph,
    image: Any,
    nodes: InferredNodes,
    ax: Axes | None = None,
    *,
    count: int = 5,
    parents: int = 2,
) -> Axes:
    """Draws the strongest nodes of a picture and the parents that they hang on.

    Dots are nodes, of one colour a layer, the higher the larger; a line goes from each
    node to its first parents in the layer above.

    Example:

    ```python
    ax = ki.plotting.explanatory_graph(graph, image, graph.infer(image))
    ax.figure.savefig("graph.png")
    ```

    Args:
        graph: an `ExplanatoryGraph` that has learnt.
        image: the picture, `(H, W)` or `(H, W, C)`.
        nodes: its nodes, as `graph.infer` gives them.
        ax: axes to draw on. Default: those of a new figure.
        count: how many nodes of the lowest layer.
        parents: how many parents of each node.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if the nodes are of several pictures or of another graph.
    """
    table = graph.nodes
    if nodes.positions.shape != (len(table), 2):
        raise ValueError(
            f"Expected the {len(table)} nodes of one picture. Received: positions of "
            f"shape {nodes.positions.shape}. Pass graph.infer(image)."
        )
    ax = axes_or_new(ax, 5.2, 5.2)
    show_image(ax, image)
    shown = _spread_nodes(nodes, graph.layers[0], count)
    for place, layer in enumerate(graph.layers):
        color = _COLORS[place % len(_COLORS)]
        above = []
        for node in shown:
            here = nodes.positions[node]
            for parent in table.edges[table.edges[:, 1] == node, 0][:parents]:
                ends = np.stack([here, nodes.positions[parent]], axis=-1)
                ax.plot(*ends, color=color, linewidth=1.2, alpha=0.8, zorder=2)
                above.append(int(parent))
        x, y = nodes.positions[shown].T
        ax.scatter(
            x,
            y,
            s=30 + 25 * place,
            color=color,
            edgecolors="black",
            linewidths=0.8,
            label=layer,
            zorder=3 + len(graph.layers) - place,
        )
        shown = np.unique(np.array(above, dtype=int))
    ax.legend(loc="lower left", fontsize=7, framealpha=0.85)
    return ax


def node_heat_maps(
    images: Any,
    positions: Any,
    strengths: Any,
    layers: Any,
    ax: np.ndarray | None = None,
    *,
    width: float = 0.04,
    cmap: str | Colormap = "inferno",
) -> np.ndarray:
    """Lays over pictures where the nodes of each layer lie, weighted by strength.

    Example:

    ```python
    found = graph.infer(images)
    ki.plotting.node_heat_maps(
        images, found.positions, found.strengths, found.layers
    )
    ```

    Args:
        images: `(N, H, W)` or `(N, H, W, C)`.
        positions: `(N, nodes, 2)`, (x, y) in pixels.
        strengths: `(N, nodes)`, 0 without evidence.
        layers: `(nodes,)`, the layer of each node.
        ax: array of axes, a row for each picture, a column for the picture and one for
            each layer. Default: those of a new figure.
        width: standard deviation of the spot of a node, as a share of the diagonal.
        cmap: name of a matplotlib colour map, or the map itself.

    Returns:
        The axes, an array `(N, 1 + layers)`.

    Raises:
        ValueError: if shapes do not fit together.
    """
    pictures, places = to_numpy(images), to_numpy(positions)
    scores, names = to_numpy(strengths), np.asarray(layers)
    _check_nodes(pictures, places, scores)
    if names.shape != scores.shape[1:]:
        raise ValueError(
            f"Expected layers of shape {scores.shape[1:]}, one for each node. "
            f"Received: layers of shape {names.shape}. Pass nodes.layers."
        )
    order = list(dict.fromkeys(names.tolist()))
    grid = grid_or_new(ax, len(pictures), 1 + len(order), 2.0, 2.0)
    for line, picture, place, score in zip(grid, pictures, places, scores, strict=True):
        show_image(line[0], picture)
        for panel, name in zip(line[1:], order, strict=True):
            own = names == name
            heat = _heat(as_image(picture).shape[:2], place[own], score[own], width)
            overlay(picture, heat, panel, cmap=cmap)
    for panel, name in zip(grid[0], ["picture", *order], strict=True):
        panel.set_title(name, fontsize=8)
    return grid


def _check_nodes(
    images: np.ndarray, positions: np.ndarray, strengths: np.ndarray
) -> None:
    wanted = (*strengths.shape, 2)
    if (
        strengths.ndim != 2
        or positions.shape != wanted
        or len(images) != len(positions)
        or not len(images)
    ):
        raise ValueError(
            "Expected positions (images, nodes, 2) and strengths (images, nodes) of "
            f"the same images. Received: images of shape {images.shape}, positions of "
            f"shape {positions.shape}, strengths of shape {strengths.shape}. Pass "
            "what graph.infer(images) gives."
        )


def _spread_nodes(nodes: InferredNodes, layer: str, count: int) -> np.ndarray:
    """The strongest nodes that are not on top of each other."""
    apart = 0.08 * float(np.hypot(*nodes.image_size))
    chosen: list[int] = []
    for node in nodes.strongest(len(nodes.layers), layer):
        gaps = np.linalg.norm(nodes.positions[chosen] - nodes.positions[node], axis=-1)
        if (gaps > apart).all():
            chosen.append(int(node))
        if len(chosen) == count:
            break
    return np.array(chosen, dtype=int)


def _heat(
    size: tuple[int, int], positions: np.ndarray, strengths: np.ndarray, width: float
) -> np.ndarray:
    """Sum of Gaussians `(H, W)` at the nodes."""
    sigma = width * float(np.hypot(*size))
    rows = np.exp(-0.5 * ((np.arange(size[0])[:, None] - positions[:, 1]) / sigma) ** 2)
    columns = np.exp(
        -0.5 * ((np.arange(size[1])[:, None] - positions[:, 0]) / sigma) ** 2
    )
    return (rows * strengths) @ columns.T
