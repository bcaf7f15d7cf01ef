"""Which class of which output is explained."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_interp._network.class_scores import class_targets, number_of_classes
from keras_interp._network.explained_model import explained_output
from keras_interp.attribution import gradient

from ..attribution.tiny_models import SIZE, seeded, two_outputs


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
    with pytest.raises(ValueError, match="expected output_index.*got None"):
        gradient(model, images)
    with pytest.raises(ValueError, match="got 'colour'"):
        gradient(model, images, output_index="colour")
    with pytest.raises(ValueError, match="from 0 to 0.*got 2"):
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
    with pytest.raises(ValueError, match="0 to 4, for there are 5 of a filter; got 5"):
        gradient(model, images, 5, layer_name="second")


def test_what_is_explained_of_a_filter_in_words(model, images):
    words = explained_output(model, images, layer_name="second")
    assert words == "largest activation of a filter of layer 'second'"
