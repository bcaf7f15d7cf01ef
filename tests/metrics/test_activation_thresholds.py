"""Thresholds that a share of the cells exceeds, at once and streaming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.metrics import ActivationThreshold, activation_thresholds


def test_known_values():
    maps = np.arange(400.0).reshape(2, 10, 10, 2)
    # Of 200 cells one may lie above: 398 or 399.
    assert activation_thresholds(maps).tolist() == [396.0, 397.0]
    assert activation_thresholds(maps, quantile=0.1).tolist() == [358.0, 359.0]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    quantile=st.floats(0.001, 0.5),
    levels=st.integers(1, 50),
)
def test_no_more_than_the_share_lies_above_and_the_next_lower_value_lets_more(
    seed, quantile, levels
):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, levels, (5, 6, 7, 1)).astype("float32")
    (threshold,) = activation_thresholds(maps, quantile)
    assert (maps > threshold).sum() <= quantile * maps.size
    assert (maps >= threshold).sum() > np.floor(quantile * maps.size)


def test_sparse_maps_have_threshold_zero():
    maps = np.zeros((10, 10, 10, 1))
    maps[0, 0, 0] = 5.0
    assert activation_thresholds(maps).tolist() == [0.0]


def test_no_images_give_nan():
    assert np.isnan(activation_thresholds(np.zeros((0, 4, 4, 3)))).all()
    assert np.isnan(keras.ops.convert_to_numpy(ActivationThreshold(3).result())).all()


def relu_maps(seed, shape=(12, 9, 9, 4)):
    return np.maximum(np.random.default_rng(seed).normal(0, 3, shape), 0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("quantile", [0.005, 0.05, 0.4])
def test_streaming_lies_within_its_accuracy(scale, quantile):
    maps = scale * relu_maps(0)
    metric = ActivationThreshold(4, quantile=quantile)
    for batch in np.split(maps, [3, 4, 10]):
        metric.update_state(batch)
    exact = activation_thresholds(maps, quantile)
    streamed = keras.ops.convert_to_numpy(metric.result())
    assert streamed == pytest.approx(exact, rel=0.0101)


def test_streaming_keeps_zero():
    maps = np.zeros((4, 10, 10, 2))
    maps[0, 0, 0, 0] = 5.0
    metric = ActivationThreshold(2)
    metric.update_state(maps)
    assert keras.ops.convert_to_numpy(metric.result()).tolist() == [0.0, 0.0]


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 12), max_size=4).map(sorted))
def test_streaming_does_not_depend_on_batches_or_merging(cuts):
    maps = relu_maps(1)
    whole = ActivationThreshold(4)
    whole.update_state(maps)
    parts = [ActivationThreshold(4) for _ in range(len(cuts) + 1)]
    for part, batch in zip(parts, np.split(maps, cuts), strict=True):
        part.update_state(batch)
    parts[0].merge_state(parts[1:])
    assert np.array_equal(
        keras.ops.convert_to_numpy(parts[0].result()),
        keras.ops.convert_to_numpy(whole.result()),
    )


def test_values_beyond_the_range_are_counted_at_its_ends():
    maps = np.array([1e-9, 1.0, 1e9, 1e9]).reshape(1, 2, 2, 1)
    metric = ActivationThreshold(1, quantile=0.3)
    metric.update_state(maps)
    assert float(keras.ops.max(metric.result())) == pytest.approx(1e6, rel=0.02)


def test_reset_and_config():
    metric = ActivationThreshold(4, quantile=0.1, accuracy=0.05, name="levels")
    metric.update_state(relu_maps(2))
    metric.reset_state()
    assert np.isnan(keras.ops.convert_to_numpy(metric.result())).all()
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    assert again.get_config() == metric.get_config()


@pytest.mark.parametrize("quantile", [0, 1, -0.5])
def test_bad_quantiles_are_refused(quantile):
    with pytest.raises(ValueError, match="Expected quantile as a share of"):
        activation_thresholds(np.zeros((1, 2, 2, 1)), quantile)
    with pytest.raises(ValueError, match="Expected quantile as a share of"):
        ActivationThreshold(1, quantile)


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match="Expected accuracy between 0 and 1.*Received: accuracy=0"
    ):
        ActivationThreshold(1, accuracy=0)
    with pytest.raises(
        ValueError,
        match=r"Expected 0 < smallest < largest.*Received: smallest=2\.0, largest=1\.0",
    ):
        ActivationThreshold(1, smallest=2.0, largest=1.0)
    metric = ActivationThreshold(2)
    with pytest.raises(ValueError, match="Expected feature_maps with 2 filters, as"):
        metric.update_state(np.zeros((1, 2, 2, 3)))
    with pytest.raises(ValueError, match="NaN"):
        metric.update_state(np.full((1, 2, 2, 2), np.nan))
    with pytest.raises(ValueError, match="same settings"):
        metric.merge_state([ActivationThreshold(2, quantile=0.1)])


def test_more_cells_than_fit_are_refused():
    metric = ActivationThreshold(1)
    counts = np.zeros(metric.counts.shape, dtype="int32")
    counts[0, 5] = 2**31 - 2
    metric.counts.assign(counts)
    with pytest.raises(ValueError, match="2\\^31"):
        metric.update_state(np.ones((1, 2, 2, 1)))
