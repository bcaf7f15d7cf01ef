"""Bars of what parts add to a score, and where their filters see them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from keras_interp.attribution import PartContributions
from keras_interp.plotting import part_contributions, part_positions
from keras_interp.plotting._part_contributions import part_colors


@pytest.fixture
def found():
    """Two images; two filters of the head, one of the tail, one of no part."""
    positions = np.full((2, 4, 2), np.nan)
    positions[0] = [[3.0, 7.0], [20.0, 30.0], [4.0, 8.0], [9.0, 9.0]]
    positions[1, 1] = [5.0, 6.0]
    per_filter = np.array([[2, -1, 0.5, 0.25], [0, 3, 0, 0]], "float32")
    values = np.array(
        [[2.5, -1, 0.25, 0.1, 0.9, -0.5], [0, 3, 0, 0, -4, 0.2]], "float32"
    )
    return PartContributions(
        parts=(
            "head",
            "tail",
            "no part",
            "unmasked filters",
            "ordinary track",
            "bias and remainder",
        ),
        filters=np.array([2, 1, 1, 0, 0, 0]),
        values=values,
        per_filter=per_filter,
        filter_parts=np.array([0, 1, 0, 2]),
        confidence=np.array([0.9, 0.8, 0.9, 0.0]),
        distances=np.array([0.1, 0.2, 0.1, np.nan]),
        positions=positions,
        scores=values.sum(axis=1),
        class_index=np.array([2, 0]),
        explained="logits",
    )


@pytest.fixture(autouse=True)
def _nothing_is_shown(monkeypatch):
    """A window in the middle of a script would stop it."""

    def shown(*arguments, **keywords):
        raise AssertionError("plt.show was called")

    monkeypatch.setattr(plt, "show", shown)
    before = plt.get_fignums()
    yield
    assert plt.get_fignums() == before


def test_a_bar_for_each_part(found):
    for image in (1, 0):
        ax = part_contributions(found, image)
        (bars,) = ax.containers
        widths = [bar.get_width() for bar in bars]
        np.testing.assert_allclose(widths, found.values[image])
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "head (2 filters)",
        "tail (1 filter)",
        "no part (1 filter)",
        "unmasked filters",
        "ordinary track",
        "bias and remainder",
    ]
    # The first part is at the top.
    assert ax.yaxis_inverted()
    assert ax.get_title() == "class 2, score 2.25"
    assert ax.get_xlabel() == (
        "contribution to the class score\nnegative: speaks against the class"
    )


def test_parts_have_a_colour_and_the_rest_is_grey(found):
    bars = part_contributions(found, 1).containers[0]
    colors = [bar.get_facecolor() for bar in bars]
    expected = [part_colors(found)[part] for part in found.parts[:3]]
    assert [to_rgba(color) for color in expected] == colors[:3]
    assert colors[3:] == [to_rgba("0.6")] * 3
    assert len(set(colors)) == 4
    assert list(part_colors(found)) == ["head", "tail", "no part"]


def test_filters_are_drawn_where_they_see_their_part(found, images):
    ax = part_positions(images[0], found, 0)
    head, tail, none = ax.collections
    np.testing.assert_array_equal(head.get_offsets(), [[3, 7], [4, 8]])
    np.testing.assert_array_equal(tail.get_offsets(), [[20, 30]])
    np.testing.assert_array_equal(none.get_offsets(), [[9, 9]])
    # Larger where they add more, whatever the sign.
    sizes = [*head.get_sizes(), *tail.get_sizes(), *none.get_sizes()]
    assert np.argsort(sizes).tolist() == [3, 1, 2, 0]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["head", "tail", "no part"]
    np.testing.assert_allclose(
        head.get_facecolor()[0][:3], part_colors(found)["head"][:3]
    )
    assert len(ax.images) == 1


def test_filters_that_do_not_fire_are_left_out(found, images):
    ax = part_positions(images[1], found, 1)
    (tail,) = ax.collections
    np.testing.assert_array_equal(tail.get_offsets(), [[5, 6]])
    np.testing.assert_allclose(
        tail.get_facecolor()[0][:3], part_colors(found)["tail"][:3]
    )
    found.positions[1] = np.nan
    ax = part_positions(images[1], found, 1)
    assert len(ax.collections) == 0
    assert ax.get_legend() is None


def test_filters_that_add_nothing_are_drawn_small(found, images):
    found.per_filter[:] = 0.0
    sizes = [
        part.get_sizes() for part in part_positions(images[0], found, 0).collections
    ]
    assert set(np.concatenate(sizes)) == {12.0}


def test_axes_are_taken_and_given_back(found, images):
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    assert part_contributions(found, 0, left, title="bars") is left
    assert part_positions(images[0], found, 0, right, title="places") is right
    assert (left.get_title(), right.get_title()) == ("bars", "places")
    # Without any, each has a figure of its own that pyplot does not know.
    assert part_contributions(found, 0).figure is not left.figure
    assert part_positions(images[0], found, 0).get_title() == ""


@pytest.mark.parametrize("image", [2, -1])
def test_an_image_that_is_not_there_is_refused(found, images, image):
    with pytest.raises(ValueError, match=f"Expected index from 0 to 1.*index={image}"):
        part_contributions(found, image)
    with pytest.raises(ValueError, match=f"Expected index from 0 to 1.*index={image}"):
        part_positions(images[0], found, image)
