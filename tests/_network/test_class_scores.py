"""Which class of which output is explained."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp import attribution
from keras_interp._network.class_scores import class_targets, number_of_classes
from keras_interp._network.explained_model import explained_output
from keras_interp.attribution import gradient

from ..attribution.tiny_models import (
    CLASSES,
    SIZE,
    Subclassed,
    seeded,
    spelled,
    subclassed,
    two_outputs,
)


def test_targets_of_every_kind():
    assert class_targets(None, 2, 5).tolist() == [-1, -1]
    assert class_targets(3, 2, 5).tolist() == [3, 3]
    assert class_targets(np.int64(3), 2, 5).tolist() == [3, 3]
    assert class_targets([4, 0], 2, 5).tolist() == [4, 0]
    assert class_targets([], 0, 5).tolist() == []
    assert class_targets(keras.ops.convert_to_tensor([4, 0]), 2, 5).tolist() == [4, 0]
    assert class_targets(3, 2, 5).dtype == "int32"


@pytest.mark.parametrize("wrong", [5, -1, [0, 5], [0], [[0, 1]], 1.0, "cat", True])
def test_wrong_targets_are_refused(wrong):
    with pytest.raises(ValueError, match="class_index"):
        class_targets(wrong, 2, 5)


@pytest.mark.parametrize(
    ("shape", "classes"), [((None, 7), 7), ((None,), 1), ((None, 1, 1, 7), 7)]
)
def test_number_of_classes(shape, classes):
    assert number_of_classes(shape) == classes


def test_an_output_of_a_score_per_pixel_is_refused(images):
    model = keras.Sequential([keras.Input(SIZE), layers.Conv2D(4, 3, padding="same")])
    with pytest.raises(ValueError, match=r"one score a class.*\(None, 12, 10, 4\)"):
        gradient(model, images)


def linear(units, activation=None, squeezed=False):
    inputs = keras.Input(SIZE)
    outputs = layers.Dense(units, activation=activation)(layers.Flatten()(inputs))
    outputs = outputs[:, 0] if squeezed else outputs
    return seeded(keras.Model(inputs, outputs))


@pytest.mark.parametrize("activation", [None, "sigmoid"])
@pytest.mark.parametrize("class_index", [None, 0])
def test_a_single_unit_is_that_unit(images, activation, class_index):
    model = linear(1, activation)
    expected = [model.get_weights()[0][:, 0].reshape(SIZE)] * 5
    maps = gradient(model, images, class_index)
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


def test_a_score_without_an_axis_of_classes(images):
    model = linear(1, squeezed=True)
    expected = [model.get_weights()[0][:, 0].reshape(SIZE)] * 5
    np.testing.assert_allclose(gradient(model, images), expected, rtol=1e-5)


def test_the_gradient_of_a_linear_model_is_its_row(images):
    model = linear(3, "softmax")
    classes = [2, 0, 1, 1, 2]
    rows = model.get_weights()[0].T.reshape(3, *SIZE)
    np.testing.assert_allclose(
        gradient(model, images, classes), rows[classes], rtol=1e-5
    )


def test_several_outputs_are_told_apart(images):
    model = two_outputs()
    with pytest.raises(ValueError, match="output_index as.*Received:.*=None"):
        gradient(model, images)
    with pytest.raises(ValueError, match="Received: output_index='colour'"):
        gradient(model, images, output_index="colour")
    with pytest.raises(ValueError, match="class_index=0 or None.*class_index=2"):
        gradient(model, images, 2, output_index="flies")
    flies, species = (
        gradient(model, images, 0, output_index=name) for name in ("flies", "species")
    )
    assert np.abs(flies - species).max() > 1e-3
    words = explained_output(model, images, output_index="species")
    assert words == "logits of output 'species' (the final softmax is looked through)"


def test_outputs_in_a_list_have_the_models_names(images):
    inputs = keras.Input(SIZE)
    maps = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(inputs))
    heads = [layers.Dense(2, name="one")(maps), layers.Dense(3, name="two")(maps)]
    model = seeded(keras.Model(inputs, heads))
    by_name = gradient(model, images, 2, output_index="two")
    np.testing.assert_array_equal(by_name, gradient(model, images, 2, output_index=1))


def test_a_filter_out_of_range_is_refused(model, images):
    with pytest.raises(ValueError, match="to 4: there are 5 filters.*class_index=5"):
        gradient(model, images, 5, layer_name="second")


def test_what_is_explained_of_a_filter_in_words(model, images):
    words = explained_output(model, images, layer_name="second")
    assert words == "largest activation of a filter of layer 'second'"


LOOKED_THROUGH = "the final {} is looked through"


def ending(end):
    """A network whose logits go through `end`."""
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(5, 3, activation="relu")(inputs)
    logits = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(maps))
    return seeded(keras.Model(inputs, end(logits)))


def _inner_model(tensor):
    inputs = keras.Input((CLASSES,))
    inner = keras.Model(inputs, layers.Activation("softmax")(inputs), name="inner")
    return inner(tensor)


ENDS = {
    "layer": ("softmax", layers.Softmax()),
    "activation": ("softmax", layers.Activation("softmax")),
    "ops": ("softmax", ops.softmax),
    "function": ("softmax", keras.activations.softmax),
    "log_softmax": ("log-softmax", ops.log_softmax),
    "sigmoid": ("sigmoid", layers.Activation("sigmoid")),
    "float32_layer": (
        "softmax",
        lambda x: layers.Activation("linear", dtype="float32")(ops.softmax(x)),
    ),
    "reshaped": ("softmax", lambda x: layers.Reshape((CLASSES,))(layers.Softmax()(x))),
    "cast": ("softmax", lambda x: ops.cast(ops.softmax(x), "float32")),
    "dropout": ("softmax", lambda x: layers.Dropout(0.5)(layers.Softmax()(x))),
    "nested": ("softmax", _inner_model),
    "lambda": ("softmax", layers.Lambda(lambda x: ops.softmax(x))),
    "spatial": (
        "softmax",
        lambda x: layers.Flatten()(layers.Softmax()(layers.Reshape((1, 1, -1))(x))),
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_logits_are_explained(images, end):
    words, function = ENDS[end]
    model, plain = ending(function), ending(lambda x: x)
    expected = attribution.gradient(plain, images, 1)
    maps = attribution.gradient(model, images, 1)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-7)
    assert LOOKED_THROUGH.format(words) in explained_output(model, images)


def test_a_subclassed_model_is_looked_through(images):
    expected = attribution.gradient(spelled(final=None), images, 1)
    maps = attribution.gradient(subclassed(), images, 1)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
    assert isinstance(subclassed(), Subclassed)
    assert LOOKED_THROUGH.format("softmax") in explained_output(subclassed(), images)


def test_the_backends_own_softmax_is_looked_through(images):
    def softmax(x):
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.nn.softmax(x)
        if keras.backend.backend() == "jax":
            import jax

            return jax.nn.softmax(x)
        return x.softmax(-1)

    model = ending(layers.Lambda(softmax, output_shape=lambda shape: shape))
    maps = attribution.gradient(model, images, 1)
    expected = attribution.gradient(ending(lambda x: x), images, 1)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "end",
    [
        lambda x: x,
        lambda x: 2.0 * ops.softmax(x),
        lambda x: ops.softmax(x) + x,
        lambda x: layers.Dense(CLASSES)(ops.sigmoid(x)),
    ],
)
def test_what_is_no_final_activation_is_explained_as_it_is(images, end):
    model = ending(end)
    assert explained_output(model, images) == "output '0' as the model returns it"
    maps = attribution.gradient(model, images[:1], 1)
    # Against finite differences of what the model returns.
    step = np.zeros_like(images[:1])
    step[0, 5, 5, 1] = 1e-2
    above, below = (
        ops.convert_to_numpy(model(images[:1] + s))[0, 1] for s in (step, -step)
    )
    slope = (above - below) / 2e-2
    assert maps[0, 5, 5, 1] == pytest.approx(slope, rel=2e-2, abs=2e-4)


def test_half_precision_before_a_float_softmax(images):
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(5, 3, activation="relu", dtype="mixed_float16")(inputs)
    features = layers.GlobalAveragePooling2D(dtype="mixed_float16")(maps)
    logits = layers.Dense(CLASSES, dtype="mixed_float16")(features)
    outputs = layers.Activation("softmax", dtype="float32")(logits)
    model = seeded(keras.Model(inputs, outputs))
    expected = attribution.gradient(ending(lambda x: x), images, 1)
    maps = attribution.gradient(model, images, 1)
    # A ReLU whose input is nearly zero may be on the other side in half precision.
    assert np.linalg.norm(maps - expected) < 0.05 * np.linalg.norm(expected)
    assert LOOKED_THROUGH.format("softmax") in explained_output(model, images)
