"""What layers put out, read in one pass."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_interp as ki
from keras_interp._network import activations_and_gradients

from ..attribution.tiny_models import Subclassed, nested, seeded


class Counted(layers.Layer):
    """Counts its calls."""

    calls = 0

    def call(self, inputs):
        type(self).calls += 1
        return inputs


def test_maps_are_what_the_layer_puts_out(model, images):
    read = ki.feature_maps(model, images, "first", batch_size=2)
    expected = keras.Model(model.inputs, model.get_layer("first").output)
    np.testing.assert_allclose(read, expected.predict(images, verbose=0), rtol=1e-5)
    assert read.dtype == np.float32


def test_several_layers_are_read_in_one_pass(images):
    model = seeded(nested())
    names = [place.path for place in ki._network.layer_places(model)]
    names = [name for name in names if "conv" in name or "first" in name][:2]
    both = ki.feature_maps(model, images, names)
    assert list(both) == names
    for name in names:
        np.testing.assert_array_equal(both[name], ki.feature_maps(model, images, name))


def test_what_follows_the_layer_is_not_run(images):
    Counted.calls = 0
    counted = Counted()
    inputs = keras.Input(images.shape[1:])
    maps = layers.Conv2D(2, 3, name="conv")(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(counted(maps)))
    before = Counted.calls
    ki.feature_maps(model, images, "conv")
    assert Counted.calls == before


def test_a_subclassed_model_and_units(images):
    model = Subclassed()
    scores = model(images)
    dense = next(x for x in model.layers if isinstance(x, layers.Dense))
    units = ki.feature_maps(model, images, dense.name)
    assert units.shape == (len(images), dense.units)
    assert scores.shape[0] == len(units)


def test_nothing_of_the_model_is_changed(images):
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            layers.BatchNormalization(),
            layers.Dropout(0.5, name="dropout"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    before = [ops.convert_to_numpy(v) for v in model.variables]
    maps = ki.feature_maps(model, images, "dropout")
    np.testing.assert_array_equal(maps, ki.feature_maps(model, images, "dropout"))
    for value, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(value, ops.convert_to_numpy(variable))


def test_channels_first_maps_come_with_channels_last(images):
    def network(first):
        form = "channels_first" if first else "channels_last"
        inputs = keras.Input(images.shape[1:])
        x = layers.Permute((3, 1, 2))(inputs) if first else inputs
        x = layers.Conv2D(4, 3, data_format=form, name="conv", activation="relu")(x)
        x = layers.GlobalAveragePooling2D(data_format=form)(x)
        return keras.Model(inputs, layers.Dense(2)(x))

    last, first = network(False), network(True)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(
        ki.feature_maps(first, images, "conv"),
        ki.feature_maps(last, images, "conv"),
        rtol=1e-4,
        atol=1e-6,
    )


def test_the_gradient_of_a_score_at_a_layer(images):
    """By central differences, through the layers above."""
    inputs = keras.Input(images.shape[1:])
    maps = layers.Conv2D(3, 3, name="conv")(inputs)
    logits = layers.Dense(2)(layers.GlobalMaxPooling2D()(maps))
    model = keras.Model(inputs, layers.Activation("softmax")(logits))
    above = keras.Model(maps, logits)
    maps, slopes = activations_and_gradients(model, images, "conv", 1)
    place = np.unravel_index(np.argmax(maps[0, ..., 0]), maps.shape[1:3])
    step = np.zeros_like(maps[:1])
    step[0, *place, 0] = 1e-2
    up, down = (ops.convert_to_numpy(above(maps[:1] + s)) for s in (step, -step))
    difference = (up - down)[0, 1] / 2e-2
    np.testing.assert_allclose(slopes[0, *place, 0], difference, rtol=1e-2)
    assert np.count_nonzero(slopes[0, ..., 0]) == 1


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("secnod", "layer_name='secnod'.*'second'"),
        ([], "layer_names"),
        (5, "layer_names=5"),
        (["first", 3], "layer_names"),
    ],
)
def test_names_that_are_none_are_refused(model, images, names, reason):
    with pytest.raises(ValueError, match=reason):
        ki.feature_maps(model, images, names)
