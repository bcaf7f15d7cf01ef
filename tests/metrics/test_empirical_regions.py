"""Regions made of a filter's measured shape."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.plotting import empirical_regions

FIELD = ki.ReceptiveField(size=20, stride=8, start=4)


@pytest.fixture
def shapes():
    """A square of 5 pixels to the right of the peak, for images of 32 pixels."""
    shapes = np.zeros((1, 63, 63))
    shapes[0, 29:34, 33:38] = 1.0
    return shapes


def test_the_shape_is_laid_at_the_active_unit(shapes):
    maps = np.zeros((2, 4, 4, 1))
    maps[0, 1, 2, 0] = 3.0  # at x = 20, y = 12
    region = empirical_regions(maps, [1.0], FIELD, shapes)
    expected = np.zeros((32, 32), bool)
    expected[10:15, 22:27] = True
    np.testing.assert_array_equal(region[0, 0], expected)
    assert not region[1].any()


def test_units_weaker_than_a_third_of_the_peak_drop_out(shapes):
    maps = np.zeros((1, 4, 4, 1))
    maps[0, 0, 0, 0], maps[0, 3, 0, 0], maps[0, 0, 2, 0] = 9.0, 3.2, 2.8
    region = empirical_regions(maps, [1.0], FIELD, shapes)[0, 0]
    # min(1.5 * 3.2 / 9, 1) is just above half, 1.5 * 2.8 / 9 just below.
    assert region[4, 8] and region[28, 8] and not region[4, 24]


def test_units_at_or_below_the_threshold_do_not_count(shapes):
    maps = np.full((1, 4, 4, 1), 2.0)
    assert not empirical_regions(maps, [2.0], FIELD, shapes).any()
    assert empirical_regions(maps, [1.9], FIELD, shapes).any()


def test_a_unit_centred_outside_the_image_counts_at_the_border(shapes):
    field = ki.ReceptiveField(size=20, stride=8, start=-6)
    maps = np.zeros((1, 4, 4, 1))
    maps[0, 0, 0, 0] = 1.0
    region = empirical_regions(maps, [0.5], field, shapes)[0, 0]
    np.testing.assert_array_equal(np.argwhere(region)[0], [0, 2])


def test_bad_input_is_refused(shapes):
    maps = np.ones((1, 4, 4, 2))
    with pytest.raises(ValueError, match=r"Expected thresholds of shape \(2,\), one"):
        empirical_regions(maps, [1.0], FIELD, shapes)
    with pytest.raises(
        ValueError,
        match=r"Expected shapes of shape \(2, 2",
    ):
        empirical_regions(maps, [1.0, 1.0], FIELD, shapes)
    with pytest.raises(ValueError, match="2 \\* height - 1"):
        empirical_regions(maps[..., :1], [1.0], FIELD, np.zeros((1, 64, 64)))
