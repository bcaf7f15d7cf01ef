"""Cosines of maps and correlations of contributions, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki


def test_cosines_and_correlations_by_hand():
    maps = np.zeros((1, 3, 1, 2))
    maps[0, 0, 0], maps[0, 1, 0], maps[0, 2, 0] = [1, 0], [1, 1], [0, 2]
    found = ki.metrics.orthogonality(maps)
    half = np.sqrt(0.5)
    assert found.map_cosine == pytest.approx(2 * half / 3)
    assert found.map_cosines[0, 1:] == pytest.approx([half, 0.0])
    assert np.isnan(found.contribution_correlation)
    contributions = [[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, -1.0, 2.0]]
    found = ki.metrics.orthogonality(np.repeat(maps, 3, axis=0), contributions)
    # The third never changes: one pair is left, and its correlation is -1.
    assert found.contribution_correlation == pytest.approx(1.0)
    assert found.contribution_correlations[0, 1] == pytest.approx(-1.0)
    assert np.isnan(found.contribution_correlations[2]).all()


def test_dark_maps_have_no_direction():
    maps = np.ones((2, 2, 3, 3))
    maps[0, 1] = 0.0
    assert ki.metrics.orthogonality(maps).map_cosine == pytest.approx(1.0)
    assert np.isnan(ki.metrics.orthogonality(maps[:1]).map_cosine)
    assert np.isnan(ki.metrics.orthogonality(maps[:, :1]).map_cosine)


@pytest.mark.parametrize(
    ("maps", "contributions", "message"),
    [
        (np.ones((2, 3, 3)), None, "Expected finite maps"),
        (np.full((2, 2, 3, 3), np.nan), None, "Expected finite maps"),
        (np.ones((2, 2, 3, 3)), np.ones((2, 3)), r"contributions of shape \(2, 2\)"),
    ],
)
def test_bad_input_is_refused(maps, contributions, message):
    with pytest.raises(ValueError, match=message):
        ki.metrics.orthogonality(maps, contributions)
