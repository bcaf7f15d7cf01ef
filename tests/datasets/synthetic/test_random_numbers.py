"""Numbers that depend on the seed and the picture alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from keras_interp.datasets.synthetic.random_numbers import PictureRandom


def test_a_picture_has_its_numbers_in_any_company():
    together = PictureRandom(7, np.arange(100))
    alone = PictureRandom(7, np.array([41]))
    some = together.take(slice(40, 42))
    for shape in ((), (3,), (2, 5)):
        expected = together.uniform(shape=shape)
        np.testing.assert_array_equal(alone.uniform(shape=shape)[0], expected[41])
        np.testing.assert_array_equal(some.uniform(shape=shape), expected[40:42])


def test_a_part_goes_on_where_the_whole_was():
    random = PictureRandom(0, np.arange(6))
    random.uniform(shape=(4,))
    some = random.take(slice(2, 4))
    np.testing.assert_array_equal(some.uniform(), random.uniform()[2:4])


@pytest.mark.parametrize("seed", [0, 1, -5, 2**70])
def test_numbers_are_uniform_and_independent(seed):
    values = PictureRandom(seed, np.arange(400)).uniform(shape=(50,))
    assert values.dtype == np.float32 and values.min() >= 0 and values.max() < 1
    assert scipy.stats.kstest(values.ravel(), "uniform").pvalue > 1e-4
    across = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    along = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert abs(across) < 0.03 and abs(along) < 0.03


def test_seeds_differ():
    numbers = np.arange(10)
    first, second = (PictureRandom(seed, numbers).uniform() for seed in (0, 1))
    assert not np.isin(first, second).any()


def test_ranges():
    random = PictureRandom(0, np.arange(2000))
    assert set(random.integers(3)) == {0, 1, 2}
    low = np.array([0.0, 10.0])
    values = random.uniform(low, low + 1, shape=(2,))
    assert (values >= low).all() and (values < low + 1).all()
    assert random.chance(0.25).mean() == pytest.approx(0.25, abs=0.04)
    assert not random.chance(0).any() and random.chance(1).all()
