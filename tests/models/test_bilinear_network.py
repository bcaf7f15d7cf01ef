import keras
import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture
def trunk(seeded):
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu", name="maps")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(x)
    return seeded(keras.Model(inputs, keras.layers.Dense(2)(x), name="trunk"))


def test_feature_is_the_pooling_of_the_layer(trunk, rng):
    images = rng.normal(size=(4, 12, 12, 3)).astype("float32")
    network = ki.models.compact_bilinear_network(trunk, "maps", output_dim=32, seed=2)
    maps = ki.feature_maps(trunk, images, "maps")
    wanted = ki.layers.CompactBilinearPooling(32, 2)(maps)
    found = network.predict(images, verbose=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-4)


def test_classes_are_trained_on_a_frozen_trunk(trunk, rng):
    images = rng.normal(size=(8, 12, 12, 3)).astype("float32")
    trunk.trainable = False
    network = ki.models.compact_bilinear_network(trunk, "maps", 3, output_dim=16)
    before = trunk.get_weights()
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(images, np.arange(8) % 3, verbose=0)
    assert network.output_shape == (None, 3)
    assert len(network.trainable_weights) == 2
    for old, new in zip(before, trunk.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_squeezenet_ends_with_maps():
    trunk = ki.models.SqueezeNet((67, 67, 3), include_top=False)
    network = ki.models.compact_bilinear_network(trunk)
    assert network.output_shape == (None, 8192)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"layer_name": "conv"}, "`layer_name` as a layer of 'trunk'.*its|Its layers"),
        ({"layer_name": "pooled"}, "a layer that puts out maps"),
        ({}, "a layer that puts out maps"),
        ({"layer_name": "maps", "classes": 0}, "`classes` as a positive integer"),
    ],
)
def test_what_does_not_fit_is_refused(trunk, keywords, message):
    with pytest.raises(ValueError, match=message):
        ki.models.compact_bilinear_network(trunk, **keywords)


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="functional Keras model that is built"):
        ki.models.compact_bilinear_network(keras.Sequential())
