"""Small trained-looking classifiers, which the tests of the explainer explain."""

from __future__ import annotations

import keras
import numpy as np
import pytest

LAYERS = keras.layers


@pytest.fixture(scope="session")
def performer(scenes, seeded):
    """Makes classifiers of 32 x 32 pictures with `fc6`, `fc7` and all that disturbs.

    `relu2` is the layer to explain; a convolution with a batch norm is above it. The
    biases of the scores are such that every category is chosen for some scene.
    """

    def make(classes=3, activation="softmax", policy=None, seed=0):
        keywords = {"dtype": policy} if policy else {}
        inputs = keras.Input((32, 32, 3), name="pictures")
        x = LAYERS.Conv2D(8, 5, strides=4, name="conv1", padding="same", **keywords)(
            inputs
        )
        x = LAYERS.Activation("relu", name="relu1", **keywords)(x)
        x = LAYERS.Conv2D(6, 3, name="conv2", padding="same", **keywords)(x)
        x = LAYERS.BatchNormalization(name="bn2", **keywords)(x)
        x = LAYERS.Activation("relu", name="relu2", **keywords)(x)
        x = LAYERS.Conv2D(8, 3, name="conv3", padding="same", **keywords)(x)
        x = LAYERS.BatchNormalization(name="bn3", **keywords)(x)
        x = LAYERS.Activation("relu", name="relu3", **keywords)(x)
        x = LAYERS.MaxPooling2D(3, strides=2, name="pool3", **keywords)(x)
        x = LAYERS.Dropout(0.5, name="drop3", **keywords)(x)
        x = LAYERS.Flatten(name="flat", **keywords)(x)
        for number, units in ((6, 12), (7, 10)):
            x = LAYERS.Dense(units, name=f"fc{number}", **keywords)(x)
            x = LAYERS.Activation("relu", name=f"relu{number}", **keywords)(x)
            x = LAYERS.Dropout(0.5, name=f"drop{number}", **keywords)(x)
        scores = LAYERS.Dense(classes, name="fc8", dtype="float32")(x)
        outputs = LAYERS.Activation(activation, name="prob", dtype="float32")(scores)
        model = seeded(keras.Model(inputs, outputs, name="performer"), seed)
        top = model.get_layer("fc8")
        top.set_weights([10 * top.get_weights()[0], np.zeros(classes)])
        values = keras.Model(inputs, scores).predict_on_batch(scenes)
        top.bias.assign(-np.median(values, axis=0))
        return model

    return make
