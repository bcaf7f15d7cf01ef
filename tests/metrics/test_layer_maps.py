"""Maps read out of flat, nested and finished layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.reporting import read_feature_maps


def test_maps_before_and_after_the_mask(interpretable, dataset):
    found = read_feature_maps(interpretable, dataset.images, batch_size=5)
    assert found.layer_name == "parts"
    assert found.interpretable == 3
    assert found.maps.shape == (24, 24, 24, 3)
    assert found.maps.dtype == np.float32
    pixels = dataset.images / np.float32(255)
    red = np.maximum(pixels[..., 0] - pixels[..., 1] - pixels[..., 2], 0)
    np.testing.assert_allclose(found.maps[..., 0], red, atol=1e-6)
    masked = ki.layers.PartMask()(found.maps)
    np.testing.assert_allclose(found.masked_maps, masked, atol=1e-6)
    assert list(found.categories) == [-1, -1, -1]


def test_an_ordinary_layer_has_no_mask(ordinary, dataset):
    found = read_feature_maps(ordinary, dataset.images)
    assert (found.layer_name, found.interpretable) == ("conv", 0)
    assert found.masked_maps is None and found.categories is None


def test_batch_norm_and_relu_after_a_convolution_belong_to_it(dataset):
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(x))
    maps = read_feature_maps(model, dataset.images.astype("float32"), "conv").maps
    assert maps.min() == 0
    np.testing.assert_allclose(
        maps.max(axis=(1, 2)), model.predict(dataset.images, verbose=0), rtol=1e-5
    )


@pytest.mark.parametrize("name", ["inner/parts", "parts", None])
def test_a_layer_in_a_model_in_a_model(interpretable, dataset, name):
    trunk = keras.Sequential(interpretable.layers[:2], name="inner")
    inputs = keras.Input((24, 24, 3))
    scaled = keras.layers.Rescaling(2.0)(inputs)
    nested = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(trunk(scaled)))
    found = read_feature_maps(nested, dataset.images, name)
    assert found.layer_name == "inner/parts"
    flat = read_feature_maps(interpretable, 2.0 * dataset.images)
    np.testing.assert_allclose(found.maps, flat.maps, atol=1e-5)


def test_a_mask_of_its_own_is_given_its_inputs(dataset):
    model = keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            ki.layers.InterpretableMask(fraction=1.0, name="mask"),
            keras.layers.GlobalMaxPooling2D(),
        ]
    )
    found = read_feature_maps(model, dataset.images)
    np.testing.assert_array_equal(found.maps, dataset.images)
    assert (found.masked_maps <= found.maps).all()


def test_images_are_preprocessed(ordinary, dataset):
    whole = read_feature_maps(ordinary, dataset.images)
    halves = read_feature_maps(ordinary, dataset.images / 2, preprocess=lambda b: b * 2)
    np.testing.assert_allclose(halves.maps, whole.maps, atol=1e-5)


def test_bad_input_is_refused(ordinary, dataset):
    with pytest.raises(ValueError, match="layer_name='missing'.*conv"):
        read_feature_maps(ordinary, dataset.images, "missing")
    with pytest.raises(ValueError, match="maps \\(height, width, filters\\)"):
        read_feature_maps(ordinary, dataset.images, ordinary.layers[-1].name)
    with pytest.raises(ValueError, match="at least one image"):
        read_feature_maps(ordinary, dataset.images[:0])
    with pytest.raises(
        ValueError, match="Expected a model with an interpretable.*Received: neither"
    ):
        dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        read_feature_maps(dense, np.zeros((2, 4)))
    with pytest.raises(ValueError, match="has been built"):
        read_feature_maps(keras.Sequential([keras.layers.Dense(2)]), dataset.images)


def test_a_model_with_a_call_of_its_own_runs_that_call(interpretable, dataset):
    class Halved(keras.Model):
        def call(self, inputs):
            return super().call(inputs / 2)

    layers = interpretable.layers
    inputs = keras.Input((24, 24, 3))
    outputs = layers[2](layers[1](layers[0](inputs)))
    halved = Halved(inputs, outputs)
    whole = keras.Model(inputs, outputs)
    images = dataset.images.astype("float32")
    expected = read_feature_maps(whole, images / 2, "parts")
    found = read_feature_maps(halved, images, "parts")
    np.testing.assert_allclose(found.maps, expected.maps, atol=1e-5)
    np.testing.assert_allclose(found.masked_maps, expected.masked_maps, atol=1e-5)


def test_maps_are_those_of_the_model_as_it_is_now(ordinary, dataset):
    before = read_feature_maps(ordinary, dataset.images).maps
    conv = ordinary.get_layer("conv")
    conv.set_weights([-weight for weight in conv.get_weights()])
    after = read_feature_maps(ordinary, dataset.images).maps
    assert not np.allclose(before, after)
    np.testing.assert_allclose(
        after.max(axis=(1, 2)),
        keras.Model(ordinary.inputs, conv.output)
        .predict(dataset.images, verbose=0)
        .max(axis=(1, 2)),
        rtol=1e-5,
    )
