"""The graph of a model says what a trace would say, or nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_interp._network.call_outline import graph_outline
from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import grad_cam, gradient, guided_backprop

from ..attribution.tiny_models import (
    CLASSES,
    SIZE,
    functional,
    nested,
    residual,
    seeded,
    sequential,
    shared,
    subclassed,
    two_heads,
    two_outputs,
)

GRAPHS = [functional, sequential, nested, residual, shared, two_heads, two_outputs]


@pytest.mark.parametrize("make", GRAPHS)
def test_it_says_what_a_trace_says(make, images):
    model = make()
    record = ExplainedModel(model, images, output_index=0).record
    outline = graph_outline(model)
    named = tuple((output.name, output.shape) for output in record.outputs)
    assert outline.outputs == named
    assert outline.record.calls == record.calls
    assert outline.record.bytes_of_largest_output() == record.bytes_of_largest_output()


def test_two_outputs_by_their_names():
    outline = graph_outline(two_outputs())
    assert outline.outputs == (("flies", (None, 1)), ("species", (None, CLASSES)))
    assert outline.record.bytes_of_largest_output() == 4 * 10 * 8 * 5


def test_calls_of_nested_and_of_shared_layers():
    names = [call.name for call in graph_outline(nested()).record.calls]
    assert names[0] == "backbone/first" and names[2:4] == [
        "backbone/second",
        "backbone",
    ]
    assert names[-1] == "classes" and len(names) == 6
    calls = graph_outline(shared()).record.calls
    assert [call.index for call in calls if call.name == "twice"] == [0, 1]


class Halved(keras.Model):
    """A functional model whose call does something else."""

    def call(self, inputs):
        return super().call(inputs)[:, :2]


class Block(layers.Layer):
    """Maps inside a layer, which no graph shows."""

    def __init__(self):
        super().__init__()
        self.wide = layers.Conv2D(64, 3, padding="same")
        self.narrow = layers.Conv2D(2, 1)

    def call(self, inputs):
        return self.narrow(self.wide(inputs))


def halved():
    inputs = keras.Input(SIZE)
    return Halved(inputs, layers.Dense(CLASSES)(layers.Flatten()(inputs)))


def with_block():
    inputs = keras.Input(SIZE)
    return keras.Model(inputs, layers.Flatten()(Block()(inputs)))


def of_any_size():
    inputs = keras.Input((None, None, 3))
    maps = layers.Conv2D(2, 3)(inputs)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(maps))


def around_any_size():
    backbone = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3)])
    inputs = keras.Input(SIZE)
    return keras.Model(inputs, layers.Flatten()(backbone(inputs)))


UNKNOWN = [subclassed, halved, with_block, of_any_size, around_any_size]


@pytest.mark.parametrize("make", UNKNOWN)
def test_nothing_where_the_graph_does_not_say_all(make, images):
    model = make()
    assert graph_outline(model) is None
    assert gradient(model, images, 1).shape == images.shape


def test_classes_are_those_of_the_call(images):
    with pytest.raises(ValueError, match="class_index from 0 to 1"):
        gradient(halved(), images, 2)


def test_a_graph_needs_no_trace_of_its_own(images, monkeypatch):
    def traced(self, specs):
        raise AssertionError("A record was traced.")

    monkeypatch.setattr(ExplainedModel, "_traced", traced)
    for make in (functional, sequential, nested, residual):
        assert np.abs(gradient(make(), images)).max() > 0
        assert np.abs(gradient(make(), images, layer_name="second")).max() > 0
        assert grad_cam(make(), images, layer_name="second").shape == images.shape[:3]
    with pytest.raises(ValueError, match="class_index from 0 to 3"):
        gradient(functional(), images, CLASSES)
    with pytest.raises(AssertionError, match="was traced"):
        guided_backprop(functional(), images)


def test_a_layer_that_no_graph_shows_is_found(images):
    hidden = layers.Conv2D(3, 3, name="hidden")
    hidden.build((None, *SIZE))
    inputs = keras.Input(SIZE)
    maps = layers.Lambda(lambda tensor: hidden(tensor), name="outer")(inputs)
    model = seeded(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(maps))))
    assert [call.name for call in graph_outline(model).record.calls][0] == "outer"
    assert np.abs(gradient(model, images, 1, layer_name="outer/hidden")).max() > 0
    with pytest.raises(ValueError, match="layer_name='other'"):
        gradient(model, images, 1, layer_name="other")


def test_half_precision_that_came_later(images):
    """The graph says float32; what the layer puts out is half as wide."""
    model = functional()
    expected = grad_cam(model, images, 1, layer_name="second")
    model = functional()
    model.get_layer("second").dtype_policy = "mixed_bfloat16"
    maps = grad_cam(model, images, 1, layer_name="second")
    np.testing.assert_allclose(maps, expected, atol=0.05 * np.abs(expected).max())
