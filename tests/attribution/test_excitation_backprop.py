"""Excitation backpropagation against hand-computed values and a float64 reference."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import (
    contrastive_excitation_backprop,
    excitation_backprop,
)
from keras_interp.attribution.excitation._backprop import winning_probability

from .excitation_reference import ReferenceNetwork
from .tiny_models import CLASSES, SIZE, functional, sample_images, seeded

METHODS = [excitation_backprop, contrastive_excitation_backprop]


def probability(model, images, class_index, layer_name, contrastive=False, unit=None):
    """Winning probability of every unit of a layer."""
    explained = ExplainedModel(model, images, class_index, layer_name=unit)
    target = explained.record.find_call(layer_name)
    return winning_probability(explained, target, contrastive=contrastive)


def hand_computed():
    """Three inputs, two hidden units, two outputs; an image of one row."""
    inputs = keras.Input((1, 3, 1))
    flat = layers.Flatten()(layers.Identity(name="x")(inputs))
    hidden = layers.Dense(2, activation="relu", name="h")(flat)
    model = keras.Model(inputs, layers.Dense(2, name="y")(hidden))
    model.get_layer("h").kernel.assign([[1, -1], [2, 1], [-1, 3]])
    model.get_layer("y").kernel.assign([[1, -2], [2, 1]])
    return model, np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)


def test_hand_computed_probabilities():
    model, image = hand_computed()
    np.testing.assert_allclose(model.predict(image, verbose=0), [[22, 6]])
    hidden = probability(model, image, 0, "h")
    np.testing.assert_allclose(hidden, [[1 / 11, 10 / 11]], rtol=1e-6)
    maps = excitation_backprop(model, image, 0, layer_name="x")
    expected = [[[0.0181818182, 0.2380165289, 0.7438016529]]]
    np.testing.assert_allclose(maps, expected, rtol=1e-6)


def test_hand_computed_contrast():
    model, image = hand_computed()
    np.testing.assert_allclose(probability(model, image, 1, "h"), [[0, 1]])
    hidden = probability(model, image, 1, "h", contrastive=True)
    np.testing.assert_allclose(hidden, [[-1, 1]], rtol=1e-6)
    contrast = probability(model, image, 1, "x", contrastive=True)
    expected = [-0.2, -0.6181818182, 0.8181818182]
    np.testing.assert_allclose(contrast.ravel(), expected, rtol=1e-6)
    maps = contrastive_excitation_backprop(model, image, 1, layer_name="x")
    np.testing.assert_allclose(maps, [[[0, 0, 0.8181818182]]], rtol=1e-6)


def test_the_contrast_is_with_the_unit_of_negated_weights():
    model, image = hand_computed()
    excited = probability(model, image, 1, "x")
    last = model.get_layer("y")
    kernel, bias = last.get_weights()
    last.set_weights([-kernel, bias])
    opposite = probability(model, image, 1, "x")
    np.testing.assert_allclose(probability(model, image, 1, "h"), [[1, 0]])
    contrast = probability(model, image, 1, "x", contrastive=True)
    np.testing.assert_allclose(contrast, opposite - excited, rtol=1e-5)


def test_a_unit_of_a_hidden_dense_layer():
    model, image = hand_computed()
    found = probability(model, image, 1, "x", unit="h")
    np.testing.assert_allclose(found.ravel(), [0, 2 / 11, 9 / 11], rtol=1e-6)
    contrast = probability(model, image, 0, "x", unit="h", contrastive=True)
    np.testing.assert_allclose(contrast.ravel(), [0.2, 0.8, -1], rtol=1e-6)


def reference_model():
    """The Keras model of `ReferenceNetwork`, and its weights by name."""
    inputs = keras.Input((8, 10, 3))
    maps = layers.Conv2D(4, 3, padding="same", name="conv1")(inputs)
    maps = layers.ReLU(name="first")(layers.BatchNormalization(name="norm1")(maps))
    pool = layers.MaxPooling2D(2, name="pool")(maps)
    branch = layers.Conv2D(4, 3, padding="same", use_bias=True, name="conv2")(pool)
    branch = layers.BatchNormalization(name="norm2")(branch)
    both = layers.ReLU(name="sum")(layers.Add()([pool, branch]))
    other = layers.DepthwiseConv2D(
        3, padding="same", dilation_rate=2, use_bias=False, name="depthwise"
    )(both)
    both = layers.Concatenate(name="both")([both, layers.ReLU(6.0)(other)])
    maps = layers.Conv2D(
        6, 3, strides=2, padding="same", groups=2, activation="relu", name="grouped"
    )(both)
    maps = layers.Flatten()(layers.AveragePooling2D(2, strides=1)(maps))
    hidden = layers.Dense(7, activation="relu", name="hidden")(maps)
    outputs = layers.Dense(3, activation="softmax", name="logits")(hidden)
    model = seeded(keras.Model(inputs, outputs), seed=4)
    return model, {
        f"{layer.name}/{weight.name}": ops.convert_to_numpy(weight)
        for layer in model.layers
        for weight in layer.weights
    }


@pytest.mark.parametrize("contrastive", [False, True])
def test_float64_reference(rng, contrastive):
    model, weights = reference_model()
    assert (weights["norm1/gamma"] < 0).any()
    assert (weights["norm2/gamma"] < 0).any()
    images = rng.normal(size=(3, 8, 10, 3)).astype("float32")
    references = [ReferenceNetwork(weights, image) for image in images]
    logits = np.stack([reference.logits for reference in references])
    softmax = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    predicted = model.predict(images, verbose=0)
    np.testing.assert_allclose(predicted, softmax, rtol=1e-4, atol=1e-6)
    classes = [2, 0, 1]
    expected = [
        reference.probabilities(class_index, contrastive)
        for reference, class_index in zip(references, classes, strict=True)
    ]
    for name in ("hidden", "grouped", "both", "sum", "pool", "first"):
        found = probability(model, images, classes, name, contrastive)
        wanted = np.stack([p[name].reshape(found.shape[1:]) for p in expected])
        assert np.abs(wanted).max() > 1e-3
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_maps_are_the_sum_over_channels_enlarged(rng):
    model, weights = reference_model()
    image = rng.normal(size=(1, 8, 10, 3)).astype("float32")
    reference = ReferenceNetwork(weights, image[0])
    for method, contrastive in zip(METHODS, (False, True), strict=True):
        wanted = reference.probabilities(1, contrastive)["pool"].reshape(1, 4, 5, 4)
        wanted = wanted.sum(axis=-1)
        wanted = np.maximum(wanted, 0) if contrastive else wanted
        small = method(model, image, 1, layer_name="pool", resize=False)
        np.testing.assert_allclose(small, wanted, rtol=1e-5, atol=1e-6)
        large = ops.image.resize(
            wanted[..., None], (8, 10), data_format="channels_last"
        )
        maps = method(model, image, 1, layer_name="pool")
        np.testing.assert_allclose(
            maps, ops.convert_to_numpy(large)[..., 0], rtol=1e-4, atol=1e-6
        )


def supported():
    """A network in which every active unit has a connection of positive weight."""
    inputs = keras.Input(SIZE)
    options = {"kernel_initializer": "random_uniform", "activation": "relu"}
    maps = layers.Conv2D(6, 3, name="first", **options)(inputs)
    maps = layers.MaxPooling2D(name="pool")(maps)
    other = layers.SeparableConv2D(6, 3, padding="same", activation="relu")(maps)
    other = layers.AveragePooling2D(3, 1, padding="same")(other)
    maps = layers.Average()([layers.Add()([maps, other]), other])
    maps = layers.ZeroPadding2D()(layers.UpSampling2D()(maps))
    maps = layers.Concatenate(name="both")([maps, layers.Activation("gelu")(maps)])
    maps = layers.Conv2D(8, 3, strides=2, dilation_rate=1, **options)(maps)
    hidden = layers.Dense(9, **options)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(inputs, layers.Dense(3, name="logits")(hidden))


@pytest.mark.parametrize("name", ["first", "pool", "both"])
def test_probability_is_conserved(name):
    model, images = supported(), np.abs(sample_images(3))
    maps = excitation_backprop(model, images, layer_name=name, resize=False)
    assert maps.min() >= 0
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_probability_without_support_is_lost():
    inputs = keras.Input((1, 2, 1))
    hidden = layers.Dense(2, activation="relu")(
        layers.Flatten()(layers.Identity(name="x")(inputs))
    )
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    # The second hidden unit is active by its bias alone.
    model.layers[-2].kernel.assign([[1, -1], [3, -1]])
    model.layers[-2].bias.assign([0, 9])
    model.layers[-1].kernel.assign([[1], [1]])
    image = np.ones((1, 1, 2, 1), "float32")
    maps = excitation_backprop(model, image, layer_name="x")
    share = 4 / (4 + 7)
    np.testing.assert_allclose(maps, [[[share / 4, share * 3 / 4]]], rtol=1e-6)


def on_image(build, channels=2):
    """A model whose layer `x` is the image, with a dense layer at the end."""
    inputs = keras.Input((5, 4, channels))
    maps = build(layers.Identity(name="x")(inputs))
    outputs = layers.Dense(3)(layers.Flatten()(maps))
    return seeded(keras.Model(inputs, outputs), seed=2)


LINEAR = {
    "strided": lambda: layers.Conv2D(6, 3, strides=2, padding="same"),
    "valid": lambda: layers.Conv2D(6, (2, 3), strides=(2, 1)),
    "dilated": lambda: layers.Conv2D(6, 2, dilation_rate=2),
    "grouped": lambda: layers.Conv2D(6, 3, groups=2, padding="same"),
    "depthwise": lambda: layers.DepthwiseConv2D(3, strides=2, depth_multiplier=3),
    "separable": lambda: layers.SeparableConv2D(6, 3, strides=2, padding="same"),
    "dense": lambda: layers.Dense(6),
}


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("normalized", [False, True])
def test_every_layer_with_weights_follows_the_formula(rng, kind, normalized):
    layer, norm = LINEAR[kind](), layers.BatchNormalization()
    model = on_image(lambda x: ops.relu(norm(layer(x)) if normalized else layer(x)))
    images = rng.random((2, 5, 4, 2)).astype("float32")
    # The last row is nothing: what it gives is the bias.
    basis = np.eye(41, 40, dtype="float32").reshape(41, 5, 4, 2)
    matrix = np.float64(ops.convert_to_numpy(layer(basis))).reshape(41, -1)
    matrix = matrix[:-1] - matrix[-1]
    if normalized:
        signs = np.sign(ops.convert_to_numpy(norm.gamma))
        assert (signs < 0).any()
        matrix *= np.tile(signs, matrix.shape[1] // len(signs))
    hidden = keras.Model(model.inputs, model.layers[-2].output).predict(
        images, verbose=0
    )
    positive = np.maximum(model.layers[-1].get_weights()[0][:, 1], 0)
    upper = hidden * positive
    upper /= upper.sum(axis=-1, keepdims=True)
    matrix = np.maximum(matrix, 0)
    total = images.reshape(2, -1) @ matrix
    ratio = np.divide(upper, total, out=np.zeros_like(total), where=total > 0)
    wanted = images.reshape(2, -1) * (ratio @ matrix.T)
    found = probability(model, images, 1, "x").reshape(2, -1)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_normalisation_is_that_of_the_folded_convolution(rng):
    convolution, norm = layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization()
    model = on_image(lambda x: ops.relu(norm(convolution(x))))
    gamma, beta, mean, variance = norm.get_weights()
    scale = gamma / np.sqrt(variance + 1e-3)
    folded = on_image(layers.Conv2D(4, 3, activation="relu", name="folded"))
    folded.get_layer("folded").set_weights(
        [convolution.get_weights()[0] * scale, beta - mean * scale]
    )
    folded.layers[-1].set_weights(model.layers[-1].get_weights())
    images = rng.random((2, 5, 4, 2)).astype("float32")
    predicted = [m.predict(images, verbose=0) for m in (model, folded)]
    np.testing.assert_allclose(*predicted, rtol=1e-4, atol=1e-5)
    for method in METHODS:
        np.testing.assert_allclose(
            method(model, images, 0, layer_name="x"),
            method(folded, images, 0, layer_name="x"),
            rtol=1e-4,
            atol=1e-6,
        )


def test_weights_are_those_of_the_moment(rng):
    model, image = hand_computed()
    excitation_backprop(model, image, 0, layer_name="x")
    model.get_layer("y").kernel.assign([[1, -2], [0, 1]])
    maps = excitation_backprop(model, image, 0, layer_name="x")
    np.testing.assert_allclose(maps, [[[0.2, 0.8, 0]]], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_half_precision_loses_no_probability(method):
    """The probabilities of many units are below what float16 can tell from zero."""

    def build(dtype):
        inputs = keras.Input((48, 48, 3))
        maps = layers.Conv2D(32, 3, activation="relu", dtype=dtype, name="a")(inputs)
        core = keras.Sequential(
            [
                keras.Input((46, 46, 32)),
                layers.AveragePooling2D(2, strides=1, dtype=dtype),
                layers.Conv2D(8, 3, activation="relu", dtype=dtype),
            ],
        )
        outputs = layers.Dense(3, dtype="float32")(layers.Flatten()(core(maps)))
        return seeded(keras.Model(inputs, outputs))

    images = np.random.default_rng(0).random((1, 48, 48, 3)).astype("float32")
    exact = method(build("float32"), images, 1, layer_name="a")
    half = method(build("mixed_float16"), images, 1, layer_name="a")
    assert half.dtype == "float32"
    np.testing.assert_allclose(half.sum(), exact.sum(), rtol=5e-3)
    assert np.abs(half - exact).max() < 0.02 * exact.max()


def test_maps_of_the_default_layer():
    model, images = functional(), sample_images(2)
    maps = excitation_backprop(model, images, resize=False)
    assert maps.shape == (2, 6, 5)
    (name,) = [x.name for x in model.layers if "pooling2d" in x.name][:1]
    expected = excitation_backprop(model, images, layer_name=name, resize=False)
    np.testing.assert_array_equal(maps, expected)


def test_a_layer_that_is_called_twice():
    inputs = keras.Input(SIZE)
    convolution = layers.Conv2D(3, 3, padding="same", activation="relu", name="twice")
    maps = layers.Add()([convolution(convolution(inputs)), inputs])
    outputs = layers.Dense(CLASSES)(layers.Flatten()(maps))
    model, images = seeded(keras.Model(inputs, outputs)), sample_images(2)
    first, second = (
        excitation_backprop(model, images, layer_name="twice", call_index=i)
        for i in (0, 1)
    )
    assert np.abs(first - second).max() > 1e-3
    with pytest.raises(ValueError, match="called 2 times"):
        excitation_backprop(model, images, layer_name="twice")


def test_the_contrast_of_averaged_class_maps():
    """A fully convolutional head is a dense layer after the average, otherwise."""

    def build(dense):
        inputs = keras.Input(SIZE)
        maps = layers.Conv2D(6, 3, activation="relu", name="a")(inputs)
        if dense:
            outputs = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(maps))
        else:
            outputs = layers.Conv2D(CLASSES, 1)(maps)
            outputs = layers.GlobalAveragePooling2D()(outputs)
        return keras.Model(inputs, outputs)

    dense, convolutional = seeded(build(True)), build(False)
    shapes = [weight.shape for weight in convolutional.weights]
    convolutional.set_weights(
        [w.reshape(s) for w, s in zip(dense.get_weights(), shapes, strict=True)]
    )
    images = sample_images(2)
    maps = [
        contrastive_excitation_backprop(model, images, 1, layer_name="a")
        for model in (dense, convolutional)
    ]
    assert maps[0].max() > 1e-3
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-4, atol=1e-6)


def test_a_layer_without_maps_is_refused():
    with pytest.raises(
        ValueError, match=r"feature maps.*'classes', which puts out.*'second'"
    ):
        excitation_backprop(functional(), sample_images(1), layer_name="classes")


def test_an_image_with_negative_numbers_is_refused():
    model, image = hand_computed()
    excitation_backprop(model, image, layer_name="x")
    with pytest.raises(
        ValueError, match="'x', which hands on the image itself, with neg"
    ):
        excitation_backprop(model, -image, layer_name="x")


def test_no_contrast_without_weights():
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(CLASSES, 3, activation="relu", name="last")(inputs)
    model = seeded(keras.Model(inputs, layers.GlobalAveragePooling2D()(maps)))
    assert excitation_backprop(model, sample_images(1), layer_name="last").max() > 0
    with pytest.raises(ValueError, match="dense layer above it.*layer_name='last'"):
        contrastive_excitation_backprop(model, sample_images(1), layer_name="last")


def test_a_layer_on_which_the_output_does_not_depend_is_refused():
    inputs = keras.Input(SIZE)
    aside = layers.Conv2D(2, 3, name="aside")(inputs)
    outputs = layers.Dense(CLASSES)(layers.Flatten()(layers.Conv2D(2, 3)(inputs)))
    model = seeded(keras.Model(inputs, {"classes": outputs, "aside": aside}))
    with pytest.raises(
        ValueError, match="score depends on. Received: layer_name='aside'"
    ):
        excitation_backprop(
            model, sample_images(1), layer_name="aside", output_index="classes"
        )
