"""Where a heat map lies over its image, and how much it hides."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_interp.plotting import overlay
from keras_interp.plotting._overlay import heat_extent


def test_cells_lie_at_the_centres_of_their_receptive_fields(images, field):
    ax = overlay(images[0], np.eye(4), receptive_field=field)
    # Cells 8 pixels wide around 3.5, 11.5, 19.5, 27.5: from -0.5 to 31.5.
    assert ax.images[1].get_extent() == [-0.5, 31.5, 31.5, -0.5]
    assert ax.get_xlim() == (-0.5, 31.5)
    assert ax.get_ylim() == (31.5, -0.5)


def test_a_single_row_of_cells_covers_the_height(field):
    left, right, bottom, top = heat_extent((1, 4), (32, 32), field)
    assert (left, right) == (-0.5, 31.5)
    assert bottom - top == 32


def test_without_a_receptive_field_the_map_covers_the_image():
    assert heat_extent((4, 4), (30, 20), None) == (-0.5, 19.5, 29.5, -0.5)


def test_the_coldest_place_is_transparent_and_the_hottest_is_not(images):
    ax = overlay(images[0], [[0.0, 1.0], [4.0, 2.0]], opacity=0.5)
    np.testing.assert_allclose(
        ax.images[1].get_alpha(), 0.5 * np.sqrt([[0, 0.25], [1, 0.5]])
    )
    assert ax.images[1].get_clim() == (0.0, 4.0)


def test_negative_values_set_the_lower_end(images):
    ax = overlay(images[0], [[-1.0, 1.0]])
    assert ax.images[1].get_clim() == (-1.0, 1.0)


def test_an_all_zero_map_leaves_the_image_as_it_is(images):
    ax = overlay(images[0], np.zeros((4, 4)))
    np.testing.assert_array_equal(ax.images[1].get_alpha(), 0)


def test_given_axes_are_drawn_on_and_nothing_is_left_in_pyplot(images):
    before = plt.get_fignums()
    figure = Figure()
    ax = figure.subplots()
    assert overlay(images[0, :, :, 0], np.eye(3), ax, color_bar=True) is ax
    assert len(figure.axes) == 2  # the image and its colour bar
    assert plt.get_fignums() == before


def test_the_figure_can_be_saved(images, tmp_path):
    overlay(images[0], np.eye(3), color_bar=True).figure.savefig(tmp_path / "heat.png")
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_refused(images):
    with pytest.raises(ValueError, match=r"Expected heat of shape \(height, width\)"):
        overlay(images[0], np.zeros((4, 4, 2)))
    with pytest.raises(ValueError, match="Expected heat with finite values"):
        overlay(images[0], [[np.nan, 1.0]])
    with pytest.raises(
        ValueError, match="Expected opacity from 0 to 1.*Received: opacity=2"
    ):
        overlay(images[0], np.eye(2), opacity=2)
