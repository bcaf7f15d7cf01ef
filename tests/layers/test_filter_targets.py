"""Targets of filters weigh by the share of each filter's own category."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_interp.layers._filter_state import FilterState


@pytest.fixture
def targets():
    """Of eight images one is of category 0, two are of category 1, five of 2.

    Filter 0 fires in category 1, filter 1 in category 0, filter 2 in category 2.
    """
    labels = np.array([0, 1, 1, 2, 2, 2, 2, 2])
    maps = np.zeros((8, 2, 2, 3), "float32")
    for name, category in enumerate((1, 0, 2)):
        maps[labels == category, 0, 1, name] = 1.0
    state = FilterState(by_response=False, literal=False)
    state.prepare(filters=3, templates=None, first_slope=None)
    state.set_num_categories(3)
    found = state.targets(maps, maps.max(axis=(1, 2)), np.eye(3)[labels], True)
    return labels, found


def test_the_density_of_a_filter_is_that_of_its_own_category(targets):
    labels, found = targets
    density = keras.ops.convert_to_numpy(found.density)
    # Not that of category 0, an eighth, for all.
    np.testing.assert_allclose(density, [0.25, 0.125, 0.625])
    is_target = keras.ops.convert_to_numpy(found.is_target)
    np.testing.assert_array_equal(is_target[:, 0], labels == 1)


def test_targets_and_others_weigh_alike_in_sum(targets):
    weights = keras.ops.convert_to_numpy(targets[1].weights())
    # 0.5 / 0.25 for the two targets of filter 0, 0.5 / 0.75 for the six others.
    np.testing.assert_allclose(weights[1, 0], 2.0, rtol=1e-5)
    np.testing.assert_allclose(weights[0, 0], 2 / 3, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=0), [8, 8, 8], rtol=1e-5)
