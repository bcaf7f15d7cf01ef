"""Figures of nodes: the right patches, the right edges, the right places."""

import dataclasses

import numpy as np
import pytest

from keras_interp import plotting
from keras_interp.graphs import ExplanatoryGraph


@pytest.fixture
def graph(maps, field):
    fields = {"low": field, "high": field}
    both = {"low": maps[..., :2], "high": maps[..., :1]}
    graph = ExplanatoryGraph(iterations=2, parents=2)
    return graph.fit_maps(both, fields, 32, verbose=0)


@pytest.fixture
def nodes(graph, maps):
    return graph.infer_maps({"low": maps[..., :2], "high": maps[..., :1]})


def test_patches_lie_around_the_nodes_in_their_strongest_pictures(images):
    positions = np.full((6, 2, 2), 10.0)
    positions[3, 1] = [20, 24]
    strengths = np.zeros((6, 2))
    strengths[3, 1], strengths[5, 1] = 2.0, 1.0
    axes = plotting.node_patches(images, positions, strengths, [1, 0], top=3, side=8)
    assert axes.shape == (2, 3)
    assert axes[0, 0].get_xlim() == (16, 24)
    assert axes[0, 0].get_ylim() == (28, 20)
    np.testing.assert_allclose(axes[0, 0].images[0].get_array(), images[3] / 255)
    np.testing.assert_allclose(axes[0, 1].images[0].get_array(), images[5] / 255)
    assert axes[0, 0].get_ylabel() == "node 1"
    # Without evidence there is nothing to show.
    assert not axes[0, 2].images
    assert not any(panel.images for panel in axes[1])


def test_edges_go_to_the_parents(graph, nodes, images):
    one = nodes.picture(2)
    ax = plotting.explanatory_graph(graph, images[2], one, count=1, parents=2)
    (first,) = one.strongest(1, "low")
    table = graph.nodes
    parents = table.edges[table.edges[:, 1] == first, 0]
    ends = [line.get_xydata() for line in ax.lines]
    assert len(ends) == 2
    for end, parent in zip(ends, parents, strict=True):
        np.testing.assert_allclose(end, one.positions[[first, parent]])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["low", "high"]
    with pytest.raises(ValueError, match="one picture"):
        plotting.explanatory_graph(graph, images[0], nodes)


def test_heat_lies_on_the_strong_nodes(images):
    positions = np.array([[[24.0, 8.0], [4.0, 4.0], [10.0, 20.0]]])
    strengths = np.array([[1.0, 0.0, 3.0]])
    axes = plotting.node_heat_maps(
        images[:1], positions, strengths, ["low", "low", "high"]
    )
    assert [panel.get_title() for panel in axes[0]] == ["picture", "low", "high"]
    for panel, (x, y) in zip(axes[0, 1:], [(24, 8), (10, 20)], strict=True):
        heat = np.asarray(panel.images[-1].get_array())
        assert np.unravel_index(heat.argmax(), heat.shape) == (y, x)


def test_what_does_not_fit_is_refused(nodes, images):
    with pytest.raises(ValueError, match="from 0 to"):
        plotting.node_patches(images, nodes.positions, nodes.strengths, [999])
    with pytest.raises(ValueError, match="same images"):
        plotting.node_patches(images[:2], nodes.positions, nodes.strengths, [0])
    with pytest.raises(ValueError, match="layers of shape"):
        plotting.node_heat_maps(images, nodes.positions, nodes.strengths, ["low"])
    blank = dataclasses.replace(nodes, strengths=0 * nodes.strengths).picture(0)
    assert len(blank.strongest(3)) == 0
