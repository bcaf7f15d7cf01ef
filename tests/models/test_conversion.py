"""to_interpretable on published architectures and on a user's own models."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from keras_interp.layers import (
    InterpretableConv,
    InterpretableMask,
    whitening_conv,
)
from keras_interp.models import InterpretableModel, to_interpretable

UNCHANGED = {"add_layer": False, "mask": False, "filter_loss": None}
# Name of a layer, and the layer behind which its maps are finished.
APPLICATIONS = {
    "VGG16": ("block5_conv3", "block5_conv3"),
    "MobileNet": ("conv_pw_11", "conv_pw_11_relu"),
    "ResNet50": ("conv4_block6_out", "conv4_block6_out"),
    "EfficientNetB0": ("block6d_expand_conv", "block6d_expand_activation"),
    "DenseNet121": ("conv4_block24_1_conv", "conv4_block24_1_relu"),
}


def application(name: str) -> keras.Model:
    return getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3)
    )


def run(model, images):
    outputs = model(images, training=False)
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


def pictures(rng, count=2, side=64):
    return rng.uniform(0.0, 255.0, (count, side, side, 3)).astype("float32")


def weights_by_path(model):
    return {
        "/".join(variable.path.split("/")[-2:]): ops.convert_to_numpy(variable)
        for variable in model.weights
    }


def assert_same_weights(model, converted):
    """Every old weight is in the new model, of the same layer, bit for bit."""
    old, new = weights_by_path(model), weights_by_path(converted)
    assert set(old) <= set(new)
    for path, value in old.items():
        np.testing.assert_array_equal(new[path], value, err_msg=path)


def small_model(activation="relu", **conv_keywords):
    inputs = keras.Input((16, 16, 3), name="images")
    x = keras.layers.Conv2D(8, 3, padding="same", name="conv1", **conv_keywords)(inputs)
    x = keras.layers.BatchNormalization(name="norm1")(x)
    x = keras.layers.Activation(activation, name="act1")(x)
    x = keras.layers.MaxPooling2D(name="pool1")(x)
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    outputs = keras.layers.Dense(1, activation="sigmoid", name="dense")(x)
    return keras.Model(inputs, outputs, name="small")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_give_the_same_outputs_with_the_mask_off(name, rng):
    model = application(name)
    layer_name, last = APPLICATIONS[name]
    images = pictures(rng)
    before = run(model, images)
    converted = to_interpretable(model, layer_name, **UNCHANGED)
    np.testing.assert_allclose(run(converted, images), before, rtol=1e-5, atol=1e-6)
    assert_same_weights(model, converted)
    mask = converted.get_layer(f"{last}_interpretable_mask")
    assert mask.input._keras_history.operation.name == last
    # The caller's model is as it was.
    np.testing.assert_array_equal(run(model, images), before)
    assert not any(isinstance(layer, InterpretableMask) for layer in model.layers)


def test_mask_and_convolution_come_after_the_activation():
    converted = to_interpretable(small_model(), "conv1")
    assert isinstance(converted, InterpretableModel)
    names = [layer.name for layer in converted.layers]
    start = names.index("conv1")
    assert names[start : start + 6] == [
        "conv1",
        "norm1",
        "act1",
        "act1_interpretable_mask",
        "act1_interpretable_conv",
        "pool1",
    ]
    added = converted.get_layer("act1_interpretable_conv")
    assert isinstance(added, InterpretableConv)
    assert (added.filters, added.kernel_size, added.padding) == (8, (3, 3), "same")


def test_all_that_took_the_maps_takes_the_masked_maps(rng):
    """Both branches behind a layer, and a skip around it, see the mask's output."""
    inputs = keras.Input((8, 8, 4))
    maps = keras.layers.ReLU(name="maps")(inputs)
    branch = keras.layers.Conv2D(4, 1, use_bias=False, name="branch")(maps)
    outputs = keras.layers.Add(name="add")([maps, branch])
    model = keras.Model(inputs, outputs)
    converted = to_interpretable(
        model, "maps", add_layer=False, fraction=1.0, filter_loss=None
    )
    images = rng.uniform(0.1, 1.0, (2, 8, 8, 4)).astype("float32")
    mask = converted.get_layer("maps_interpretable_mask")
    masked = ops.convert_to_numpy(mask(images))
    assert np.mean(masked == 0) > 0.1
    np.testing.assert_allclose(
        run(converted, images),
        run(model, masked),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_built_in_activation_is_where_the_maps_are_finished(activation):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation=activation, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, keras.layers.ReLU(name="relu")(x))
    converted = to_interpretable(model, "conv", add_layer=False)
    assert converted.get_layer("conv_interpretable_mask")
    assert [layer.name for layer in converted.layers].index(
        "conv_interpretable_mask"
    ) == 2


def test_activation_called_as_a_function_is_followed():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = ops.relu(x)
    model = keras.Model(inputs, keras.layers.Flatten(name="flat")(x))
    converted = to_interpretable(model, "conv", add_layer=False)
    (mask,) = (m for m in converted.layers if isinstance(m, InterpretableMask))
    assert type(mask.input._keras_history.operation).__name__ == "Relu"


def test_maps_that_no_activation_follows_are_warned_about():
    model = application("ResNet50")
    with pytest.warns(UserWarning, match="No activation follows 'conv5_block3_3_bn'"):
        converted = to_interpretable(model, "conv5_block3_3_conv", add_layer=False)
    assert converted.get_layer("conv5_block3_3_bn_interpretable_mask")


def test_fit_save_and_load(tmp_path, rng):
    converted = to_interpretable(small_model(), "conv1", fraction=0.5)
    converted.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    images = rng.uniform(size=(8, 16, 16, 3)).astype("float32")
    history = converted.fit(images, np.arange(8) % 2, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    path = tmp_path / "model.keras"
    converted.save(path)
    loaded = keras.models.load_model(path)
    assert isinstance(loaded, InterpretableModel)
    np.testing.assert_array_equal(run(loaded, images), run(converted, images))
    again = loaded.fit(images, np.arange(8) % 2, epochs=1, verbose=0)
    assert np.isfinite(again.history["loss"]).all()


def test_sequential_model(rng):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, name="conv"),
            keras.layers.ReLU(name="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="dense"),
        ]
    )
    images = rng.uniform(size=(2, 16, 16, 3)).astype("float32")
    same = to_interpretable(model, "conv", **UNCHANGED)
    np.testing.assert_allclose(run(same, images), run(model, images), rtol=1e-5)
    assert same.get_layer("relu_interpretable_mask")
    assert_same_weights(model, same)


@pytest.mark.parametrize("kind", ["functional", "sequential"])
def test_layer_of_an_inner_model(kind, rng, tmp_path):
    layers = [
        keras.layers.Conv2D(8, 3, padding="same", name="conv"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(name="relu"),
    ]
    if kind == "sequential":
        backbone = keras.Sequential(
            [keras.Input((16, 16, 3)), *layers], name="backbone"
        )
    else:
        inner = x = keras.Input((16, 16, 3))
        for layer in layers:
            x = layer(x)
        backbone = keras.Model(inner, x, name="backbone")
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.GlobalMaxPooling2D()(backbone(x))
    model = keras.Model(inputs, keras.layers.Dense(2, name="dense")(x))
    images = pictures(rng, side=16)
    for name in ("conv", "backbone/conv"):
        same = to_interpretable(model, name, **UNCHANGED)
        np.testing.assert_allclose(run(same, images), run(model, images), rtol=1e-5)
    backbone_copy = same.get_layer("backbone")
    assert backbone_copy.get_layer("relu_interpretable_mask")
    np.testing.assert_array_equal(
        backbone_copy.get_layer("conv").kernel, backbone.get_layer("conv").kernel
    )
    # The inner model's own output can be named, too.
    assert to_interpretable(model, "backbone").get_layer("backbone_interpretable_mask")
    converted = to_interpretable(model, "conv")
    converted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(loaded, images), run(converted, images))


def two_views_model():
    """Shared layers, two inputs given by name, two outputs, an operation between."""
    left = keras.Input((16, 16, 3), name="left")
    right = keras.Input((16, 16, 3), name="right")
    conv = keras.layers.Conv2D(6, 3, name="conv")
    norm = keras.layers.BatchNormalization(name="norm")
    relu = keras.layers.ReLU(name="relu")
    maps = [relu(norm(conv(view))) for view in (left, right)]
    difference = ops.absolute(maps[0] - maps[1])
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(difference)
    outputs = {
        "same": keras.layers.Dense(1, name="same")(pooled),
        "angle": keras.layers.Dense(2, name="angle")(pooled),
    }
    return keras.Model({"left": left, "right": right}, outputs)


def test_shared_layers_several_inputs_and_outputs(rng):
    model = two_views_model()
    views = {
        side: rng.uniform(size=(4, 16, 16, 3)).astype("float32")
        for side in ("left", "right")
    }
    same = to_interpretable(model, "conv", **UNCHANGED)
    before, after = run(model, views), run(same, views)
    assert set(after) == {"same", "angle"}
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-4, atol=1e-6)
    # One layer for both views before, one layer and one mask for both now.
    masks = [m for m in same.layers if isinstance(m, InterpretableMask)]
    assert [mask.name for mask in masks] == ["relu_interpretable_mask"]
    assert len(masks[0]._inbound_nodes) == 2
    converted = to_interpretable(model, "conv")
    converted.category_output = "same"
    converted.compile("sgd", {"same": "mse", "angle": "mse"})
    targets = {"same": np.ones((4, 1)), "angle": np.ones((4, 2))}
    history = converted.fit(views, targets, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


class Scale(keras.layers.Layer):
    """A user's layer, registered nowhere."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.shift = self.add_weight(shape=(), initializer="random_normal")

    def call(self, inputs):
        return self.factor * inputs + self.shift

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Block(keras.layers.Layer):
    """A user's layer that holds a convolution."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Conv2D(4, 3, padding="same", name="hidden_conv")

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, inputs):
        return ops.relu(self.inner(inputs))


class NoConfig(keras.layers.Layer):
    """A user's layer that cannot say how it was made."""

    def __init__(self, function):
        super().__init__(name="no_config")
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def squash(x):
    return x / (1.0 + ops.absolute(x))


def model_of_own_layers():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Normalization(mean=0.5, variance=2.0)(inputs)
    x = Scale(2.0, name="scale")(x)
    x = keras.layers.TimeDistributed(Scale(3.0), name="rows")(x)
    x = keras.layers.Lambda(lambda maps: maps + 1.0, name="lambda")(x)
    x = keras.layers.Conv2D(4, 3, activation=squash, name="conv")(x)
    x = Block(name="block")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="dense")(x))


@pytest.mark.parametrize("layer_name", ["conv", "block"])
def test_own_layers_need_no_registration(layer_name, rng):
    model = model_of_own_layers()
    images = rng.uniform(size=(2, 16, 16, 3)).astype("float32")
    same = to_interpretable(model, layer_name, **UNCHANGED)
    np.testing.assert_allclose(run(same, images), run(model, images), rtol=1e-5)


def test_adapted_normalization_keeps_its_statistics(rng):
    inputs = keras.Input((16, 16, 3))
    normalization = keras.layers.Normalization()
    images = rng.uniform(2.0, 5.0, (8, 16, 16, 3)).astype("float32")
    normalization.adapt(images)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(normalization(inputs))
    model = keras.Model(inputs, x)
    same = to_interpretable(model, "conv", **UNCHANGED)
    np.testing.assert_allclose(run(same, images), run(model, images), rtol=1e-5)


def test_frozen_layers_stay_frozen_and_new_ones_learn():
    backbone = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    backbone.trainable = False
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(backbone(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, name="dense")(x))
    converted = to_interpretable(model, "block4_conv3")
    paths = sorted(variable.path for variable in converted.trainable_variables)
    assert len(paths) == 4
    assert paths[0].startswith("block4_conv3_interpretable_conv/")
    assert paths[2].startswith("dense/")


def test_keywords_go_to_the_layers_they_belong_to():
    converted = to_interpretable(
        small_model(),
        "conv1",
        fraction=1.0,
        beta=3.0,
        kernel_size=5,
        kernel_initializer="he_normal",
        filter_loss="exact",
    )
    mask = converted.get_layer("act1_interpretable_mask")
    conv = converted.get_layer("act1_interpretable_conv")
    assert (mask.fraction, mask.beta, mask.filter_loss) == (1.0, 3.0, "exact")
    assert (conv.filters, conv.kernel_size) == (8, (5, 5))
    assert conv.interpretable_mask.beta == 3.0
    assert isinstance(conv.kernel_initializer, keras.initializers.HeNormal)


@pytest.mark.parametrize("keywords", [{"filters": 12}, {"colour": "red"}])
@pytest.mark.parametrize("add_layer", [True, False])
def test_keywords_that_do_not_fit_are_refused(keywords, add_layer):
    with pytest.raises((ValueError, TypeError), match="no `filters`|filters|colour"):
        to_interpretable(small_model(), "conv1", add_layer=add_layer, **keywords)


def test_weights_of_an_interpretable_model_are_converted_again(rng):
    once = to_interpretable(small_model(), "conv2")
    once.compile("adam", "binary_crossentropy")
    images = rng.uniform(size=(8, 16, 16, 3)).astype("float32")
    once.fit(images, np.arange(8) % 2, verbose=0)
    twice = to_interpretable(once, "conv1", **UNCHANGED)
    np.testing.assert_allclose(run(twice, images), run(once, images), rtol=1e-5)
    with pytest.raises(ValueError, match="interpretable already"):
        to_interpretable(once, "conv2")


@pytest.mark.parametrize(
    ("layer_name", "reason"),
    [
        ("dense", "expected an output"),
        ("images", "is an input"),
        ("nowhere", "layer_name='nowhere'"),
    ],
)
def test_layers_that_cannot_be_converted_are_refused(layer_name, reason):
    with pytest.raises(ValueError, match=reason) as error:
        to_interpretable(small_model(), layer_name)
    if layer_name != "nowhere":
        assert "conv1, norm1, act1, pool1, conv2." in str(error.value)


def test_convolution_inside_a_layer_is_refused_by_the_name_of_that_layer():
    with pytest.raises(ValueError, match="inside the layer 'block', of class Block"):
        to_interpretable(model_of_own_layers(), "hidden_conv")


def test_layer_without_configuration_is_named():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(NoConfig(lambda maps: maps)(inputs))
    with pytest.raises(ValueError, match="'no_config' of class NoConfig cannot"):
        to_interpretable(keras.Model(inputs, keras.layers.ReLU()(x)), "conv")


def test_map_of_one_cell_is_refused():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    x = keras.layers.Conv2D(4, 1, activation="relu", name="squeezed")(x)
    with pytest.raises(ValueError, match="at least 2 x 2 cells"):
        to_interpretable(keras.Model(inputs, x), "squeezed")


def test_channels_first_is_refused():
    inputs = keras.Input((3, 8, 8))
    x = keras.layers.Conv2D(4, 3, data_format="channels_first", name="conv")(inputs)
    with pytest.raises(ValueError, match="data_format is 'channels_first'"):
        to_interpretable(keras.Model(inputs, x), "conv")


def test_name_that_two_inner_models_have_wants_a_path(rng):
    def inner(name):
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.Conv2D(3, 3, activation="relu", name="conv", padding="same")
        return keras.Model(inputs, x(inputs), name=name)

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, inner("upper")(inner("lower")(inputs)))
    with pytest.raises(ValueError, match="2 layers have.*'lower/conv', 'upper/conv'"):
        to_interpretable(model, "conv")
    converted = to_interpretable(model, "upper/conv", add_layer=False)
    assert len(converted.get_layer("upper").layers) == 3
    assert len(converted.get_layer("lower").layers) == 2


def test_models_that_are_no_graphs_are_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="subclassed model"):
        to_interpretable(Subclassed(), "conv")
    with pytest.raises(ValueError, match="Start it with keras.Input"):
        to_interpretable(keras.Sequential([keras.layers.Conv2D(2, 3)]), "conv2d")
    with pytest.raises(ValueError, match="as a Keras model. Received: a str"):
        to_interpretable("vgg16", "conv")


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_a_quantised_model_is_copied_as_it_computes(rng):
    model = small_model()
    images = rng.normal(size=(4, *model.input_shape[1:])).astype("float32")
    model.quantize("int8")
    same = to_interpretable(model, "conv2", add_layer=False, fraction=0.0)
    np.testing.assert_allclose(
        same.predict_on_batch(images), model.predict_on_batch(images), atol=1e-6
    )


def whitening_of(model, layer_name, rng, **keywords):
    maps = keras.Model(model.inputs, model.get_layer(layer_name).output)
    images = pictures(rng, 4, model.input_shape[1])
    return whitening_conv(maps.predict(images, verbose=0), **keywords)


def test_whitened_maps_get_two_convolutions_and_no_mask(rng, tmp_path):
    model = small_model()
    whitening = whitening_of(model, "act1", rng, components=5)
    converted = to_interpretable(model, "conv1", whitening=whitening, fraction=0.25)
    assert_same_weights(model, converted)
    names = [layer.name for layer in converted.layers]
    start = names.index("act1")
    assert names[start : start + 5] == [
        "act1",
        "act1_whitening",
        "act1_interpretable_conv",
        "act1_interpretable_conv_2",
        "pool1",
    ]
    copied = converted.get_layer("act1_whitening")
    assert copied is not whitening and not copied.trainable
    for found, given in zip(copied.get_weights(), whitening.get_weights(), strict=True):
        np.testing.assert_array_equal(found, given)
    top = converted.get_layer("act1_interpretable_conv_2")
    assert top.filters == 8 and top.interpretable_filters == 2
    images = pictures(rng, 8, 16)
    converted.compile("adam", "mse")
    labels = np.zeros(run(converted, images).shape)
    converted.fit(images, labels, epochs=1, verbose=0)
    np.testing.assert_array_equal(copied.get_weights()[0], whitening.get_weights()[0])
    converted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(loaded, images), run(converted, images))
    with pytest.raises(ValueError, match="interpretable already"):
        to_interpretable(converted, "act1")


def test_whitening_takes_the_precision_of_the_model(rng):
    model = small_model(dtype="mixed_float16")
    whitening = whitening_of(model, "act1", rng)
    converted = to_interpretable(model, "conv1", whitening=whitening)
    assert converted.get_layer("act1_whitening").dtype_policy == (
        converted.get_layer("act1").dtype_policy
    )
    assert np.isfinite(run(converted, pictures(rng, 2, 16))).all()


def test_whitening_that_does_not_fit_is_refused(rng):
    model = small_model()
    fits = whitening_of(model, "act1", rng)
    with pytest.raises(ValueError, match="add_layer=False"):
        to_interpretable(model, "conv1", whitening=fits, add_layer=False)
    with pytest.raises(ValueError, match="6 channels of the maps"):
        to_interpretable(model, "conv2", whitening=fits)
    for wrong in ("half", keras.layers.Conv2D(8, 1), keras.layers.Dense(3)):
        with pytest.raises(ValueError, match="whitening_conv"):
            to_interpretable(model, "conv1", whitening=wrong)
    wide = keras.layers.Conv2D(8, 3)
    wide.build((None, None, None, 8))
    with pytest.raises(ValueError, match="1x1"):
        to_interpretable(model, "conv1", whitening=wide)
