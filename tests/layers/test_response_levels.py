import numpy as np
import pytest
from keras import ops

from keras_interp.layers.response_levels import ResponseLevels


@pytest.fixture
def levels():
    layer = ResponseLevels()
    layer.build((1,))
    return layer


def state(levels):
    return [float(ops.convert_to_numpy(v)[0]) for v in (levels.high, levels.low)]


def column(*peaks):
    return np.array(peaks, "float32")[:, None]


def test_two_groups_of_peaks_are_told_apart(levels, rng):
    strong = rng.random((200, 16)) < 0.25
    peaks = np.where(strong, 5.0, 1.0) + rng.normal(0, 0.1, strong.shape)
    for batch in peaks:
        targets = levels.update(column(*batch), training=True)
    high, low = state(levels)
    assert abs(high - 5) < 0.2
    assert abs(low - 1) < 0.2
    np.testing.assert_array_equal(
        ops.convert_to_numpy(targets.is_target)[:, 0], strong[-1]
    )
    assert 0.1 < float(targets.density[0]) < 0.4


def test_first_batch_by_hand(levels):
    targets = levels.update(column(0.0, 4.0), training=True)
    np.testing.assert_array_equal(targets.is_target, [[0], [1]])
    # Mean 2 and deviation 2 give 4 and 0, where both groups already are.
    np.testing.assert_allclose(state(levels), [4, 0], atol=1e-6)
    np.testing.assert_allclose(targets.density, [0.5])


def test_without_training_nothing_is_remembered(levels):
    targets = levels.update(column(0.0, 4.0), training=False)
    np.testing.assert_array_equal(targets.is_target, [[0], [1]])
    assert state(levels) == [0, 0]


@pytest.mark.parametrize("first", [np.zeros((0, 1), "float32"), column(np.nan, 1.0)])
def test_a_useless_first_batch_is_as_if_it_had_not_been(first):
    spoilt, fresh = ResponseLevels(), ResponseLevels()
    spoilt.build((1,))
    fresh.build((1,))
    spoilt.update(first, training=True)
    for levels in (spoilt, fresh):
        levels.update(column(1.0, 1.2, 5.0, 5.2), training=True)
    assert state(spoilt) == state(fresh)


def test_a_useless_batch_later_changes_nothing(levels):
    levels.update(column(1.0, 5.0), training=True)
    before = [ops.convert_to_numpy(v) for v in levels.variables]
    levels.update(np.zeros((0, 1), "float32"), training=True)
    levels.update(column(np.nan, np.nan), training=True)
    for variable, old in zip(levels.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)


def test_one_filters_nan_does_not_hold_back_another():
    levels = ResponseLevels()
    levels.build((2,))
    levels.update(np.array([[np.nan, 0], [1, 4]], "float32"), training=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(levels.started), [0, 1])


def test_one_picture_only(levels):
    for _ in range(3):
        targets = levels.update(column(2.0), training=True)
    assert np.isfinite(state(levels)).all()
    assert np.isfinite(ops.convert_to_numpy(targets.density)).all()
