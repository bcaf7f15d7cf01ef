"""whitening_conv: the components, the layer it makes, and bad input."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import keras_interp as ki
from keras_interp.layers import whitening_conv


def whitened(layer, maps):
    found = ops.convert_to_numpy(layer(maps))
    return found.reshape(-1, found.shape[-1]).astype("float64")


@pytest.fixture
def maps(rng):
    """Three channels that rise and fall together, and far from 0."""
    common = rng.normal(size=(40, 6, 6, 1))
    own = rng.normal(size=(40, 6, 6, 3)) * [3.0, 1.0, 0.2]
    return (100 + 20 * common + own).astype("float32")


def test_check_value():
    # Channels of variance 8 and 2 over four cells (of n - 1), uncorrelated.
    two = np.array([[3.0, 1.0], [3.0, -1.0], [-3.0, 1.0], [-3.0, -1.0]])
    maps = two.reshape(4, 1, 1, 2) + [5.0, 7.0]
    full = np.abs(whitened(whitening_conv(maps, strength=1.0), maps))
    np.testing.assert_allclose(full, np.full((4, 2), np.sqrt(3 / 4)), rtol=1e-6)
    half = np.abs(whitened(whitening_conv(maps), maps))
    # Deviations 12 ** .5 and (4/3) ** .5 become their roots, over a common factor:
    # their mean square is (12 ** .5 + (4/3) ** .5) / 2.
    factor = np.sqrt((12**0.5 + (4 / 3) ** 0.5) / 2)
    expected = [3 / 12**0.25 / factor, 1 / (4 / 3) ** 0.25 / factor]
    np.testing.assert_allclose(half, np.tile(expected, (4, 1)), rtol=1e-6)
    none = np.abs(whitened(whitening_conv(maps, strength=0.0), maps))
    np.testing.assert_allclose(none, np.tile([3, 1], (4, 1)) / 20**0.5 * 3**0.5)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_components_are_uncorrelated_and_of_mean_square_1(maps, strength):
    found = whitened(whitening_conv(maps, strength=strength), maps)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    covariance = np.cov(found, rowvar=False)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(
        covariance / np.outer(scale, scale), np.eye(3), atol=1e-3
    )
    np.testing.assert_allclose(np.mean(scale**2), 1, rtol=1e-3)
    if strength == 1.0:
        np.testing.assert_allclose(scale, 1, rtol=1e-3)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0.01, 1000), offset=st.floats(-100, 100))
def test_scale_and_offset_of_the_maps_do_not_matter(factor, offset):
    maps = np.random.default_rng(3).normal(size=(6, 4, 4, 3))
    one = np.abs(whitened(whitening_conv(maps), maps.astype("float32")))
    moved = factor * (maps + offset)
    other = np.abs(whitened(whitening_conv(moved), moved.astype("float32")))
    np.testing.assert_allclose(other, one, atol=2e-3)


def test_a_channel_that_never_fires_is_not_blown_up(maps):
    maps[..., 1] = 0.0
    layer = whitening_conv(maps, strength=1.0)
    seen = maps[:1].copy()
    seen[..., 1] = 1.0
    # A unit against 20 of the others: thousandfold at most, not a million times.
    assert np.abs(whitened(layer, seen)).max() < 1000


def test_it_keeps_the_components_of_largest_variance(maps):
    found = whitened(whitening_conv(maps, 1, strength=0.0), maps)
    common = maps.reshape(-1, 3).mean(axis=1)
    assert abs(np.corrcoef(found[:, 0], common)[0, 1]) > 0.99


def test_it_is_a_frozen_convolution_that_is_saved(maps, tmp_path):
    layer = whitening_conv(maps.astype("float16"), components=2, name="whitened")
    assert type(layer) is keras.layers.Conv2D
    assert layer.name == "whitened" and not layer.trainable_weights
    model = keras.Sequential([keras.Input(maps.shape[1:]), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(maps, verbose=0), model.predict(maps, verbose=0)
    )
    assert not loaded.get_layer("whitened").trainable
    assert ki.receptive_field(model, "whitened").size == 1


def test_a_seed_fixes_the_sample_of_cells(rng):
    many = rng.normal(size=(2, 200, 200, 2)).astype("float32")
    one, same, other = (whitening_conv(many, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.get_weights()[0], same.get_weights()[0])
    assert np.any(one.get_weights()[0] != other.get_weights()[0])


@pytest.mark.parametrize(
    "given, match",
    [
        ({"feature_maps": np.ones((4, 3))}, "shape"),
        ({"feature_maps": np.array([[["a"]]])}, "numbers"),
        ({"feature_maps": np.ones((1, 1, 1, 3))}, "two cells"),
        ({"feature_maps": np.ones((0, 3, 3, 2))}, "two cells"),
        ({"feature_maps": np.ones((2, 3, 3, 2))}, "vary"),
        ({"feature_maps": np.full((2, 3, 3, 2), np.nan)}, "finite"),
        ({"components": 0}, "components=0"),
        ({"components": 4}, "3 channels"),
        ({"components": 1.5}, "components=1.5"),
        ({"strength": 1.5}, "strength=1.5"),
        ({"strength": float("nan")}, "strength=nan"),
    ],
)
def test_bad_input_is_refused(given, match):
    maps = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
    with pytest.raises(ValueError, match=match):
        whitening_conv(**{"feature_maps": maps, **given})
