"""Rank correlation and structural similarity of maps."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from keras_interp.attribution.sanity._map_similarity import (
    rank_correlation,
    structural_similarity,
)


def test_rank_correlation_of_a_reversed_map():
    one = np.array([[[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]]])
    other = np.array([[[30.0, 20.0, 10.0]], [[0.0, 5.0, 6.0]]])
    np.testing.assert_allclose(rank_correlation(one, other), [-1, 1])


def test_rank_correlation_with_ties_is_that_of_scipy(rng):
    one, other = rng.integers(0, 4, (2, 3, 6, 5)).astype(float)
    expected = [
        spearmanr(a.ravel(), b.ravel()).statistic
        for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(rank_correlation(one, other), expected)


def test_a_constant_map_has_no_ranks():
    assert np.isnan(rank_correlation(np.zeros((1, 3, 3)), np.eye(3)[None])).all()


def test_structural_similarity_of_equal_maps(rng):
    maps = rng.random((2, 16, 12))
    np.testing.assert_allclose(structural_similarity(maps, 5 * maps + 1), 1)
    assert (structural_similarity(maps, 1 - maps) < 0).all()


def test_structural_similarity_by_hand():
    # One window: means .5 and .25, variances .25 and .1875, covariance .125.
    one = np.array([[[0.0, 0.0], [1.0, 1.0]]])
    other = np.array([[[0.0, 0.0], [0.0, 1.0]]])
    expected = (2 * 0.125 + 1e-4) / (0.3125 + 1e-4)
    expected *= (2 * 0.125 + 9e-4) / (0.4375 + 9e-4)
    assert structural_similarity(one, other)[0] == pytest.approx(expected)
