import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient

Norm = ki.layers.MagnitudeNorm
# Two images of one row and two channels.
MAPS = np.array([[[[1.0, -8.0], [3.0, 4.0]]], [[[0.0, 0.0], [4.0, 2.0]]]], "float32")
# (1 + 3 + 0 + 4) / 4 and (0 + 4 + 0 + 2) / 4: what is below 0 counts as 0.
ALPHA = np.array([2.0, 1.5])


def alpha_of(layer):
    return ops.convert_to_numpy(layer.alpha)


def test_channels_are_divided_by_their_mean_activation():
    layer = Norm()
    found = ops.convert_to_numpy(layer(MAPS, training=True))
    np.testing.assert_allclose(alpha_of(layer), ALPHA)
    # Values below 0 are divided like all others, and nothing is subtracted.
    expected = [[[[0.5, -16 / 3], [1.5, 8 / 3]]], [[[0.0, 0.0], [2.0, 4 / 3]]]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_rectified_channels_have_the_mean_one_afterwards(maps):
    found = ops.convert_to_numpy(Norm(floor=0.0)(maps, training=True))
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), np.ones(4), rtol=1e-6)


def test_running_mean(rng):
    layer = Norm(momentum=0.75)
    batches = rng.uniform(0, 5, (4, 6, 3, 2, 3))
    # The first batch counts whole.
    expected = batches[0].mean(axis=(0, 1, 2))
    for number, batch in enumerate(batches):
        found = layer(batch, training=True)
        if number:
            expected = 0.75 * expected + 0.25 * batch.mean(axis=(0, 1, 2))
        np.testing.assert_allclose(alpha_of(layer), expected, rtol=1e-6)
        # The batch is divided by the mean that it has moved.
        np.testing.assert_allclose(found, batch / expected, rtol=1e-5)


def test_inference_uses_the_mean_and_leaves_it(maps):
    layer = Norm()
    # Before the first training step channels pass unchanged.
    np.testing.assert_array_equal(layer(maps), maps)
    np.testing.assert_array_equal(layer(maps, training=False), maps)
    layer(MAPS[..., [0, 1, 0, 1]], training=True)
    before = alpha_of(layer)
    found = layer(maps, training=False)
    np.testing.assert_array_equal(alpha_of(layer), before)
    np.testing.assert_allclose(found, maps / [2.0, 1.5, 2.0, 1.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("floor", "divisors"),
    [
        (0.0, [8.0, 2.0, 1e-6, 0.0625]),
        (0.1, [8.0, 2.0, 0.2515625, 0.2515625]),
        (1.0, [8.0, 2.515625, 2.515625, 2.515625]),
    ],
)
def test_floor_is_a_share_of_the_mean_of_all_channels(floor, divisors):
    layer = Norm(floor=floor)
    # A dead channel, and one that hardly fires: the mean of all is 2.515625.
    batch = np.full((2, 1, 1, 4), [8.0, 2.0, 0.0, 0.0625], "float32")
    found = layer(batch, training=True)
    np.testing.assert_array_equal(alpha_of(layer), [8.0, 2.0, 0.0, 0.0625])
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer.divisors()), divisors, rtol=1e-6
    )
    np.testing.assert_allclose(found, batch / divisors, rtol=1e-6)


def test_silent_maps_stay_silent():
    layer = Norm()
    for _ in range(2):
        found = ops.convert_to_numpy(layer(np.zeros((2, 3, 3, 2)), training=True))
        np.testing.assert_array_equal(found, 0)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.divisors()), 1)


def test_weights_pick_the_images(maps):
    picked = np.array([1, 0, 0, 1, 1, 0])
    layer = Norm()
    found = layer(maps, training=True, weights=picked)
    expected = maps[picked == 1].mean(axis=(0, 1, 2))
    np.testing.assert_allclose(alpha_of(layer), expected, rtol=1e-6)
    # All images are divided by it.
    np.testing.assert_allclose(found, maps / expected, rtol=1e-5)


@pytest.mark.parametrize("before", [0, 1])
def test_a_batch_without_such_a_image_leaves_the_state(maps, before):
    layer = Norm()
    layer.build(maps.shape)
    for _ in range(before):
        layer(maps, training=True)
    old = alpha_of(layer)
    layer(10 * maps, training=True, weights=np.zeros(6))
    layer(maps[:0], training=True)
    np.testing.assert_array_equal(alpha_of(layer), old)


def test_a_nan_leaves_the_state_of_its_channel(maps):
    layer = Norm()
    layer(maps, training=True)
    old = alpha_of(layer)
    broken = 3 * maps
    broken[0, 0, 0, 1] = np.nan
    found = ops.convert_to_numpy(layer(broken, training=True))
    others = [0, 2, 3]
    np.testing.assert_array_equal(alpha_of(layer)[1], old[1])
    np.testing.assert_allclose(alpha_of(layer)[others], 1.2 * old[others], rtol=1e-6)
    assert np.isnan(found).sum() == 1


def test_alpha_is_a_constant_in_the_backward_pass(maps, rng):
    layer = Norm()
    layer.build(maps.shape)
    factor = rng.normal(size=maps.shape).astype("float32")
    factor_tensor = ops.convert_to_tensor(factor)

    def total(inputs):
        with keras.StatelessScope():
            return ops.sum(factor_tensor * layer(inputs, training=True))

    alpha = maps.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(gradient(total, maps), factor / alpha, rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 5), (8, 3, 5), (8, 2, 3, 2, 5)])
def test_any_number_of_positions(rng, shape):
    values = rng.uniform(0, 1, shape)
    layer = Norm()
    layer(values, training=True)
    expected = values.reshape(-1, 5).mean(axis=0)
    np.testing.assert_allclose(alpha_of(layer), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 5, 6, 4), (2, 4)])
def test_keras_layer_checks(shape):
    TestCase().run_layer_test(
        Norm,
        init_kwargs={"momentum": 0.5, "floor": 0.2},
        input_shape=shape,
        expected_output_shape=shape,
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=1,
        expected_num_losses=0,
    )


def test_config():
    restored = Norm.from_config(Norm(momentum=0.5, floor=0.2).get_config())
    assert (restored.momentum, restored.floor) == (0.5, 0.2)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_keeps_the_mean_in_single(dtype):
    # The sum of a map is beyond the largest number of float16.
    maps = np.full((2, 40, 40, 1), 100.0, "float16")
    layer = Norm(dtype=dtype)
    found = layer(maps, training=True)
    assert keras.backend.standardize_dtype(layer.alpha.dtype) == "float32"
    assert keras.backend.standardize_dtype(found.dtype) == layer.compute_dtype
    np.testing.assert_allclose(alpha_of(layer), [100.0])
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(found, "float32")), 1.0)


def test_saved_and_reloaded(maps, reloaded):
    inputs = keras.Input(maps.shape[1:])
    model = keras.Model(inputs, Norm(name="norm")(inputs))
    model(maps, training=True)
    again = reloaded(model)
    np.testing.assert_array_equal(
        alpha_of(again.get_layer("norm")), alpha_of(model.get_layer("norm"))
    )
    np.testing.assert_array_equal(again(2 * maps), model(2 * maps))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_of_a_model(maps, jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch is not compiled")
    inputs = keras.Input((None, None, 4))
    picked = keras.Input((), dtype="int32")
    layer = Norm(name="norm")
    model = keras.Model([inputs, picked], layer(inputs, weights=picked))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    weights = np.array([1, 1, 0, 0, 1, 0], "int32")
    model.fit([maps, weights], maps, batch_size=6, verbose=0)
    np.testing.assert_allclose(
        alpha_of(layer), maps[weights == 1].mean(axis=(0, 1, 2)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"momentum": 1.0}, "`momentum` from 0 to below 1.*momentum=1.0"),
        ({"momentum": -0.1}, "`momentum`.*momentum=-0.1"),
        ({"momentum": float("nan")}, "`momentum`"),
        ({"floor": -0.1}, "`floor` of 0 or more.*floor=-0.1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Norm(**arguments)
