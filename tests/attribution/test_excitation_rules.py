"""What each layer and operation does with the winning probability; what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_interp as ki
from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import excitation_backprop
from keras_interp.attribution.excitation._backprop import winning_probability

from .tiny_models import CLASSES, SIZE, sample_images, seeded

SHAPE = (4, 4, 2)


def model_of(build, shape=SHAPE):
    """The image is layer `x`; what `build` makes of it goes into a dense layer."""
    inputs = keras.Input(shape)
    maps = build(layers.Identity(name="x")(inputs))
    outputs = layers.Dense(3, name="last")(layers.Flatten(name="flat")(maps))
    return seeded(keras.Model(inputs, outputs), seed=3)


def maps_and_upper(build, shape=SHAPE):
    """Probability at the image, and at what `build` makes of it."""
    model = model_of(build, shape)
    images = np.random.default_rng(0).random((2, *shape)).astype("float32")
    explained = ExplainedModel(model, images, 1)
    found = [
        winning_probability(explained, explained.record.find_call(name))
        for name in ("x", "flat")
    ]
    return images, *found


PASSED = {
    "activation": lambda: layers.Activation("relu"),
    "silu": lambda: layers.Activation("silu"),
    "dropout": lambda: layers.Dropout(0.5),
    "elu": layers.ELU,
    "leaky_relu": layers.LeakyReLU,
    "prelu": layers.PReLU,
    "relu": layers.ReLU,
    "relu6": lambda: layers.ReLU(6.0),
    "ops_relu": lambda: ops.relu,
    "ops_tanh": lambda: ops.tanh,
    "ops_maximum": lambda: lambda x: layers.Lambda(lambda y: ops.maximum(y, 0.0))(x),
    "normalization_alone": layers.BatchNormalization,
    "response_normalization": ki.models.LocalResponseNormalization,
    "a_number_added": lambda: lambda x: x + 3.0,
    "a_number_times": lambda: lambda x: 3.0 * x,
    "reshaped": lambda: layers.Reshape((2, 8, 2)),
    "padded": lambda: lambda x: layers.Cropping2D(1)(layers.ZeroPadding2D()(x)),
    "expanded": lambda: lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "twice_transposed": lambda: (
        lambda x: layers.Permute((2, 1, 3))(ops.transpose(x, (0, 2, 1, 3)))
    ),
    "cast": lambda: lambda x: ops.cast(ops.cast(x, "float16"), "float32"),
}


@pytest.mark.parametrize("kind", PASSED)
def test_handed_on_as_it_is(kind):
    images, found, upper = maps_and_upper(PASSED[kind]())
    assert upper.max() > 0
    np.testing.assert_allclose(found.reshape(upper.shape), upper, rtol=1e-3, atol=1e-6)


def test_a_normalization_in_another_direction_hands_on():
    """Its negative scale is one of rows, not of filters, and turns no connection."""
    convolution = layers.Conv2D(2, 1, use_bias=False)
    norm = layers.BatchNormalization(axis=1)
    model = model_of(lambda x: ops.relu(norm(convolution(x))))
    convolution.kernel.assign(np.ones((1, 1, 2, 2)))
    norm.gamma.assign(-np.ones(4))
    norm.beta.assign(np.full(4, 99.0))
    images = np.ones((1, *SHAPE), "float32")
    maps = excitation_backprop(model, images, layer_name="x")
    np.testing.assert_allclose(maps.sum(), 1, rtol=1e-5)
    other = layers.BatchNormalization(axis=-1)
    model = model_of(lambda x: ops.relu(other(convolution(x))))
    convolution.kernel.assign(np.ones((1, 1, 2, 2)))
    other.gamma.assign([-1, -1])
    other.beta.assign([99, 99])
    assert excitation_backprop(model, images, layer_name="x").max() == 0


def test_max_pooling_hands_to_the_first_largest():
    images, found, upper = maps_and_upper(layers.MaxPooling2D())
    upper = upper.reshape(2, 2, 2, 2)
    windows = images.reshape(2, 2, 2, 2, 2, 2)
    largest = windows == windows.max(axis=(2, 4), keepdims=True)
    wanted = largest * upper[:, :, None, :, None]
    np.testing.assert_allclose(found, wanted.reshape(found.shape), rtol=1e-5)
    model = model_of(layers.MaxPooling2D())
    alike = np.ones((1, *SHAPE), "float32")
    maps = excitation_backprop(model, alike, 1, layer_name="x")
    assert (maps[0, ::2, ::2] > 0).any()
    assert maps[0, 1::2].max() == 0
    assert maps[0, :, 1::2].max() == 0


@pytest.mark.parametrize(
    "pooling",
    [
        layers.GlobalMaxPooling2D,
        lambda: lambda x: ops.max(x, axis=(1, 2)),
    ],
)
def test_global_max_pooling_hands_to_the_largest(pooling):
    images, found, upper = maps_and_upper(pooling())
    largest = images == images.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found, largest * upper[:, None, None], rtol=1e-5)


AVERAGED = {
    "global": lambda: layers.GlobalAveragePooling2D(),
    "mean": lambda: lambda x: ops.mean(x, axis=(1, 2)),
    "sum": lambda: lambda x: ops.sum(x, axis=(1, 2)),
    "pool": lambda: layers.AveragePooling2D(4),
}


@pytest.mark.parametrize("kind", AVERAGED)
def test_an_average_shares_in_proportion(kind):
    images, found, upper = maps_and_upper(AVERAGED[kind]())
    wanted = images / images.sum(axis=(1, 2), keepdims=True)
    wanted = wanted * upper.reshape(2, 1, 1, 2)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


ADDED = {
    "layer": lambda a, b: layers.Add()([a, b]),
    "operator": lambda a, b: a + b,
    "ops": ops.add,
    "average": lambda a, b: layers.Average()([a, b]),
}


@pytest.mark.parametrize("kind", ADDED)
def test_a_sum_is_split_in_proportion(kind):
    images, found, upper = maps_and_upper(
        lambda x: ADDED[kind](x, layers.Permute((2, 1, 3))(x))
    )
    upper = upper.reshape(images.shape)
    turned = images.transpose(0, 2, 1, 3)
    share = upper / (images + turned)
    wanted = images * share + (turned * share).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_a_negative_part_of_a_sum_gets_nothing():
    def build(x):
        return ops.relu(layers.Add()([x, layers.Activation(ops.negative)(x * 0.5)]))

    _, found, upper = maps_and_upper(build)
    np.testing.assert_allclose(found.reshape(upper.shape), upper, rtol=1e-5)


def test_a_branch_below_the_layer_takes_its_share():
    inputs = keras.Input(SHAPE)
    aside = layers.Identity(name="aside")(layers.ReLU()(inputs))
    maps = layers.Identity(name="x")(layers.ReLU(6.0)(inputs))
    outputs = layers.Dense(3)(layers.Flatten()(layers.Add()([maps, aside, aside])))
    model = seeded(keras.Model(inputs, outputs))
    images = np.random.default_rng(0).random((2, *SHAPE)).astype("float32")
    maps = excitation_backprop(model, images, layer_name="x")
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1 / 3, rtol=1e-5)


@pytest.mark.parametrize(
    "concatenate",
    [
        lambda a, b: layers.Concatenate()([a, b]),
        lambda a, b: ops.concatenate([a, b], -1),
    ],
)
def test_a_concatenation_is_cut_apart(concatenate):
    images, found, upper = maps_and_upper(
        lambda x: concatenate(x, layers.Permute((2, 1, 3))(x))
    )
    direct, turned = np.split(upper.reshape(2, 4, 4, 4), 2, axis=-1)
    wanted = direct + turned.transpose(0, 2, 1, 3)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def squeeze_and_excitation(x):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Dense(2, activation="sigmoid")(layers.Dense(3)(gate))
    return layers.Multiply()([x, gate])


GATED = {
    "squeeze_and_excitation": squeeze_and_excitation,
    "relu_of_squeezed": lambda x: (
        x * ops.relu6(layers.GlobalMaxPooling2D(keepdims=True)(x) + 3.0)
    ),
    "swish": lambda x: layers.Multiply()([x, layers.Activation("sigmoid")(x)]),
    "ops_swish": lambda x: ops.sigmoid(x) * x,
}


@pytest.mark.parametrize("kind", GATED)
def test_a_gate_lets_through(kind):
    _, found, upper = maps_and_upper(GATED[kind])
    np.testing.assert_allclose(found.reshape(upper.shape), upper, rtol=1e-5)


def test_a_product_of_two_tensors_is_refused():
    model = model_of(lambda x: layers.Multiply(name="m")([x, ops.relu(x)]))
    with pytest.raises(ValueError, match=r"'m' \(Multiply\).*multiplies 2 of them"):
        excitation_backprop(model, np.ones((1, *SHAPE), "float32"), layer_name="x")


def test_interpretable_layers_hand_on(rng):
    def build(parts):
        maps = layers.Conv2D(4, 3, padding="same", activation="relu", name="a")
        inputs = keras.Input(SIZE)
        maps = parts(maps(inputs))
        return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(maps)))

    masked = build(lambda x: ki.InterpretableConv(5, 3, name="parts")(x))
    by_hand = build(
        lambda x: ki.layers.PartMask()(layers.Conv2D(5, 3, activation="relu")(x))
    )
    masked.get_layer("parts").interpretable_mask.fraction = 1.0
    for model in (masked, by_hand):
        rng = np.random.default_rng(0)
        for weight in model.trainable_weights:
            weight.assign(rng.normal(0, 0.4, weight.shape))
    images = sample_images(2)
    maps = excitation_backprop(by_hand, images, 1, layer_name="a")
    assert maps.max() > 0
    inner = excitation_backprop(masked, images, 1, layer_name="parts/parts")
    outer = excitation_backprop(masked, images, 1, layer_name="parts")
    np.testing.assert_allclose(inner, outer, rtol=1e-5)


class Block(layers.Layer):
    """A residual block as a layer, its sum written in some way."""

    def __init__(self, add, **keywords):
        super().__init__(**keywords)
        self.convolution = layers.Conv2D(3, 3, padding="same", activation="relu")
        self.add = add

    def call(self, inputs):
        return self.add(inputs, self.convolution(inputs))


def raw_sum(a, b):
    """Of tensors, which nobody sees."""
    return a + b


def residual(add):
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(3, 3, activation="relu", name="below")(inputs)
    maps = layers.ReLU(name="above")(Block(add, name="block")(maps))
    outputs = layers.Dense(CLASSES)(layers.Flatten()(maps))
    return seeded(keras.Model(inputs, outputs))


def test_a_sum_by_ops_inside_a_users_layer_is_followed():
    images = sample_images(2)
    maps = excitation_backprop(residual(ops.add), images, layer_name="below")
    inputs = keras.Input(SIZE)
    maps_ = layers.Conv2D(3, 3, activation="relu", name="below")(inputs)
    branch = layers.Conv2D(3, 3, padding="same", activation="relu")(maps_)
    maps_ = layers.ReLU()(layers.Add()([maps_, branch]))
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(maps_)))
    expected = excitation_backprop(seeded(model), images, layer_name="below")
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


def test_a_sum_that_cannot_be_seen_is_refused():
    with pytest.raises(
        ValueError, match=r"'block' \(Block\).*x \+ y.*keras.layers.Add"
    ):
        excitation_backprop(residual(raw_sum), sample_images(1), layer_name="below")
    maps = excitation_backprop(residual(raw_sum), sample_images(1), layer_name="above")
    assert maps.max() > 0


class OwnSum(keras.Model):
    """A subclassed model that adds tensors between its layers."""

    def __init__(self):
        super().__init__()
        self.below = layers.Conv2D(3, 3, padding="same", name="below")
        self.beside = layers.Conv2D(3, 3, padding="same")
        self.flat = layers.Flatten()
        self.last = layers.Dense(CLASSES)

    def call(self, inputs):
        maps = ops.relu(self.below(inputs))
        return self.last(self.flat(maps + self.beside(maps)))


def test_a_sum_between_the_layers_of_a_subclassed_model_is_refused():
    model = OwnSum()
    model(sample_images(1))
    with pytest.raises(
        ValueError, match=r"\(OwnSum\), which computes something between"
    ):
        excitation_backprop(model, sample_images(1), layer_name="below")


class Standardized(layers.Conv2D):
    """A convolution that changes its kernel, as Keras lets it."""

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel - ops.mean(kernel, axis=(0, 1)))


class Doubled(layers.Layer):
    """Nothing but an operation of the backend."""

    def call(self, inputs):
        return inputs * 2


WITHOUT_RULE = {
    "LayerNormalization": lambda: layers.LayerNormalization(name="odd"),
    "Standardized": lambda: Standardized(2, 1, name="odd"),
    "Doubled": lambda: Doubled(name="odd"),
    "Maximum": lambda: lambda x: layers.Maximum(name="odd")([x, ops.relu(x)]),
    "Conv2DTranspose": lambda: layers.Conv2DTranspose(2, 3, name="odd"),
}


@pytest.mark.parametrize("kind", WITHOUT_RULE)
def test_a_layer_without_a_rule_is_named(kind):
    model = model_of(WITHOUT_RULE[kind]())
    words = rf"has a rule for.*Conv2D.*ZeroPadding2D.*'odd' \({kind}\)"
    with pytest.raises(ValueError, match=words):
        excitation_backprop(model, np.ones((1, *SHAPE), "float32"), layer_name="x")


def test_a_layer_without_a_rule_matters_only_on_the_way():
    inputs = keras.Input(SHAPE)
    before = layers.LayerNormalization()(inputs)
    maps = layers.Conv2D(3, 2, activation="relu", name="x")(before)
    aside = layers.LayerNormalization()(layers.Flatten()(maps))
    outputs = [layers.Dense(2)(aside), layers.Dense(3)(layers.Flatten()(maps))]
    model = seeded(keras.Model(inputs, outputs))
    images = np.random.default_rng(0).random((1, *SHAPE)).astype("float32")
    maps = excitation_backprop(model, images, layer_name="x", output_index=1)
    assert maps.max() > 0
    with pytest.raises(ValueError, match="LayerNormalization"):
        excitation_backprop(model, images, layer_name="x", output_index=0)


def quantized(mode):
    """Two maps of one cell, a dense layer with weights of 1 and 3, and its score."""
    model = keras.Sequential(
        [
            keras.Input((1, 2, 1)),
            layers.Identity(name="x"),
            layers.Flatten(),
            layers.Dense(1, use_bias=False, name="hidden"),
        ]
    )
    model.set_weights([np.array([[1.0], [3.0]])])
    model.quantize(mode)
    assert model.get_layer("hidden").quantization_mode == mode
    return model


def test_a_quantized_dense_layer_shares_as_its_weights_do():
    maps = excitation_backprop(
        quantized("int8"), np.ones((1, 1, 2, 1)), 0, layer_name="x"
    )
    # In steps of 3 / 127 the weights are 42 and 127.
    np.testing.assert_allclose(maps[0, 0], [42 / 169, 127 / 169], rtol=1e-5)


def test_a_layer_of_four_bits_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'hidden' \(Dense, quantised to int4\)"):
        excitation_backprop(quantized("int4"), np.ones((1, 1, 2, 1)), 0, layer_name="x")


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_a_quantized_network_is_explained_nearly_as_before(mode, images):
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(6, 3, activation="relu", name="maps")(inputs)
    hidden = layers.Dense(20, activation="relu")(layers.Flatten()(maps))
    model = seeded(keras.Model(inputs, layers.Dense(CLASSES)(hidden)))
    before = excitation_backprop(model, images, 1)
    model.quantize(mode)
    after = excitation_backprop(model, images, 1)
    np.testing.assert_allclose(after, before, atol=0.1 * before.max())
