"""Share of active cells."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import density


def test_known_values():
    maps = np.zeros((2, 4, 4, 3))
    maps[0, 0, :2, 0] = 1.0, 0.5  # 2 of 16
    maps[1, :, :, 0] = 7.0  # 16 of 16
    maps[0, 0, :3, 1] = 100.0, 1.0, 1.1  # one lies exactly at a hundredth
    found = density(maps)
    assert found.per_filter[:2].tolist() == [9 / 16, 2 / 16]
    assert np.isnan(found.per_filter[2])
    assert found.value == pytest.approx(11 / 32)


def test_fraction():
    maps = np.array([1.0, 0.6, 0.4, 0.0]).reshape(1, 2, 2, 1)
    assert density(maps, fraction=0.5).value == 0.5
    assert density(maps, fraction=0.0).value == 0.75


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected feature_maps of shape \(images, height,"
    ):
        density(np.zeros((4, 4)))
    with pytest.raises(
        ValueError,
        match="Expected feature_maps without NaN.*Received: NaN in 1 of 1 maps",
    ):
        density(np.full((1, 2, 2, 1), np.nan))
    with pytest.raises(
        ValueError, match=r"Expected fraction of at least 0.*Received: fraction=1\.0"
    ):
        density(np.zeros((1, 2, 2, 1)), fraction=1.0)
