"""Chance that two filters peak at one place."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import overlap


def test_same_and_different_places():
    same = np.random.default_rng(0).uniform(0, 64, (20, 1, 2)).repeat(5, axis=1)
    assert overlap(same, 64).value == 1.0
    corners = np.broadcast_to([[0, 0], [0, 63], [63, 0], [63, 63]], (20, 4, 2))
    assert overlap(corners, 64).value == 0.0


def test_per_filter_figures():
    positions = np.array([[[10.0, 10.0], [11.0, 10.0], [60.0, 60.0]]])
    found = overlap(positions, 64)
    assert found.value == pytest.approx(1 / 3)
    assert found.per_filter.tolist() == [0.5, 0.5, 0.0]


def test_chance_of_random_filters():
    # More pairs than are compared at once.
    positions = np.random.default_rng(0).uniform(0, 100, (3000, 50, 2))
    # Two uniform points of a unit square within r: pi r^2 - 8/3 r^3 + r^4 / 2.
    r = 0.1 * np.sqrt(2)
    expected = np.pi * r**2 - 8 / 3 * r**3 + r**4 / 2
    assert overlap(positions, 100).value == pytest.approx(expected, rel=0.01)


def test_silent_filters_form_no_pair():
    positions = np.zeros((2, 3, 2))
    positions[0, 2] = np.nan
    positions[1, 1:] = np.nan
    found = overlap(positions, 64)
    assert found.value == 1.0
    assert found.per_filter[:2].tolist() == [1.0, 1.0]
    assert np.isnan(found.per_filter[2])


@pytest.mark.parametrize("shape", [(0, 3, 2), (4, 1, 2), (4, 0, 2)])
def test_without_a_pair_nan(shape):
    assert np.isnan(overlap(np.zeros(shape), 64).value)


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected positions of shape \(images, filters,"
    ):
        overlap(np.zeros((3, 2)), 64)
    with pytest.raises(
        ValueError, match=r"Expected radius as a positive share.*Received: radius=-0\.1"
    ):
        overlap(np.zeros((3, 2, 2)), 64, radius=-0.1)
