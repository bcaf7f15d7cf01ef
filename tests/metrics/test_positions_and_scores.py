"""Peaks of feature maps in pixels."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.metrics import positions_and_scores

FIELD = ki.ReceptiveField(size=196, stride=16, start=7.5)


def test_peak_is_put_at_the_centre_of_its_field():
    maps = np.zeros((2, 14, 10, 3))
    maps[0, 5, 6, 0] = 3.0
    maps[1, 13, 9, 2] = 2.0
    positions, scores = positions_and_scores(maps, FIELD)
    # (x, y): the column comes first.
    assert positions[0, 0].tolist() == [7.5 + 16 * 6, 7.5 + 16 * 5]
    assert positions[1, 2].tolist() == [7.5 + 16 * 9, 7.5 + 16 * 13]
    assert scores.tolist() == [[3.0, 0.0, 0.0], [0.0, 0.0, 2.0]]
    assert np.isnan(positions[0, 1]).all()


def test_agrees_with_argmax(rng):
    maps = rng.random((4, 7, 9, 5))
    positions, scores = positions_and_scores(maps, FIELD)
    for image in range(4):
        for index in range(5):
            row, column = np.unravel_index(maps[image, ..., index].argmax(), (7, 9))
            x, y = positions[image, index]
            assert (x, y) == (7.5 + 16 * column, 7.5 + 16 * row)
            assert scores[image, index] == maps[image, row, column, index]


def test_first_of_equal_peaks_counts():
    maps = np.zeros((1, 3, 3, 1))
    maps[0, 1, 2] = maps[0, 2, 0] = 1.0
    positions, _ = positions_and_scores(maps, ki.ReceptiveField(1, 1, 0))
    assert positions[0, 0].tolist() == [2.0, 1.0]


def test_maps_before_the_relu_may_keep_silent_peaks():
    maps = np.full((1, 2, 2, 1), -3.0)
    maps[0, 1, 0] = -1.0
    positions, scores = positions_and_scores(maps, FIELD)
    assert np.isnan(positions).all()
    assert scores.tolist() == [[0.0]]
    positions, scores = positions_and_scores(maps, FIELD, keep_silent=True)
    assert positions[0, 0].tolist() == [7.5, 23.5]
    assert scores.tolist() == [[-1.0]]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_tensors_of_the_backend(dtype):
    maps = np.zeros((1, 4, 4, 1), dtype="float32")
    maps[0, 2, 3] = 1.5
    tensor = keras.ops.convert_to_tensor(maps, dtype=dtype)
    positions, scores = positions_and_scores(tensor, FIELD)
    assert positions[0, 0].tolist() == [55.5, 39.5]
    assert scores.dtype == np.float64
    assert scores.tolist() == [[1.5]]


def test_no_images():
    positions, scores = positions_and_scores(np.zeros((0, 4, 4, 3)), FIELD)
    assert positions.shape == (0, 3, 2)
    assert scores.shape == (0, 3)


def test_bad_maps_are_refused():
    with pytest.raises(ValueError, match="images, height, width, filters"):
        positions_and_scores(np.zeros((4, 4, 3)), FIELD)
    with pytest.raises(ValueError, match="at least one cell"):
        positions_and_scores(np.zeros((2, 0, 4, 3)), FIELD)
    maps = np.zeros((2, 4, 4, 3))
    maps[0, 0, 0, 1] = maps[1, 2, 2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in 2 of 6 maps"):
        positions_and_scores(maps, FIELD)
