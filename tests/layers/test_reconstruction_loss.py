import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.layers._labels import label_scope

Loss = ki.layers.ReconstructionLoss
WANTED = np.array([[3.0, 4.0], [0.0, 2.0]], "float32")
REBUILT = np.array([[3.0, 3.0], [2.0, 1.0]], "float32")
# Squared distances 1 and 5; squared norms 25 and 4; norms 5 and 2.
DISTANCE, SQUARED_NORM, NORM = 3.0, 14.5, 3.5


@pytest.fixture
def added():
    """The loss that a layer adds in training, as a float."""

    def total(layer, rebuilt, wanted):
        layer([rebuilt, wanted], training=True)
        (loss,) = layer.losses
        return float(loss)

    return total


@pytest.mark.parametrize(("power", "mean_norm"), [(2, SQUARED_NORM), (1, NORM)])
@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_literal_values(power, mean_norm, weight, added):
    layer = Loss(weight, power)
    layer.build([REBUILT.shape, WANTED.shape])
    expected = weight * DISTANCE / mean_norm
    # Before training the batch itself says how large the features are.
    found = float(layer.distance(REBUILT, WANTED))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(added(layer, REBUILT, WANTED), expected, rtol=1e-6)
    np.testing.assert_allclose(
        float(layer.distance(REBUILT, WANTED)), expected, rtol=1e-6
    )


@pytest.mark.parametrize("power", [1, 2])
def test_the_norm_is_a_running_mean(power, rng, added):
    layer = Loss(power=power)
    batches = rng.normal(size=(3, 2, 7, 5))
    expected = None
    for rebuilt, wanted in batches:
        norm = (np.linalg.norm(wanted, axis=1) ** power).mean()
        # The first batch counts whole.
        expected = norm if expected is None else 0.99 * expected + 0.01 * norm
        distance = ((rebuilt - wanted) ** 2).sum(axis=1).mean()
        np.testing.assert_allclose(
            added(layer, rebuilt, wanted), 0.5 * distance / expected, rtol=1e-5
        )
    mean_norm = ops.convert_to_numpy(layer.mean_norm)
    np.testing.assert_allclose(mean_norm, expected, rtol=1e-6)
    # A measurement uses it and leaves it.
    rebuilt, wanted = 9 * batches[0]
    distance = ((rebuilt - wanted) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(
        float(layer.distance(rebuilt, wanted)), 0.5 * distance / expected, rtol=1e-5
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.mean_norm), mean_norm)


def test_power_two_does_not_change_when_all_features_grow(added):
    losses = [added(Loss(), c * REBUILT, c * WANTED) for c in (1.0, 1000.0)]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert added(Loss(), 0 * WANTED, WANTED) == 0.5
    assert added(Loss(), WANTED, WANTED) == 0.0


def test_inference_hands_on_and_adds_nothing():
    layer = Loss()
    np.testing.assert_array_equal(layer([REBUILT, WANTED]), REBUILT)
    assert layer.losses == []
    assert float(layer.mean_norm) == 0.0
    np.testing.assert_array_equal(layer([REBUILT, WANTED], training=True), REBUILT)


@pytest.mark.parametrize("training", [True, False])
def test_a_scope_is_told_the_missing_share(training):
    layer = Loss(weight=7.0, power=1, name="fc6")
    with label_scope(None) as scope:
        layer([REBUILT, WANTED], training=training)
    # Whatever weight and power: the log shows a share.
    missing = float(scope.findings[layer]["fc6"])
    np.testing.assert_allclose(missing, DISTANCE / SQUARED_NORM, rtol=1e-6)


@pytest.mark.parametrize("power", [1, 2])
def test_nothing_flows_into_the_wanted_features(power):
    layer = Loss(power=power)
    layer.build([WANTED.shape, WANTED.shape])

    def loss(rebuilt, wanted):
        with keras.StatelessScope(collect_losses=True) as scope:
            layer([rebuilt, wanted], training=True)
        (total,) = scope.losses
        return total

    slope = gradient(lambda x: loss(REBUILT, x), WANTED)
    np.testing.assert_array_equal(slope, 0)
    slope = gradient(lambda x: loss(x, WANTED), REBUILT)
    mean_norm = SQUARED_NORM if power == 2 else NORM
    expected = 0.5 * 2 * (REBUILT - WANTED) / len(WANTED) / mean_norm
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_a_nan_shows_in_the_loss_and_not_in_the_state(added):
    broken = WANTED.copy()
    broken[0, 0] = np.nan
    layer = Loss()
    assert np.isnan(added(layer, REBUILT, broken))
    assert float(layer.mean_norm) == 0.0
    np.testing.assert_allclose(
        added(layer, REBUILT, WANTED), 0.5 * DISTANCE / SQUARED_NORM
    )
    assert np.isnan(added(layer, REBUILT, broken))
    assert float(layer.mean_norm) == SQUARED_NORM


@pytest.mark.parametrize("before", [0, 1])
def test_a_batch_without_images(before, added):
    layer = Loss()
    for _ in range(before):
        added(layer, REBUILT, WANTED)
    with label_scope(None) as scope:
        assert added(layer, REBUILT[:0], WANTED[:0]) == 0.0
    assert float(scope.findings[layer][layer.name]) == 0.0
    assert float(layer.mean_norm) == (SQUARED_NORM if before else 0.0)


def test_silent_features(added):
    layer = Loss()
    silent = np.zeros_like(WANTED)
    assert added(layer, silent, silent) == 0.0
    assert np.isfinite(added(layer, REBUILT, silent))
    # The first features that are there count whole.
    added(layer, REBUILT, WANTED)
    assert float(layer.mean_norm) == SQUARED_NORM


@pytest.mark.parametrize("power", [1, 2])
def test_keras_layer_checks(power):
    TestCase().run_layer_test(
        Loss,
        init_kwargs={"weight": 0.25, "power": power},
        input_shape=((2, 4), (2, 4)),
        expected_output_shape=(2, 4),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=1,
        expected_num_losses=0,
    )


def test_half_precision_is_computed_in_single(added):
    # The squared norm is beyond the largest number of float16.
    wanted = np.full((2, 30), 200.0, "float16")
    layer = Loss(dtype="mixed_float16")
    assert added(layer, 0 * wanted, wanted) == 0.5
    assert keras.backend.standardize_dtype(layer.losses[0].dtype) == "float32"
    assert keras.backend.standardize_dtype(layer.mean_norm.dtype) == "float32"
    handed = layer([wanted, wanted])
    assert keras.backend.standardize_dtype(handed.dtype) == "float16"


def make_model(**keywords):
    inputs = [keras.Input((2,)), keras.Input((2,))]
    rebuilt = keras.layers.Dense(2, name="dense")(inputs[0])
    return keras.Model(inputs, Loss(name="loss", **keywords)([rebuilt, inputs[1]]))


def test_saved_and_reloaded(reloaded):
    model = make_model(weight=0.25, power=1)
    model([REBUILT, WANTED], training=True)
    again = reloaded(model)
    layer = again.get_layer("loss")
    assert (layer.weight, layer.power, float(layer.mean_norm)) == (0.25, 1, NORM)
    found, expected = again([REBUILT, WANTED]), model([REBUILT, WANTED])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(found), ops.convert_to_numpy(expected)
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_of_a_model_without_any_other_loss(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch is not compiled")
    model = make_model()
    model.get_layer("dense").set_weights([np.eye(2), np.zeros(2)])
    model.compile(keras.optimizers.SGD(1.0), jit_compile=jit_compile)
    history = model.fit([REBUILT, WANTED], batch_size=2, verbose=0).history
    np.testing.assert_allclose(
        history["loss"], [0.5 * DISTANCE / SQUARED_NORM], rtol=1e-6
    )
    # d/db of 0.5 |x + b - x*|^2 / E, a mean over the images.
    expected = -(REBUILT - WANTED).mean(axis=0) / SQUARED_NORM
    bias = model.get_layer("dense").get_weights()[1]
    np.testing.assert_allclose(bias, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": -1.0}, "`weight` of 0 or more.*weight=-1.0"),
        ({"power": 3}, "`power` 1 or 2.*power=3"),
        ({"power": "2"}, "`power` 1 or 2.*power='2'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loss(**arguments)
