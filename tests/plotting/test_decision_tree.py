"""The tree drawn from the root down, and the way of one image through it."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture(scope="module")
def modes() -> ki.graphs.DecisionModes:
    random = np.random.default_rng(0)
    gradients = random.normal(size=(20, 6)) + 1.0
    activations = random.uniform(size=gradients.shape)
    scores = (gradients * activations).sum(axis=1) - 1.0
    return ki.graphs.DecisionModes.from_maps(activations, gradients, scores)


@pytest.fixture
def tree(modes) -> ki.graphs.DecisionTree:
    return ki.graphs.DecisionTree(selection=None).fit_modes(modes)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (20, 8, 8, 3)).astype("uint8")


def test_every_node_says_how_many_images_it_covers(tree):
    ax = ki.plotting.decision_tree(tree, depth=2)
    small = tree.prune(2).structure_
    shown = sorted(int(text.get_text()) for text in ax.texts)
    assert shown == sorted(small.count)
    # Bars without parts have one colour; an edge leads to each node but the root.
    assert len(ax.patches) == len(small)
    assert len(ax.lines) == len(small) - 1
    assert ax.get_legend() is None


def test_bars_are_the_shares_of_the_parts(tree):
    tree.name_parts(np.array([0, 0, 1, 1, 1, -1]), ["head", "tail"])
    ax = ki.plotting.decision_tree(tree, depth=0)
    widths = np.array([patch.get_width() for patch in ax.patches])
    sizes = np.abs(tree.structure_.weights[-1])
    expected = [sizes[:2].sum(), sizes[2:5].sum(), sizes[5]]
    np.testing.assert_allclose(widths / widths.sum(), expected / sizes.sum())
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["head", "tail", "no part"]


def test_under_an_end_stands_an_image_that_it_covers(tree, images):
    ax = ki.plotting.decision_tree(tree, images, depth=1)
    second = tree.structure_.children(tree.structure_.root)
    pictures = [inset.images[0].get_array() for inset in ax.child_axes]
    assert len(pictures) == len(second)
    for picture in pictures:
        row = np.abs(images / 255 - picture).mean(axis=(1, 2, 3)).argmin()
        assert row in tree.structure_.image
        np.testing.assert_allclose(picture, images[row] / 255, atol=1e-6)


def test_the_bars_of_a_way_reach_the_score_of_its_node(tree, modes, images):
    tree.name_parts(np.array([0, 0, 1, 1, 1, -1]), ["head", "tail"])
    parse = tree.parse(modes.take([0]))
    ax = ki.plotting.parse_path(parse, images[0], rows=3)
    rows = {}
    for patch in ax.patches:
        row = round(patch.get_y() + patch.get_height() / 2)
        rows[row] = rows.get(row, 0.0) + patch.get_width()
    assert len(rows) == 3
    assert rows[0] == pytest.approx(parse.predicted[0])
    assert rows[2] == pytest.approx(parse.predicted[-1])
    assert any(line.get_xdata()[0] == parse.score for line in ax.lines)
    assert ax.get_yticklabels()[0].get_text() == f"root: {parse.counts[0]} images"
    # The image stands beside the bars.
    assert len(ax.figure.axes) == 2


def test_without_parts_the_strongest_filters_are_shown(tree, modes):
    ax = ki.plotting.parse_path(tree.parse(modes.take([0])))
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    strongest = np.abs(tree.parse(modes.take([0])).contributions[-1]).argmax()
    assert f"filter {strongest}" in words


def test_wrong_arguments_are_refused(tree, modes, images):
    from matplotlib.figure import Figure

    parse = tree.parse(modes.take([0]))
    with pytest.raises(ValueError, match="two axes"):
        ki.plotting.parse_path(parse, images[0], Figure().subplots())
    with pytest.raises(ValueError, match="rows of at least 1"):
        ki.plotting.parse_path(parse, rows=0)
    with pytest.raises(ValueError, match="depth as an integer"):
        ki.plotting.decision_tree(tree, depth=-1)
