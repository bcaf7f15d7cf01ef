"""Maps are told from tensors of four axes that mean something else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp import attribution
from keras_interp._network.explained_model import ObservedModel
from keras_interp._network.map_layouts import MapLayouts, as_channels_last

SIZE = (8, 12, 3)


class Named:
    """An operation of which nothing but the class's name and one setting matters."""


class Transpose(Named):
    def __init__(self, *axes):
        self.axes = axes


class Reshape(Named):
    pass


def tensor(*shape):
    return keras.KerasTensor(shape)


@pytest.mark.parametrize(
    ("axes", "layout"),
    [
        ((0, 3, 1, 2), "channels_first"),
        ((0, 2, 1, 3), "channels_last"),
        ((0, 1, 2, 3), "channels_last"),
        ((0, 3, 2, 1), "no_map"),
    ],
)
def test_axes_that_move(axes, layout):
    layouts, image = MapLayouts(), tensor(None, *SIZE)
    layouts.start([image])
    shape = [image.shape[axis] for axis in axes]
    assert layouts.follow(Transpose(*axes), [image], tensor(*shape)) == layout


@pytest.mark.parametrize(
    ("before", "after", "layout"),
    [
        ((None, 96, 3), (None, 8, 12, 3), "channels_last"),
        ((None, 96, 6), (None, 96, 2, 3), "no_map"),
        ((None, 288), (None, 8, 12, 3), "no_map"),
        ((None, 8, 12, 3), (None, 8, 12, 3), "channels_last"),
        ((None, 8, 12, 3), (None, 12, 8, 3), "no_map"),
    ],
)
def test_shapes_that_change(before, after, layout):
    layouts, given = MapLayouts(), tensor(*before)
    layouts.start([given])
    assert layouts.follow(Reshape(), [given], tensor(*after)) == layout


def test_what_nobody_knows_stays_unknown():
    layouts = MapLayouts()
    assert layouts.follow(Named(), [tensor(None, *SIZE)], tensor(None, *SIZE)) is None
    among = layouts.follow(
        Named(), [tensor(None, *SIZE)], tensor(None, *SIZE), among_tokens=True
    )
    assert among == "no_map"


def test_channels_are_brought_last():
    maps = ops.reshape(ops.arange(24), (1, 2, 3, 4))
    assert as_channels_last(maps, "channels_first").shape == (1, 3, 4, 2)
    assert as_channels_last(maps, "channels_last") is maps
    assert as_channels_last(maps, None) is maps


def attention(subclassed):
    """A convolution, then attention among its cells, then a pooling."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(6, 4, 4, name="patches")(inputs)
    tokens = layers.Reshape((6, 6))(x)
    attend = layers.MultiHeadAttention(2, 3, name="attention")
    tokens = tokens + attend(tokens, tokens)
    model = keras.Model(
        inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(tokens))
    )
    if not subclassed:
        return model

    class Calls(keras.Model):
        def call(self, images):
            return model(images)

    calls = Calls()
    calls.inner = model
    calls(np.zeros((1, *SIZE), "float32"))
    return calls


@pytest.mark.parametrize("subclassed", [False, True])
def test_heads_of_an_attention_layer_are_no_maps(subclassed):
    model = attention(subclassed)
    images = np.random.default_rng(0).random((2, *SIZE), "float32")
    observed = ObservedModel(model, images)
    found = [call.operation().name for call in observed.record.calls if call.has_maps]
    assert found == ["patches"]
    heads = next(c for c in observed.record.calls if c.path[-1] == "query")
    assert heads.layout == "no_map"
    with pytest.raises(ValueError, match="patches"):
        attribution.grad_cam(model, images, layer_name="attention/query")
    named = attribution.grad_cam(model, images, 1, layer_name="patches")
    np.testing.assert_array_equal(attribution.grad_cam(model, images, 1), named)


def test_cells_that_become_maps_again_are_maps():
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(6, 4, 4)(inputs)
    x = layers.Reshape((6, 6))(x)
    x = layers.LayerNormalization()(x)
    x = layers.Reshape((2, 3, 6), name="maps_again")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    record = ObservedModel(model, np.zeros((1, *SIZE), "float32")).record
    assert record.last_maps().operation().name == "maps_again"


def test_the_default_maps_are_those_of_the_explained_input():
    left, right = keras.Input(SIZE, name="left"), keras.Input(SIZE, name="right")
    one = layers.Conv2D(3, 3, name="of_left")(left)
    two = layers.Conv2D(3, 3, name="of_right")(right)
    pooled = [layers.GlobalAveragePooling2D()(maps) for maps in (one, two)]
    model = keras.Model([left, right], layers.Dense(2)(layers.concatenate(pooled)))
    images = np.random.default_rng(0).random((2, *SIZE), "float32")
    for index, name in enumerate(("of_left", "of_right")):
        given = {"input_index": index, "class_index": 0}
        by_default = attribution.grad_cam(model, [images, images], **given)
        named = attribution.grad_cam(model, [images, images], layer_name=name, **given)
        np.testing.assert_array_equal(by_default, named)


def test_a_model_of_channels_first_images_is_refused_in_words():
    inputs = keras.Input((3, 8, 12))
    x = layers.Rescaling(2.0)(inputs)
    x = layers.Conv2D(2, 3, data_format="channels_first", name="first")(x)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    images = np.zeros((1, 3, 8, 12), "float32")
    for method in ("saliency", "grad_cam", "excitation_backprop", "occlusion"):
        with pytest.raises(ValueError, match="'first' reads them with"):
            getattr(attribution, method)(model, images)
