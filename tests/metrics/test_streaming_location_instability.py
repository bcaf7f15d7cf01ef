"""The streaming metric equals the function on every batching."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.metrics import LocationInstability, location_instability

# State is float32 on JAX, see the class.
ROUNDING = 1e-6 if keras.backend.backend() == "jax" else 1e-12


def drawn(seed, images, levels=4):
    """Peaks with many equal scores, silent filters and absent landmarks."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 99, (images, 3, 2))
    positions[rng.random((images, 3)) < 0.1] = np.nan
    scores = rng.integers(0, levels, (images, 3)).astype(float)
    landmarks = rng.uniform(0, 99, (images, 2, 2))
    landmarks[rng.random((images, 2)) < 0.3] = np.nan
    return positions, scores, landmarks


def pieces(cuts, *arrays):
    """The arrays cut at the same places."""
    return zip(*(np.split(array, cuts) for array in arrays), strict=True)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    cuts=st.lists(st.integers(0, 40), max_size=5).map(sorted),
    top=st.integers(2, 50),
    ddof=st.integers(0, 1),
)
def test_any_batching_gives_the_value_of_the_function(seed, cuts, top, ddof):
    arrays = drawn(seed, 40)
    metric = LocationInstability(3, 2, 99, top=top, ddof=ddof)
    for batch in pieces(cuts, *arrays):
        metric.update_state(*batch)
    whole = location_instability(*arrays, 99, top, ddof)
    assert metric.details().per_filter == pytest.approx(
        whole.per_filter, abs=ROUNDING, nan_ok=True
    )
    assert float(metric.result()) == pytest.approx(
        whole.value, abs=ROUNDING, nan_ok=True
    )


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000), cuts=st.lists(st.integers(0, 40), max_size=3).map(sorted)
)
def test_merged_metrics_give_the_value_of_the_function(seed, cuts):
    arrays = drawn(seed, 40)
    parts = []
    for batch in pieces(cuts, *arrays):
        parts.append(LocationInstability(3, 2, 99, top=7))
        parts[-1].update_state(*batch)
    parts[0].merge_state(parts[1:])
    whole = location_instability(*arrays, 99, 7)
    assert float(parts[0].result()) == pytest.approx(
        whole.value, abs=ROUNDING, nan_ok=True
    )


@pytest.mark.parametrize(
    "assign", ["min", "argmax_peak", "argmax_sum", np.array([2, 0, 1])]
)
def test_several_categories(assign, rng):
    positions, scores, landmarks = drawn(3, 200, levels=50)
    labels = rng.integers(-1, 4, 200)
    landmarks[(labels == 3) | (labels == -1)] = np.nan
    sums = rng.random((200, 3))
    metric = LocationInstability(3, 2, 99, top=20, categories=4, assign=assign)
    for batch in pieces([30, 31, 150], positions, scores, landmarks, labels, sums):
        metric.update_state(*batch)
    whole = location_instability(
        positions,
        scores,
        landmarks,
        99,
        20,
        labels=labels,
        assign=assign,
        activation_sums=sums,
    )
    assert metric.details().per_filter == pytest.approx(whole.per_filter, abs=ROUNDING)


def test_large_batches_are_cut(rng):
    positions, scores, landmarks = drawn(5, 700, levels=1000)
    metric = LocationInstability(3, 2, 99)
    metric.update_state(positions, scores, landmarks)
    whole = location_instability(positions, scores, landmarks, 99)
    assert float(metric.result()) == pytest.approx(whole.value, abs=ROUNDING)


def test_memory_does_not_grow_with_the_images():
    metric = LocationInstability(3, 2, 99, top=10)
    before = sum(np.prod(v.shape) for v in metric.variables)
    for seed in range(5):
        metric.update_state(*drawn(seed, 50))
    assert sum(np.prod(v.shape) for v in metric.variables) == before
    assert len(metric.variables) == 4


def test_reset_forgets_all():
    metric = LocationInstability(3, 2, 99)
    metric.update_state(*drawn(0, 30))
    metric.reset_state()
    assert np.isnan(float(metric.result()))
    metric.update_state(*drawn(1, 30))
    fresh = LocationInstability(3, 2, 99)
    fresh.update_state(*drawn(1, 30))
    assert float(metric.result()) == float(fresh.result())


def test_no_image_and_empty_batch_give_nan():
    metric = LocationInstability(3, 2, 99)
    assert np.isnan(float(metric.result()))
    metric.update_state(*drawn(0, 0))
    assert np.isnan(float(metric.result()))


def test_is_made_again_from_its_config():
    metric = LocationInstability(
        3, 2, (50, 99), top=9, ddof=0, categories=2, assign=[1, 0, 1], name="birds"
    )
    config = keras.saving.serialize_keras_object(metric)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, LocationInstability)
    assert again.get_config() == metric.get_config()
    assert again.name == "birds"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 1}, "Expected top as a whole number"),
        ({"top": None}, "Expected top as a whole number"),
        ({"ddof": 3}, r"Expected ddof as 1 \(unbiased variance\).*Received: ddof=3"),
        (
            {"categories": 0},
            "Expected categories as a positive number,.*Received: categories=0",
        ),
        (
            {"assign": "best"},
            r"Expected assign as one of \('min',.*Received: assign='best'",
        ),
        ({"assign": [0]}, r"Expected assign as integers of shape \(3,\)"),
        (
            {"image_size": -1},
            "Expected image_size as a positive number.*Received: image_size=-1",
        ),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LocationInstability(
            **{"filters": 3, "landmarks": 2, "image_size": 9, **options}
        )


def test_bad_batches_are_refused():
    positions, scores, landmarks = drawn(0, 5)
    metric = LocationInstability(4, 2, 99)
    with pytest.raises(
        ValueError,
        match="Expected 4 filters and 2 landmarks,",
    ):
        metric.update_state(positions, scores, landmarks)
    with pytest.raises(ValueError, match="Expected labels exactly where the metric"):
        LocationInstability(3, 2, 99, categories=2).update_state(
            positions, scores, landmarks
        )
    with pytest.raises(ValueError, match="Expected labels exactly where the metric"):
        LocationInstability(3, 2, 99).update_state(
            positions, scores, landmarks, np.zeros(5, dtype=int)
        )
    with pytest.raises(ValueError, match="same settings"):
        metric.merge_state([LocationInstability(3, 2, 99)])
