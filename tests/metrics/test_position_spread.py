"""Spread of the peaks."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import position_spread


def test_known_values():
    positions = np.array([[[0.0, 0.0], [5.0, 5.0]], [[30.0, 40.0], [5.0, 5.0]]])
    found = position_spread(positions, (30, 40))
    # Half of the distance is the standard deviation of two points.
    assert found.per_filter.tolist() == [0.5, 0.0]
    assert found.value == 0.25


def test_uniform_over_the_image():
    positions = np.random.default_rng(0).uniform(0, 100, (20000, 1, 2))
    assert position_spread(positions, 100).value == pytest.approx(
        1 / np.sqrt(12), rel=0.01
    )


def test_silent_images_do_not_count():
    positions = np.random.default_rng(0).uniform(0, 100, (50, 2, 2))
    some = positions.copy()
    some[:20, 0] = np.nan
    found = position_spread(some, 100)
    assert found.per_filter[0] == pytest.approx(
        position_spread(positions[20:, :1], 100).value
    )


@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_images_give_nan(images):
    found = position_spread(np.zeros((images, 3, 2)), 64)
    assert np.isnan(found.per_filter).all()
    assert np.isnan(found.value)


def test_wrong_rank_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected positions of shape \(images, filters,"
    ):
        position_spread(np.zeros((3, 2)), 64)
