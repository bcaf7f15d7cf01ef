"""Shifts and turns of pictures, and their total variation."""

import numpy as np
import pytest
from keras import ops

from keras_interp._backend import gradient
from keras_interp.attribution._ascent import moved, total_variation


def moved_by(pictures, *moves):
    return ops.convert_to_numpy(moved(pictures, np.array(moves, "float32")))


@pytest.fixture
def pictures(rng):
    return rng.random((2, 5, 5, 3), dtype="float32")


def test_whole_shifts_roll_the_picture(pictures):
    shifted = moved_by(pictures, (1, -2, 0), (-7, 0, 0))
    np.testing.assert_array_equal(shifted[0], np.roll(pictures[0], (1, -2), (0, 1)))
    np.testing.assert_array_equal(shifted[1], np.roll(pictures[1], -7, 0))


def test_a_quarter_turn(pictures):
    turned = moved_by(pictures, (0, 0, np.pi / 2), (0, 0, np.pi))
    np.testing.assert_allclose(turned[0], np.rot90(pictures[0], -1), atol=1e-5)
    np.testing.assert_allclose(turned[1], pictures[1, ::-1, ::-1], atol=1e-5)


def test_half_a_pixel_is_the_mean_of_neighbours(pictures):
    shifted = moved_by(pictures, (0.5, 0, 0), (0, 0, 0))
    expected = (pictures[0] + np.roll(pictures[0], 1, 0)) / 2
    np.testing.assert_allclose(shifted[0], expected, atol=1e-6)


def test_the_gradient_is_the_transposed_move(pictures, rng):
    signal = rng.normal(size=pictures.shape).astype("float32")
    moves = np.array([(1.3, -2.6, 0.4), (0.2, 3, -1.1)], "float32")
    slope = gradient(lambda x: ops.sum(ops.multiply(moved(x, moves), signal)), pictures)
    forward = (moved_by(pictures, *moves) * signal).sum()
    assert (slope * pictures).sum() == pytest.approx(forward, rel=1e-4)


def test_total_variation_by_hand():
    # Down: |3 - 1| + |0 - 2|; across: |2 - 1| + |0 - 3|.
    picture = np.array([[1.0, 2.0], [3.0, 0.0]]).reshape(1, 2, 2, 1)
    both = np.concatenate([picture, np.ones_like(picture)])
    np.testing.assert_allclose(ops.convert_to_numpy(total_variation(both)), [8, 0])
