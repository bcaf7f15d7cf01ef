"""The heat of filters' peaks against the formula, place by place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_interp as ki
from keras_interp.plotting import part_density, part_heatmap

FIELD = ki.ReceptiveField(size=20, stride=8, start=4)


def test_one_filter_gives_a_gaussian_around_its_peak():
    maps = np.zeros((1, 4, 4, 1))
    maps[0, 2, 1, 0] = 5.0
    heat = part_density(maps, FIELD, (32, 32))[0]
    # Cell (2, 1) is centred at x = 12, y = 20; sigma is the stride.
    assert np.unravel_index(heat.argmax(), heat.shape) == (20, 12)
    assert heat[20, 12] == 1.0
    assert heat[20, 20] == pytest.approx(np.exp(-0.5), abs=1e-6)
    assert heat[28, 20] == pytest.approx(np.exp(-1.0), abs=1e-6)


def test_filters_are_weighted_by_their_peaks():
    maps = np.zeros((1, 4, 4, 2))
    maps[0, 0, 0, 0], maps[0, 3, 3, 1] = 1.0, 3.0
    heat = part_density(maps, FIELD, (32, 32), sigma=1.0)[0]
    assert heat[28, 28] == 1.0
    assert heat[4, 4] == pytest.approx(1 / 3, abs=1e-6)


def test_against_a_loop_over_filters(rng):
    maps = np.maximum(rng.normal(size=(3, 4, 5, 7)), 0)
    field = ki.ReceptiveField(size=20, stride=(8, 6), start=(4, 3))
    heat = part_density(maps, field, (32, 30), sigma=5.0)
    y, x = np.mgrid[:32, :30]
    for image in range(3):
        expected = np.zeros((32, 30))
        for index in range(7):
            one = maps[image, :, :, index]
            row, column = np.unravel_index(one.argmax(), one.shape)
            squared = (x - (3 + 6 * column)) ** 2 + (y - (4 + 8 * row)) ** 2
            expected += one.max() * np.exp(-squared / 50) / (2 * np.pi * 25)
        np.testing.assert_allclose(heat[image], expected / expected.max(), atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.1, 1e4))
def test_the_scale_of_the_maps_does_not_matter(seed, factor):
    maps = np.maximum(np.random.default_rng(seed).normal(size=(2, 4, 4, 3)), 0)
    one = part_density(maps, FIELD, (32, 32))
    np.testing.assert_allclose(
        part_density(maps * factor, FIELD, (32, 32)), one, atol=1e-4
    )
    assert one.min() >= 0 and one.max() <= 1


def test_silent_filters_give_no_heat_and_no_warning():
    np.testing.assert_array_equal(
        part_density(np.zeros((2, 4, 4, 3)), FIELD, (32, 32)), 0
    )


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected feature_maps of shape \(images, height,"
    ):
        part_density(np.zeros((4, 4, 3)), FIELD, (32, 32))
    with pytest.raises(ValueError, match="NaN"):
        part_density(np.full((1, 4, 4, 1), np.nan), FIELD, (32, 32))
    with pytest.raises(
        ValueError, match="Expected sigma as a positive number.*Received: sigma=0"
    ):
        part_density(np.ones((1, 4, 4, 1)), FIELD, (32, 32), sigma=0)


def test_the_heat_map_is_drawn_over_the_image(images, maps):
    ax = part_heatmap(images[0], maps[0], FIELD, color_bar=True, title="parts")
    np.testing.assert_allclose(
        ax.images[1].get_array(), part_density(maps[:1], FIELD, (32, 32))[0]
    )
    assert ax.images[1].get_clim() == (0.0, 1.0)
    assert ax.get_title() == "parts"


def test_a_batch_of_maps_is_refused(images, maps):
    with pytest.raises(ValueError, match=r"such as maps\[0\]"):
        part_heatmap(images[0], maps, FIELD)
