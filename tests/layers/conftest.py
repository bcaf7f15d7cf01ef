import keras
import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture
def maps(rng):
    """Feature maps after a ReLU, `(6, 5, 7, 4)`."""
    return np.maximum(rng.normal(size=(6, 5, 7, 4)), 0).astype("float32")


@pytest.fixture
def loss_of():
    """The filter loss that a layer adds in training, as a float."""

    def total(layer, maps, labels=None):
        layer(maps, training=True, labels=labels)
        return float(sum(layer.losses))

    return total


@pytest.fixture
def small_model():
    """A plain model with an interpretable layer named `parts`, on 8x8x3 images."""

    def make(model_class=keras.Sequential, outputs=3, **keywords):
        activation = "softmax" if outputs > 1 else "sigmoid"
        model = model_class(
            [
                keras.Input((8, 8, 3)),
                ki.InterpretableConv(4, 3, padding="same", name="parts", **keywords),
                keras.layers.GlobalMaxPooling2D(),
                keras.layers.Dense(outputs, activation=activation),
            ]
        )
        loss = "sparse_categorical_crossentropy" if outputs > 1 else None
        model.compile("sgd", loss or "binary_crossentropy")
        return model

    return make


@pytest.fixture
def reloaded(tmp_path):
    """A model as it comes back from a `.keras` file."""

    def reload(model):
        path = tmp_path / "model.keras"
        model.save(path)
        return keras.saving.load_model(path)

    return reload


@pytest.fixture
def images(rng):
    """Eight images and labels from 0 to 2."""
    return rng.random((8, 8, 8, 3), dtype="float32"), np.arange(8) % 3


@pytest.fixture
def tracks(rng):
    """Both tracks pooled, and the maps of both before, four filters each."""

    def maps(side, size):
        values = np.maximum(rng.normal(size=(6, side, side, 4)), 0) * size
        return values.astype("float32")

    return [maps(3, 5.0), maps(3, 0.2), maps(6, 5.0), maps(6, 0.2)]


@pytest.fixture
def mixed_model():
    """Two convolutions on images of 6x6 pixels, mixed by a layer named `tracks`."""

    def make(**keywords):
        inputs = keras.Input((6, 6, 3))
        maps = [
            keras.layers.Conv2D(4, 3, padding="same", activation="relu", name=name)
            for name in ("conv_parts", "conv_ordinary")
        ]
        maps = [convolution(inputs) for convolution in maps]
        pooled = [keras.layers.MaxPooling2D()(one) for one in maps]
        mixture = ki.layers.TrackMixture(name="tracks", **keywords)
        return keras.Model(inputs, mixture([*pooled, *maps]))

    return make
