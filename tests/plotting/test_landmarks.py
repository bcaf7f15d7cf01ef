"""Points, boxes and masks on an image; absent ones are left out."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.plotting import landmarks
from keras_interp.plotting._landmarks import part_colors


def test_present_points_are_drawn_where_they_are(images):
    points = [[3.0, 7.0], [np.nan, 2.0], [20.0, 30.0]]
    ax = landmarks(images[0], points, names=["head", "back", "tail"])
    drawn = [(float(p.get_xdata()[0]), float(p.get_ydata()[0])) for p in ax.lines]
    assert drawn == [(3.0, 7.0), (20.0, 30.0)]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["head", "tail"]


def test_a_part_keeps_its_colour_when_another_is_absent(images):
    ax = landmarks(images[0], [[np.nan, np.nan], [4.0, 5.0]])
    np.testing.assert_allclose(ax.lines[0].get_color(), part_colors(2)[1])


def test_boxes_and_masks(images):
    masks = np.zeros((2, 32, 32), bool)
    masks[0, :4] = True
    box = [1.0, 2.0, 30.0, 28.0]
    ax = landmarks(images[0], boxes=[box, [np.nan] * 4], masks=masks)
    assert len(ax.lines) == 2  # one box, in black on white
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 30, 30, 1, 1])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2, 2, 28, 28, 2])
    tint = ax.images[1].get_array()
    np.testing.assert_array_equal(tint[..., 3] > 0, masks[0])


def test_no_landmark_at_all(images):
    ax = landmarks(images[0], np.full((3, 2), np.nan), names=["a", "b", "c"])
    assert not ax.lines
    assert ax.get_legend() is None


@pytest.mark.parametrize("count", [1, 10, 15, 40])
def test_colours_differ(count):
    assert len(np.unique(part_colors(count), axis=0)) == count


def test_bad_input_is_refused(images):
    with pytest.raises(
        ValueError,
        match=r"Expected points of shape \(count, 2\)",
    ):
        landmarks(images[0], np.zeros((3, 3)))
    with pytest.raises(
        ValueError,
        match="Expected names as one name for",
    ):
        landmarks(images[0], np.zeros((3, 2)), names=["head"])
    with pytest.raises(
        ValueError,
        match=r"Expected masks of shape \(parts, 32,",
    ):
        landmarks(images[0], masks=np.zeros((1, 8, 8), bool))
    with pytest.raises(ValueError, match="Pass those of one image"):
        landmarks(images[0], masks=np.zeros((32, 32), bool))
