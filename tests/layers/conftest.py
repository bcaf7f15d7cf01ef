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
    """A plain model with an interpretable layer named `parts`, on 8x8x3 pictures."""

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
def pictures(rng):
    """Eight pictures and labels from 0 to 2."""
    return rng.random((8, 8, 8, 3), dtype="float32"), np.arange(8) % 3
