"""A softmax or sigmoid at the end is looked through, and only there."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp import attribution
from keras_interp._network.explained_model import explained_output

from ..attribution.tiny_models import (
    CLASSES,
    SIZE,
    Subclassed,
    seeded,
    spelled,
    subclassed,
)

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
