import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.layers.filter_categories import Targets
from keras_interp.layers.filter_statistics import FilterStatistics
from keras_interp.losses import FILTER_LOSSES

BACKGROUND, OBJECTS = np.zeros(6, int), np.ones(6, int)
PEAKS = np.array([[1.0, 8.0], [3.0, 0.0]], "float32")


def mean_peak(statistics, peaks, is_target, training=False):
    is_target = np.array(is_target, "float32")
    targets = Targets(is_target, is_target.sum(axis=0))
    return ops.convert_to_numpy(statistics.mean_peak(peaks, targets, training))


@pytest.fixture
def statistics():
    layer = FilterStatistics()
    layer.build((None, 2))
    return layer


@pytest.mark.parametrize("training", [False, True])
def test_before_a_target_all_pictures_say_how_large_the_maps_are(statistics, training):
    no_target = [[0, 0], [0, 0]]
    # (1 + 3) / 2 and (8 + 0) / 2.
    found = mean_peak(statistics, PEAKS, no_target, training)
    np.testing.assert_array_equal(found, [2.0, 4.0])
    np.testing.assert_array_equal(ops.convert_to_numpy(statistics.peak_mean), 0.0)
    # One filter has a target, the other has not.
    found = mean_peak(statistics, PEAKS, [[0, 0], [1, 0]], training)
    np.testing.assert_array_equal(found, [3.0, 4.0])
    state = ops.convert_to_numpy(statistics.peak_mean)
    np.testing.assert_array_equal(state, [3.0, 0.0] if training else [0.0, 0.0])


def test_after_a_target_the_other_pictures_do_not_count(statistics):
    mean_peak(statistics, PEAKS, [[1, 1], [0, 0]], training=True)
    found = mean_peak(statistics, 100 * PEAKS, [[0, 0], [0, 0]], training=True)
    np.testing.assert_array_equal(found, [1.0, 8.0])
    # The first batch with a target counts whole, the next a tenth.
    found = mean_peak(statistics, 3 * PEAKS, [[1, 1], [0, 0]], training=True)
    np.testing.assert_allclose(found, [1.2, 9.6], rtol=1e-6)


def test_nan_and_no_picture(statistics):
    broken = PEAKS.copy()
    broken[0] = np.nan
    found = mean_peak(statistics, broken, [[0, 0], [0, 0]], training=True)
    np.testing.assert_array_equal(found, [1.5, 0.0])
    empty = np.zeros((0, 2), "float32")
    found = mean_peak(statistics, empty, empty, training=True)
    np.testing.assert_array_equal(found, 0.0)
    np.testing.assert_array_equal(ops.convert_to_numpy(statistics.peak_mean), 0.0)


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_filter_loss_of_a_first_batch_without_any_target(mode, maps, loss_of):
    """Divided by nearly nothing, the maps would give a loss of many thousands."""

    def mask():
        return ki.layers.InterpretableMask(
            fraction=1.0, filter_loss=mode, filter_loss_weight=1.0, num_categories=1
        )

    layer = mask()
    ordinary = abs(loss_of(mask(), maps, OBJECTS))
    first = loss_of(layer, maps, BACKGROUND)
    assert np.isfinite(first)
    assert abs(first) < 10 * max(1.0, ordinary)
    # How large the maps are does not count, as with targets.
    np.testing.assert_allclose(
        loss_of(mask(), 100 * maps, BACKGROUND), first, rtol=0.01
    )
    peaks = layer._statistics.peak_mean
    np.testing.assert_array_equal(ops.convert_to_numpy(peaks), 0.0)
    # The first targets count whole.
    loss_of(layer, maps, OBJECTS)
    expected = maps.max(axis=(1, 2)).mean(axis=0)
    np.testing.assert_allclose(ops.convert_to_numpy(peaks), expected, rtol=1e-6)
