"""Sizes and averages of shapes that are known."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.plotting import (
    average_receptive_field,
    empirical_size,
    receptive_field_shapes,
)


@pytest.fixture
def shapes():
    """A square of 5 pixels, a faint one of 3 around it all, and a silent filter."""
    shapes = np.zeros((3, 31, 31), "float32")
    shapes[0, 13:18, 13:18] = 1.0
    shapes[1, 14:17, 14:17] = 0.2
    shapes[1, 10:14, 10:14] = 0.09  # below half of the maximum
    return shapes


def test_size_is_the_side_of_a_square_of_the_same_area(shapes):
    assert empirical_size(shapes).tolist()[:2] == [5.0, 3.0]
    assert np.isnan(empirical_size(shapes)[2])
    wide = np.zeros((1, 9, 9))
    wide[0, 3:5, 1:9] = 2.0
    assert empirical_size(wide).tolist() == [4.0]


def test_the_average_leaves_out_silent_filters_and_counts_the_others_alike(shapes):
    average = average_receptive_field(shapes)
    assert average.shape == (31, 31)
    assert average[15, 15] == 1.0  # both
    assert average[13, 13] == pytest.approx((1 + 0.45) / 2)  # one, and the faint rim
    assert average[17, 17] == pytest.approx(0.5)
    assert average[10, 10] == pytest.approx(0.225)
    np.testing.assert_array_equal(average_receptive_field(shapes[2:]), 0)


def test_shapes_are_drawn_around_the_peak_beside_the_theoretical_field(shapes, field):
    axes = receptive_field_shapes(shapes, field, names=["a", "b", "c"])
    assert [ax.get_title() for ax in axes] == [
        "a: 5 px",
        "b: 3 px",
        "c: silent",
        "average: 5 px",
    ]
    # The middle of the middle pixel is 0, the field of 20 pixels reaches 10 each way.
    assert axes[0].images[0].get_extent() == [-15.5, 15.5, 15.5, -15.5]
    square = axes[0].lines[0].get_xydata()
    assert np.abs(square).max() == 10 and len(square) == 5
    assert axes[0].get_xlim() == (-11.0, 11.0)
    assert axes[0].get_ylim() == (11.0, -11.0)
    alone = receptive_field_shapes(shapes[:1], field, average=False)
    assert len(alone) == 1


def test_given_axes_are_drawn_on(shapes, field, tmp_path):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(2, 2)
    drawn = receptive_field_shapes(shapes, field, axes)
    assert drawn.tolist() == axes.ravel().tolist()
    figure.savefig(tmp_path / "shapes.png")


def test_bad_input_is_refused(shapes, field):
    with pytest.raises(ValueError, match="2 \\* height - 1"):
        empirical_size(np.zeros((1, 4, 4)))
    with pytest.raises(ValueError, match="at least one filter"):
        average_receptive_field(np.zeros((0, 5, 5)))
    with pytest.raises(
        ValueError, match="Expected names as one name for.*Received: 1 names"
    ):
        receptive_field_shapes(shapes, field, names=["a"])
    with pytest.raises(ValueError, match="ax to hold 1 rows and 4 columns"):
        receptive_field_shapes(shapes, field, np.empty(3, object))
