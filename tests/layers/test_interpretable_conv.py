import inspect

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.layers.interpretable_mask import MASK_ARGUMENTS

Conv = ki.layers.InterpretableConv
FULL_LOG = {
    "parts_filter_loss",
    "parts_mutual_information",
    "parts_inter_category_entropy",
    "parts_spatial_entropy",
}


def test_one_name():
    assert ki.InterpretableConv is ki.layers.InterpretableConv


@pytest.mark.parametrize(
    ("arguments", "shape", "states"),
    [
        ({"filters": 4}, (2, 4, 5, 4), 10),
        ({"filters": 4, "padding": "same", "strides": 2}, (2, 3, 4, 4), 10),
        (
            {"filters": 3, "kernel_size": (1, 3), "fraction": 1.0, "norm": "l2"},
            (2, 6, 5, 3),
            10,
        ),
        (
            {"filters": 6, "groups": 3, "peak": "centroid"},
            (2, 4, 5, 6),
            10,
        ),
        ({"filters": 4, "dilation_rate": 2, "filter_loss": "exact"}, (2, 2, 3, 4), 10),
        ({"filters": 4, "filter_loss": "running", "scale": "paper"}, (2, 4, 5, 4), 12),
        ({"filters": 4, "filter_loss": None, "use_bias": False}, (2, 4, 5, 4), 10),
        ({"filters": 4, "num_categories": 3, "fraction": 0}, (2, 4, 5, 4), 13),
    ],
)
def test_keras_layer_checks(arguments, shape, states):
    TestCase().run_layer_test(
        Conv,
        init_kwargs=arguments,
        input_shape=(2, 6, 7, 3),
        expected_output_shape=shape,
        expected_num_trainable_weights=2 if arguments.get("use_bias", True) else 1,
        expected_num_non_trainable_weights=states,
        expected_num_losses=0,
    )


@pytest.mark.parametrize("mode", ["approx", "authors"])
def test_keras_layer_checks_of_modes_that_need_labels(mode):
    TestCase().run_layer_test(
        Conv,
        init_kwargs={"filters": 4, "filter_loss": mode, "num_categories": 1},
        input_shape=(2, 6, 7, 3),
        expected_output_shape=(2, 4, 5, 4),
        run_training_check=False,
    )


def test_takes_over_every_argument_of_the_mask_with_its_default():
    conv = inspect.signature(Conv.__init__).parameters
    mask = inspect.signature(ki.layers.InterpretableMask.__init__).parameters
    for name in MASK_ARGUMENTS:
        assert conv[name].default == mask[name].default, name


def test_config_is_complete():
    arguments = {
        "filters": 6,
        "kernel_size": (3, 5),
        "strides": (1, 2),
        "padding": "same",
        "groups": 3,
        "use_bias": False,
        "kernel_regularizer": keras.regularizers.L2(1e-3),
        "fraction": 1.0,
        "beta": 2.0,
        "norm": "l2",
        "filter_loss": "running",
        "num_categories": 3,
        "name": "parts",
    }
    layer = Conv(**arguments)
    config = layer.get_config()
    restored = Conv.from_config(config)
    assert restored.get_config() == config
    for name in set(MASK_ARGUMENTS) & set(arguments):
        assert getattr(restored.interpretable_mask, name) == arguments[name]
    # What Conv2D takes is in the config too.
    assert set(keras.layers.Conv2D(6, 3).get_config()) <= set(config)


def test_is_a_convolution_with_relu_and_mask(rng):
    images = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    layer = Conv(4, padding="same", bias_initializer="ones")
    masked = layer(images)
    plain = keras.layers.Conv2D(4, 3, padding="same", activation="relu")
    plain.build(images.shape)
    plain.set_weights([layer.kernel, layer.bias])
    maps = plain(images)
    np.testing.assert_allclose(layer.feature_maps(images), maps, rtol=1e-6)
    np.testing.assert_array_equal(masked[..., 2:], maps[..., 2:])
    expected = ki.layers.PartMask()(maps)
    np.testing.assert_allclose(masked[..., :2], expected[..., :2], rtol=1e-6)
    assert layer.interpretable_filters == 2


def test_the_filter_loss_reaches_the_kernel_of_interpretable_filters_only(rng):
    images = rng.normal(size=(4, 8, 8, 3)).astype("float32")
    layer = Conv(4, padding="same")
    layer(images)
    kernel = ops.convert_to_numpy(layer.kernel)

    def filter_loss(values):
        maps = ops.relu(ops.conv(images, values, padding="same"))
        return layer.interpretable_mask.weighted_filter_loss(maps[..., :2])

    slope = gradient(filter_loss, kernel)
    assert np.abs(slope[..., :2]).max() > 0
    np.testing.assert_array_equal(slope[..., 2:], 0)


def test_plain_model_in_the_default_mode(small_model, images):
    model = small_model()
    history = model.fit(*images, epochs=3, verbose=0, batch_size=4).history
    assert set(history) == {"loss", "parts_filter_loss"}
    assert all(np.isfinite(values).all() for values in history.values())
    layer = model.get_layer("parts")
    assert float(layer.interpretable_mask.epoch) == 3
    assert layer.filter_categories.tolist() == [-1, -1]
    # The task's loss is what is left without the filter loss.
    history = model.evaluate(*images, verbose=0, return_dict=True)
    assert set(history) == {"loss"}


def test_plain_functional_model_without_monitor(images):
    inputs = keras.Input((8, 8, 3))
    maps = Conv(4, name="parts", monitor=False)(inputs)
    outputs = keras.layers.Dense(3)(keras.layers.GlobalMaxPooling2D()(maps))
    model = keras.Model(inputs, outputs)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
    history = model.fit(*images, epochs=2, verbose=0, validation_split=0.25).history
    assert set(history) == {"loss", "val_loss"}


@pytest.mark.parametrize("mode", ["approx", "authors"])
def test_a_mode_that_needs_labels_in_a_plain_model(small_model, images, mode):
    model = small_model(filter_loss=mode)
    model.predict(images[0], verbose=0)
    with pytest.raises(ValueError) as caught:
        model.fit(*images, verbose=0)
    message = str(caught.value)
    assert message.count("InterpretableModel or InterpretableSequential") == 1
    assert "'parts'" in message


def test_saved_and_loaded_with_its_epoch_and_categories(small_model, images, tmp_path):
    model = small_model(ki.models.InterpretableSequential, filter_loss="running")
    model.fit(*images, epochs=3, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    ours, theirs = model.get_layer("parts"), loaded.get_layer("parts")
    assert float(theirs.interpretable_mask.epoch) == 3
    assert ours.filter_categories.min() >= 0
    np.testing.assert_array_equal(theirs.filter_categories, ours.filter_categories)
    for one, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        model.predict(images[0], verbose=0), loaded.predict(images[0], verbose=0)
    )


def test_same_seed_same_training(small_model, images):
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = small_model()
        model.fit(*images, epochs=2, batch_size=4, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def trained(small_model, images, **options):
    keras.utils.set_random_seed(1)
    model = small_model(filter_loss_weight=1.0)
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    history = model.fit(*images, batch_size=2, epochs=2, shuffle=False, verbose=0)
    return model.get_weights(), history.history


@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"steps_per_execution": 4}, {"run_eagerly": True}],
)
def test_ways_to_execute_give_the_same_training(small_model, images, options):
    weights, history = trained(small_model, images, jit_compile=False)
    others, other_history = trained(small_model, images, **options)
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert set(history) == set(other_history)


def test_mixed_precision_training(small_model, images):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_model()
        history = model.fit(*images, epochs=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    assert {v.dtype for v in model.get_layer("parts").variables} == {"float32"}


def test_channels_first_is_refused_by_name():
    with pytest.raises(ValueError, match="data_format='channels_first'.*Permute"):
        Conv(4, data_format="channels_first")


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (None, "linear"),
        ("leaky_relu", "leaky_relu"),
        (keras.activations.silu, "silu"),
        (keras.layers.LeakyReLU(name="leaky"), "leaky"),
        (lambda x: x, "lambda"),
    ],
)
def test_another_activation_is_refused(activation, name):
    with pytest.raises(ValueError, match=f"activation=.*{name}.*InterpretableMask"):
        Conv(4, activation=activation)


def test_relu_by_any_other_name():
    for activation in ("relu", keras.activations.relu, ops.relu):
        layer = Conv(4, activation=activation)
        assert Conv.from_config(layer.get_config()).activation is layer.activation


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5, 6)])
def test_wrong_rank_is_refused(shape):
    with pytest.raises(ValueError):
        Conv(4)(np.zeros(shape, "float32"))


def test_kernel_larger_than_the_image_is_refused():
    with pytest.raises(ValueError):
        Conv(4, 5)(np.zeros((2, 3, 3, 3), "float32"))
