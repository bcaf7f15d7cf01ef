"""Receptive fields behind layers of one's own, and bad input of any kind."""

from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import keras_interp as ki
from keras_interp.receptive_fields import ReceptiveField, receptive_field


def conv(kernel, stride=1, **options):
    return layers.Conv2D(1, kernel, strides=stride, padding="same", **options)


class Scaled(layers.Layer):
    def call(self, inputs):
        return 2 * inputs


class ScaledSum(layers.Layer):
    """Adds maps as InceptionResNetV2 adds its residuals."""

    def call(self, both):
        return both[0] + 0.17 * both[1]


class Modulated(layers.Layer):
    """Maps times numbers that belong to no place."""

    def call(self, both):
        return both[0] * (1.0 + both[1][:, None, None])


class Rolled(layers.Layer):
    """Moves places although its maps keep their size."""

    def call(self, inputs):
        return keras.ops.roll(inputs, 1, axis=2)


class Mirrored(layers.Layer):
    def call(self, inputs):
        return keras.ops.flip(inputs, axis=2)


class Blurred(layers.Layer):
    def call(self, inputs):
        return keras.ops.average_pool(inputs, 3, 1, "same")


class Failing(layers.Layer):
    """Cannot be tried."""

    def call(self, inputs):
        raise RuntimeError("not now")

    def compute_output_shape(self, input_shape):
        return input_shape


def after_convolution(layer, kernel=3):
    layer.name = "layer"
    return keras.Sequential([keras.Input((8, 9, 2)), conv(kernel), layer])


def test_a_scaled_sum_is_a_sum():
    def network(join):
        inputs = keras.Input((32, 32, 3))
        x = layers.Conv2D(8, 3, padding="same")(inputs)
        x = join([x, layers.Conv2D(8, 5, padding="same")(x)])
        return keras.Model(inputs, conv(3, 2, name="top")(x))

    # 3 + (5 - 1) + (3 - 1) pixels.
    assert receptive_field(network(ScaledSum()), "top") == ReceptiveField(9, 2, 1)


def test_inception_resnet_of_keras():
    model = keras.applications.InceptionResNetV2(
        weights=None, include_top=False, input_shape=(139, 139, 3)
    )
    # Table of Araujo, Norris and Sim, Distill 2019; its network pads otherwise.
    assert receptive_field(model, "conv_7b_ac").size == 3039
    assert receptive_field(model, "conv_7b_ac").stride == 32


def test_maps_scaled_by_what_has_no_place():
    inputs = keras.Input((8, 9, 2))
    maps = layers.Conv2D(4, 3)(inputs)
    scales = layers.Dense(4)(layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(inputs, Modulated(name="layer")([maps, scales]))
    assert receptive_field(model, "layer").size == 3


@pytest.mark.parametrize("layer", [layers.Lambda(lambda x: x * 3), Scaled()])
def test_cell_by_cell_needs_no_rule(layer):
    assert receptive_field(after_convolution(layer), "layer").size == 3


@pytest.mark.parametrize("kind", [Rolled, Mirrored, Blurred, Failing])
def test_a_layer_that_is_not_cell_by_cell_is_refused_or_given_a_rule(kind):
    model = after_convolution(kind())
    with pytest.raises(ValueError, match=f"'layer' \\({kind.__name__}\\).*rules="):
        receptive_field(model, "layer")
    rule = ReceptiveField((1, 3), (1, 2), (0, 0.5))
    for key in ("layer", kind):
        found = receptive_field(model, "layer", rules={key: rule})
        assert found == ReceptiveField((3, 5), (1, 2), (0, 0.5))


@pytest.mark.parametrize("operation", [keras.ops.sinh, keras.ops.logaddexp])
def test_operations_are_tried_too(operation):
    inputs = keras.Input((8, 8, 2))
    x = conv(3)(inputs)
    x = operation(x) if operation is keras.ops.sinh else operation(x, x)
    model = keras.Model(inputs, conv(3, name="top")(x))
    assert receptive_field(model, "top").size == 5


def test_an_operation_that_mixes_cells_is_refused():
    inputs = keras.Input((8, 8, 2))
    x = keras.ops.cumsum(conv(3)(inputs), axis=1)
    model = keras.Model(inputs, conv(3, name="top")(x))
    with pytest.raises(ValueError, match="Cumsum.*not known.*rules="):
        receptive_field(model, "top")


def test_wrong_rules_are_refused():
    model = after_convolution(Rolled())
    with pytest.raises(ValueError, match="keras_interp.ReceptiveField for each layer"):
        receptive_field(model, "layer", rules={"layer": 3})
    with pytest.raises(ValueError, match="'layer'"):
        receptive_field(model, "layer", rules={"layr": ReceptiveField(1, 1, 0)})
    flat = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(name="flat")])
    with pytest.raises(ValueError, match="whose output is .*'flat'"):
        receptive_field(flat, "flat", rules={"flat": ReceptiveField(1, 1, 0)})


def test_a_call_of_ones_own_is_refused():
    class Halved(keras.Model):
        def call(self, x, training=None):
            return super().call(keras.ops.average_pool(x, 2), training=training)

    inputs = keras.Input((None, None, 3))
    model = Halved(inputs, conv(3, name="conv")(inputs))
    with pytest.raises(ValueError, match="class Halved, whose `call` is its own"):
        receptive_field(model, "conv")
    outer = keras.Sequential([keras.Input((16, 16, 3)), model, conv(1, name="top")])
    with pytest.raises(ValueError, match="'top', whose field .*Halved"):
        receptive_field(outer, "top")


def test_public_names_can_be_pickled():
    field = ReceptiveField(3, (1, 2), 0.5)
    assert pickle.loads(pickle.dumps(field)) == field
    assert pickle.loads(pickle.dumps(receptive_field)) is ki.receptive_field


# Bad input -----------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-3, 9), st.floats(), st.none(), st.text(max_size=2), st.booleans()
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(NUMBERS, st.lists(NUMBERS, max_size=3), st.tuples(NUMBERS, NUMBERS)))
def test_any_image_size_is_taken_or_refused_in_words(image_size):
    model = keras.Sequential([keras.Input((None, None, 1)), conv(3, name="conv")])
    try:
        found = receptive_field(model, "conv", image_size)
    except ValueError as error:
        assert "image_size" in str(error)
    else:
        assert (found.size, found.stride, found.start) == (3, 1, 0)


@settings(max_examples=60, deadline=None)
@given(st.tuples(*3 * [st.one_of(NUMBERS, st.lists(NUMBERS, max_size=3))]))
def test_any_field_is_made_or_refused_in_words(numbers):
    try:
        field = ReceptiveField(*numbers)
    except ValueError as error:
        assert "Expected" in str(error)
    else:
        assert np.isfinite(field.centers(2, 3)).all()


@settings(max_examples=30, deadline=None)
@given(st.one_of(st.text(max_size=8), st.integers(), st.none()))
def test_any_layer_name_is_refused_in_words(name):
    model = keras.Sequential([keras.Input((8, 8, 1)), conv(3, name="conv5_1")])
    with pytest.raises(ValueError, match="conv5_1"):
        receptive_field(model, name)
