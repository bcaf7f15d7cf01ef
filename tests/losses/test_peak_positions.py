import numpy as np
import pytest
from keras import ops

from keras_interp.losses._templates import (
    activation_spread,
    centroids,
    peak_positions,
)

MAP = np.array([[0, 0, 0], [0, 2, 1], [0, 1, 0]], "float64")[None, :, :, None]


def peaks(maps, peak):
    return [ops.convert_to_numpy(v) for v in peak_positions(maps, peak)]


def test_centroid_rounds_to_a_cell():
    rows, columns = centroids(ops.convert_to_tensor(MAP))
    assert float(rows[0, 0]) == float(columns[0, 0]) == 1.25
    assert [v.item() for v in peaks(ops.convert_to_tensor(MAP), "centroid")] == [1, 1]


def test_argmax_of_the_same_map():
    assert [v.item() for v in peaks(ops.convert_to_tensor(MAP), "argmax")] == [1, 1]


def test_spread_around_the_centroid():
    one = np.ones((1, 1))
    spread = activation_spread(
        ops.convert_to_tensor(MAP),
        ops.convert_to_tensor(one),
        ops.convert_to_tensor(one),
    )
    np.testing.assert_allclose(float(spread[0, 0]), 0.7071067811865476, rtol=1e-12)


@pytest.mark.parametrize("peak", ["argmax", "centroid"])
def test_all_zero_map_peaks_at_the_top_left(peak):
    rows, columns = peaks(ops.zeros((2, 4, 5, 3)), peak)
    assert rows.shape == (2, 3)
    assert not rows.any() and not columns.any()


def test_halves_round_up_as_in_matlab():
    maps = np.zeros((1, 4, 4, 1), "float32")
    maps[0, 1:3, 0] = 1
    rows, _ = peaks(ops.convert_to_tensor(maps), "centroid")
    assert rows.item() == 2


def test_argmax_on_a_map_that_is_not_square():
    maps = np.zeros((1, 3, 7, 2), "float32")
    maps[0, 2, 5, 0] = 1
    maps[0, 1, 6, 1] = 1
    rows, columns = peaks(ops.convert_to_tensor(maps), "argmax")
    assert rows.tolist() == [[2, 1]] and columns.tolist() == [[5, 6]]


def test_unknown_peak_is_refused():
    with pytest.raises(ValueError, match="centroid"):
        peak_positions(ops.zeros((1, 2, 2, 1)), "median")
