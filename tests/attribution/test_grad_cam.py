"""Grad-CAM against its formula, at any layer of any model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_interp as ki
from keras_interp.attribution import grad_cam

from .tiny_models import (
    CLASSES,
    SIZE,
    nested,
    residual,
    seeded,
    sequential,
    shared,
    spelled,
    subclassed,
    two_outputs,
)


def enlarged(maps, size=SIZE[:2]):
    """Bilinear, with the cells' centres where those of the pixels are."""
    columns = ops.image.resize(maps[..., None], size, "bilinear")
    return ops.convert_to_numpy(columns)[..., 0]


def closed_form(model, images, class_index):
    """Mean pooling and one Dense: the mean gradient is the weight over the cells."""
    head = keras.Model(model.input, model.get_layer("second").output)
    maps = ops.convert_to_numpy(head(images))
    kernel = model.get_layer("classes").get_weights()[0][:, class_index]
    cells = maps.shape[1] * maps.shape[2]
    return enlarged(np.maximum(maps @ (kernel / cells), 0))


@pytest.mark.parametrize("class_index", range(CLASSES))
def test_the_closed_form(model, images, class_index):
    maps = grad_cam(model, images, class_index, layer_name="second")
    expected = closed_form(model, images, class_index)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("build", [sequential, nested, subclassed, spelled])
def test_every_kind_of_model_has_the_same_map(model, images, build):
    expected = closed_form(model, images, 2)
    other = build()
    maps = grad_cam(other, images, 2)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
    named = grad_cam(other, images, 2, layer_name="second")
    np.testing.assert_allclose(named, expected, rtol=1e-4, atol=1e-6)


def test_a_path_through_nested_models(images):
    model = nested()
    maps = grad_cam(model, images, 2, layer_name="backbone/second")
    np.testing.assert_array_equal(maps, grad_cam(model, images, 2, layer_name="second"))
    whole = grad_cam(model, images, 2, layer_name="backbone")
    np.testing.assert_allclose(maps, whole, rtol=1e-5, atol=1e-7)


def test_an_operation_of_the_graph_has_maps_too(images):
    model = residual()
    (name,) = [o.name for o in model.operations if type(o).__name__ == "Concatenate"]
    maps = grad_cam(model, images, 2, layer_name=name)
    assert maps.shape == images.shape[:3]
    assert maps.max() > 0


def test_without_a_name_the_last_feature_maps_are_taken(images):
    model = residual()
    maps = grad_cam(model, images, 2)
    # Behind it come only pooled maps of one cell.
    np.testing.assert_array_equal(maps, grad_cam(model, images, 2, layer_name="second"))


def test_interpretable_layers(images):
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(4, 3, activation="relu")(inputs)
    maps = ki.InterpretableConv(6, 3, activation="relu", name="parts")(maps)
    outputs = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(maps))
    model = seeded(keras.Model(inputs, outputs))
    maps = grad_cam(model, images, 1, layer_name="parts")
    head = keras.Model(inputs, model.get_layer("parts").output)
    masked = ops.convert_to_numpy(head(images))
    kernel = model.layers[-1].get_weights()[0][:, 1]
    cells = masked.shape[1] * masked.shape[2]
    expected = enlarged(np.maximum(masked @ kernel / cells, 0))
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def test_a_layer_that_is_called_twice(images):
    model = shared()
    with pytest.raises(
        ValueError, match="from 0 to 1.*'twice', which is called 2 times"
    ):
        grad_cam(model, images, layer_name="twice")
    first, second = (
        grad_cam(model, images, 1, layer_name="twice", call_index=i) for i in (0, 1)
    )
    assert np.abs(first - second).max() > 1e-4
    with pytest.raises(ValueError, match="from 0 to 1.*Received: call_index=2"):
        grad_cam(model, images, layer_name="twice", call_index=2)
    # By default the last call, here of the shared ReLU.
    (relu,) = [x.name for x in model.layers if isinstance(x, layers.ReLU)]
    last = grad_cam(model, images, 1, layer_name=relu, call_index=1)
    np.testing.assert_array_equal(grad_cam(model, images, 1), last)


def test_one_of_several_outputs(images):
    model = two_outputs()
    with pytest.raises(
        ValueError, match="2 output.*flies.*species.*Received: output_index=None"
    ):
        grad_cam(model, images)
    by_name = grad_cam(model, images, 2, output_index="species")
    assert by_name.max() > 0
    # Outputs of a dict are in the order of its names.
    np.testing.assert_array_equal(by_name, grad_cam(model, images, 2, output_index=1))
    assert grad_cam(model, images, output_index="flies").shape == images.shape[:3]


def test_a_layer_without_maps_is_refused(model, images):
    with pytest.raises(ValueError, match="'classes', which puts out.*'second', say"):
        grad_cam(model, images, layer_name="classes")


def test_a_model_without_maps_is_refused(images):
    model = keras.Sequential([keras.Input(SIZE), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ValueError, match="no layer with feature maps"):
        grad_cam(model, images)
