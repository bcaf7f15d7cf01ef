"""The decision tree of a class, and the way of one image through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.graphs import ParseTree
from keras_interp.plotting._canvas import as_image, axes_or_new, show_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.graphs import DecisionTree

_GREY = "0.7"
# Words that are no part.
_OTHERS = ("no part", "other filters", "filters")


def decision_tree(
    tree: DecisionTree,
    images: Any = None,
    ax: Axes | None = None,
    *,
    depth: int = 2,
    title: str | None = None,
) -> Axes:
    """Draws the tree from the root down, with what each node decides by.

    A node is a bar: its length the images of the class that the node covers, its
    colours the shares of the parts in the size of its weights. Under the last nodes
    stands the image of each whose own mode is most like the node's.

    Example:

    ```python
    tree = ki.graphs.DecisionTree().fit(model, images)
    ax = ki.plotting.decision_tree(tree, images)
    ```

    Args:
        tree: a grown `keras_interp.graphs.DecisionTree`; with `name_parts` its bars
            have the colours of parts.
        images: the images that the tree was grown on, in their order, for the examples.
            Default: none are shown.
        ax: axes to draw on. Default: those of a new figure.
        depth: steps from the root that are drawn.
        title: text above the tree. Default: how many images and nodes there are.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if the tree is not grown, or depth is negative.
    """
    small = tree.prune(depth)
    graph = small.to_networkx()
    root = small.structure_.root
    places = _places(graph, root)
    ends = [node for node in places if not list(graph.successors(node))]
    shown = small.structure_.depth().max()
    width = max(4.0, 1.1 * len(ends))
    ax = axes_or_new(ax, width, 1.6 + 1.2 * shown + (1.2 if images is not None else 0))
    colors = _colors(_names(graph, root))
    most = graph.nodes[root]["count"]
    for node, (x, y) in places.items():
        for child in graph.successors(node):
            ax.plot(
                [x, places[child][0]],
                [y - 0.12, places[child][1] + 0.12],
                color="0.5",
                linewidth=0.5 + 4.0 * graph.nodes[child]["count"] / most,
                zorder=1,
                solid_capstyle="butt",
            )
        _draw_node(ax, graph.nodes[node], x, y, colors, most)
    bottom = -shown - 0.5
    if images is not None:
        bottom -= 0.9
        for node in ends:
            x, y = places[node]
            row = _example(tree, small, node)
            inset = ax.inset_axes(
                (x - 0.42, y - 1.15, 0.84, 0.84), transform=ax.transData
            )
            show_image(inset, as_image(images[row]))
    ax.set_xlim(-0.6, max(len(ends) - 0.4, 1.6))
    ax.set_ylim(bottom, 0.5)
    ax.set_axis_off()
    _legend(ax, colors)
    if title is None:
        second = len(small.structure_.children(root))
        title = f"{most} images of the class, {second} nodes under the root"
    ax.set_title(title, fontsize="medium")
    return ax


def parse_path(
    parse: ParseTree,
    image: Any = None,
    ax: Sequence[Axes] | np.ndarray | Axes | None = None,
    *,
    rows: int = 7,
    title: str | None = None,
) -> Axes:
    """Draws how the score of one image is put together, from coarse to fine.

    Each row is a node on the way from the root: the parts, or the strongest filters,
    add to the score to the right and take from it to the left, the bias in grey. The
    black mark is the node's score, the dashed line the network's.

    Example:

    ```python
    tree = ki.graphs.DecisionTree().fit(model, images)
    ax = ki.plotting.parse_path(tree.parse(images[0]), images[0])
    ```

    Args:
        parse: what `DecisionTree.parse` gave.
        image: `(H, W)` or `(H, W, 3)`, shown to the left. Default: none.
        ax: axes to draw the bars on, or two axes, for the image and the bars. Default:
            those of a new figure.
        rows: nodes that are drawn at most, evenly chosen on a long way.
        title: text above the bars. Default: the network's score.

    Returns:
        The axes of the bars.

    Raises:
        ValueError: if an image is given and only one axes.
    """
    if rows < 1:
        raise ValueError(
            f"Expected rows of at least 1. Received: rows={rows!r}. Pass 7, say."
        )
    count = len(parse.nodes)
    chosen = np.unique(np.linspace(0, count - 1, min(rows, count)).astype(int))
    bars = _axes_of_parse(image, ax, len(chosen))
    names, values = parse.summands()
    colors = _colors(names) | {"bias": "0.88"}
    columns = np.column_stack([values, parse.bias])[chosen]
    places = np.arange(len(chosen))
    for sign in (1.0, -1.0):
        sided = np.maximum(sign * columns, 0.0)
        left = sign * (np.cumsum(sided, axis=1) - sided)
        for at, name in enumerate([*names, "bias"]):
            bars.barh(
                places,
                sign * sided[:, at],
                left=left[:, at],
                height=0.62,
                color=colors[name],
                label=name if sign > 0 and np.abs(columns[:, at]).max() > 0 else None,
            )
    bars.scatter(parse.predicted[chosen], places, color="black", marker="|", s=260)
    bars.axvline(parse.score, color="black", linewidth=1.0, linestyle="--")
    bars.axvline(0.0, color="0.3", linewidth=0.8)
    labels = [
        f"{f'step {at}' if at else 'root'}: {size} image{'s' if size > 1 else ''}"
        for at, size in zip(chosen, parse.counts[chosen], strict=True)
    ]
    bars.set_yticks(places, labels, fontsize="small")
    bars.set_ylim(len(chosen) - 0.5, -0.5)
    bars.set_xlabel("added to the score of the class", fontsize="small")
    bars.spines[["top", "right"]].set_visible(False)
    bars.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if title is None:
        title = f"the network's score {parse.score:.2f}, the tree's "
        title += f"{parse.predicted[-1]:.2f}"
    bars.set_title(title, fontsize="medium")
    return bars


def _axes_of_parse(image: Any, ax: Any, rows: int) -> Axes:
    """Axes of the bars; the image is drawn on the others."""
    if image is None:
        return axes_or_new(ax, 7.0, 1.3 + 0.4 * rows)
    if ax is None:
        from matplotlib.figure import Figure

        height = max(2.4, 1.3 + 0.4 * rows)
        figure = Figure(figsize=(9.5, height), layout="constrained")
        ax = figure.subplots(1, 2, width_ratios=[1, 2.2])
    pair = np.ravel(np.asarray(ax, dtype=object))
    if len(pair) != 2:
        raise ValueError(
            f"Expected two axes, for the image and the bars. Received: {len(pair)}. "
            "Make them with plt.subplots(1, 2), or leave ax or the image out."
        )
    show_image(pair[0], image)
    return pair[1]


def _places(graph: Any, root: int) -> dict[int, tuple[float, float]]:
    """Where nodes stand: the ends side by side, others above the middle of theirs."""
    places: dict[int, tuple[float, float]] = {}
    ends = 0

    def place(node: int) -> float:
        nonlocal ends
        children = sorted(
            graph.successors(node), key=lambda one: -graph.nodes[one]["count"]
        )
        if children:
            x = float(np.mean([place(child) for child in children]))
        else:
            x, ends = float(ends), ends + 1
        places[node] = x, -float(graph.nodes[node]["depth"])
        return x

    place(root)
    return places


def _draw_node(
    ax: Axes,
    node: dict[str, Any],
    x: float,
    y: float,
    colors: dict[str, Any],
    most: int,
) -> None:
    shares = node.get("parts", {"filters": 1.0})
    length = 0.25 + 0.65 * np.sqrt(node["count"] / most)
    left = x - length / 2
    for name, share in shares.items():
        ax.barh(y, share * length, 0.24, left, color=colors[name], zorder=2)
        left += share * length
    words = f"{node['count']}"
    ax.text(x, y + 0.15, words, ha="center", va="bottom", fontsize=8, zorder=3)


def _names(graph: Any, root: int) -> tuple[str, ...]:
    return tuple(graph.nodes[root].get("parts", {"filters": 1.0}))


def _colors(names: Sequence[str]) -> dict[str, Any]:
    from matplotlib import colormaps

    palette = colormaps["tab10"]
    found: dict[str, Any] = {}
    place = 0
    for name in names:
        if name in _OTHERS:
            found[name] = _GREY
        else:
            found[name], place = palette(place % 10), place + 1
    return found


def _legend(ax: Axes, colors: dict[str, Any]) -> None:
    from matplotlib.patches import Patch

    if list(colors) != ["filters"]:
        patches = [Patch(color=color, label=name) for name, color in colors.items()]
        ax.legend(
            handles=patches,
            fontsize="x-small",
            loc="upper left",
            ncols=2,
            frameon=False,
        )


def _example(tree: DecisionTree, small: DecisionTree, node: int) -> int:
    """Row of the image under a node whose own mode is most like the node's."""
    whole, part = tree.structure_, small.structure_
    under = np.zeros(len(whole), dtype=bool)
    # Steps count the nodes of the whole tree; ends of images keep their rows.
    own = (whole.step == part.step[node]) & (whole.image == part.image[node])
    under[own] = True
    for one in range(len(whole) - 2, -1, -1):
        under[one] |= under[whole.parent[one]]
    leaves = np.flatnonzero(under & (whole.image >= 0))
    cosines = whole.weights[leaves] @ part.weights[node]
    return int(whole.image[leaves[cosines.argmax()]])
