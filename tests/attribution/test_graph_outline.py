"""The graph of a model says what a trace would say, or nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_interp.attribution import gradient
from keras_interp.attribution.explained_model import ExplainedModel
from keras_interp.attribution.graph_outline import graph_outline

from .tiny_models import (
    CLASSES,
    SIZE,
    functional,
    nested,
    residual,
    sequential,
    shared,
    subclassed,
    two_heads,
    two_inputs,
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
    assert outline.largest_bytes == record.bytes_of_largest_output()


def test_two_outputs_by_their_names():
    outline = graph_outline(two_outputs())
    assert outline.outputs == (("flies", (None, 1)), ("species", (None, CLASSES)))
    assert outline.largest_bytes == 4 * 10 * 8 * 5


def test_the_largest_tensor_may_be_an_input_or_come_from_several():
    assert graph_outline(two_inputs()).largest_bytes == 4 * (10 * 8 * 6 + 2)
    inputs = keras.Input((40, 40, 3))
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(inputs))
    assert graph_outline(keras.Model(inputs, outputs)).largest_bytes == 4 * 40 * 40 * 3


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
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(inputs))


@pytest.mark.parametrize("make", [subclassed, halved, with_block, of_any_size])
def test_nothing_where_the_graph_does_not_say_all(make, images):
    model = make()
    assert graph_outline(model) is None
    assert gradient(model, images, 1).shape == images.shape


def test_classes_are_those_of_the_call(images):
    with pytest.raises(ValueError, match="class_index from 0 to 1"):
        gradient(halved(), images, 2)


def test_gradients_of_a_graph_need_no_trace_of_their_own(images, monkeypatch):
    def traced(self, specs):
        raise AssertionError("A record was traced.")

    monkeypatch.setattr(ExplainedModel, "_traced", traced)
    for make in (functional, sequential, nested, residual):
        maps = gradient(make(), images)
        assert np.abs(maps).max() > 0
    with pytest.raises(ValueError, match="class_index from 0 to 3"):
        gradient(functional(), images, CLASSES)
    with pytest.raises(AssertionError, match="was traced"):
        gradient(functional(), images, layer_name="second")
