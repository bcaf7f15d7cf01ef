"""Figures of a graph: patches of its nodes, its edges, and where it looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_interp import plotting
from keras_interp.graphs import ExplanatoryGraph, InferredNodes
from keras_interp.reproduce.explanatory_graph._task import GraphTask

_NODES = 6
_PICTURES = 3


def draw_graph(
    task: GraphTask, graph: ExplanatoryGraph, nodes: InferredNodes, folder: Path
) -> None:
    """Write the figures of one task, of test pictures.

    Args:
        task: Pictures.
        graph: What was learnt.
        nodes: Its nodes in all pictures of the task.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    tested = np.flatnonzero(~task.learns)
    images = task.dataset.images[tested]
    layer = graph.layers[-1]
    own = nodes.of_layer(layer)
    means = nodes.strengths[np.ix_(tested, own)].mean(axis=0)
    # One node of a filter, so that the rows differ.
    _, first = np.unique(nodes.filters[own][np.argsort(-means)], return_index=True)
    shown = own[np.argsort(-means)][np.sort(first)[:_NODES]]
    axes = plotting.node_patches(
        images, nodes.positions[tested], nodes.strengths[tested], shown
    )
    figure = axes.flat[0].figure
    figure.suptitle(f"{task.name}: nodes of {layer} in their strongest pictures")
    figure.savefig(folder / f"{task.name}_node_patches.png", dpi=100)
    whole = Figure(figsize=(5.2, 5.2), layout="constrained")
    one = nodes.picture(int(tested[0]))
    plotting.explanatory_graph(graph, images[0], one, whole.subplots())
    whole.savefig(folder / f"{task.name}_graph.png", dpi=100)
    places = tested[np.linspace(0, len(tested) - 1, _PICTURES).astype(int)]
    axes = plotting.node_heat_maps(
        task.dataset.images[places],
        nodes.positions[places],
        nodes.strengths[places],
        nodes.layers,
    )
    axes.flat[0].figure.savefig(folder / f"{task.name}_heat_maps.png", dpi=100)
