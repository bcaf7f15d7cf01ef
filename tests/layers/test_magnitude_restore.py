import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient

Restore = ki.layers.MagnitudeRestore


@pytest.fixture
def values(rng):
    return rng.normal(size=(6, 4)).astype("float32")


@pytest.fixture
def reference(rng):
    """Features of the performer, those of channel 2 a hundred times larger."""
    return rng.uniform(0, 1, (6, 4)).astype("float32") * [1, 2, 100, 0.5]


def alpha_of(layer):
    return ops.convert_to_numpy(layer.norm.alpha)


def test_literal_values():
    values = np.array([[1.0, 2.0], [-3.0, 0.5]])
    # Means of what is above 0: 3 and 0.5.
    reference = np.array([[2.0, -7.0], [4.0, 1.0]])
    found = Restore()([values, reference], training=True)
    np.testing.assert_allclose(found, [[3.0, 1.0], [-9.0, 0.25]], rtol=1e-6)


def test_running_mean_of_the_reference(values, rng):
    layer = Restore(momentum=0.75)
    batches = rng.uniform(0, 5, (3, 6, 4))
    expected = batches[0].mean(axis=0)
    for number, batch in enumerate(batches):
        found = layer([values, batch], training=True)
        if number:
            expected = 0.75 * expected + 0.25 * batch.mean(axis=0)
        np.testing.assert_allclose(found, values * expected, rtol=1e-5)
    # In inference the reference of the batch does not count.
    found = layer([values, 1000 * batches[0]], training=False)
    np.testing.assert_allclose(found, values * expected, rtol=1e-5)
    np.testing.assert_allclose(alpha_of(layer), expected, rtol=1e-6)


def test_it_undoes_the_norm(reference):
    norm = ki.layers.MagnitudeNorm(floor=0.0)
    layer = Restore()
    normalised = norm(reference, training=True)
    found = layer([normalised, reference], training=True)
    np.testing.assert_allclose(found, reference, rtol=1e-5)


def test_maps_take_a_factor_for_each_channel(rng):
    values = rng.normal(size=(3, 5, 5, 2)).astype("float32")
    reference = rng.uniform(0, 1, (3, 2)).astype("float32")
    found = Restore()([values, reference], training=True)
    np.testing.assert_allclose(found, values * reference.mean(axis=0), rtol=1e-5)


def test_values_pass_before_the_first_training_step(values, reference):
    np.testing.assert_array_equal(Restore()([values, reference]), values)


def test_nothing_flows_into_the_reference(values, reference):
    layer = Restore()
    layer.build([values.shape, reference.shape])

    def total(inputs, training=True):
        with keras.StatelessScope():
            return ops.sum(layer(inputs, training=training))

    slope = gradient(lambda x: total([values, x]), reference.astype("float32"))
    np.testing.assert_array_equal(slope, 0)
    slope = gradient(lambda x: total([x, reference]), values)
    expected = np.broadcast_to(reference.mean(axis=0), values.shape)
    np.testing.assert_allclose(slope, expected, rtol=1e-5)


def test_a_nan_leaves_the_state(values, reference):
    layer = Restore()
    layer([values, reference], training=True)
    old = alpha_of(layer)
    broken = reference.copy()
    broken[0] = np.nan
    found = ops.convert_to_numpy(layer([values, broken], training=True))
    np.testing.assert_array_equal(alpha_of(layer), old)
    assert np.isfinite(found).all()


def test_keras_layer_checks():
    TestCase().run_layer_test(
        Restore,
        init_kwargs={"momentum": 0.5},
        input_shape=((2, 4), (2, 4)),
        expected_output_shape=(2, 4),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=1,
        expected_num_losses=0,
    )


def test_half_precision(values, reference):
    layer = Restore(dtype="mixed_bfloat16")
    found = layer([values, reference], training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(layer.norm.alpha.dtype) == "float32"


def test_saved_and_reloaded(values, reference, reloaded):
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, Restore(momentum=0.5, name="restore")(inputs))
    model([values, reference], training=True)
    again = reloaded(model)
    assert again.get_layer("restore").momentum == 0.5
    expected = model([values, reference])
    np.testing.assert_array_equal(again([values, reference]), expected)
    assert not np.array_equal(ops.convert_to_numpy(expected), values)


@pytest.mark.parametrize("momentum", [1.0, -0.5])
def test_bad_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match=f"`momentum` from 0.*momentum={momentum}"):
        Restore(momentum)
