"""Networks whose attributions can be written down by hand."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops


def linear(weights, bias=0.0):
    """`score_k = sum of weights[..., k] * image + bias`."""
    weights = np.asarray(weights, "float32")
    model = keras.Sequential(
        [
            keras.Input(weights.shape[:3]),
            layers.Flatten(),
            layers.Dense(weights.shape[-1], name="scores"),
        ]
    )
    flat = weights.reshape(-1, weights.shape[-1])
    model.set_weights([flat, np.full(flat.shape[-1], bias, "float32")])
    return model


class Power(layers.Layer):
    """Each number to some power."""

    def __init__(self, exponent, **keywords):
        super().__init__(**keywords)
        self.exponent = exponent

    def call(self, inputs):
        return ops.power(inputs, self.exponent)


def power_sum(exponent, shape=(1, 2, 1)):
    """`score = sum of image ** exponent`, of one class."""
    model = keras.Sequential(
        [keras.Input(shape), Power(exponent), layers.Flatten(), layers.Dense(1)]
    )
    model.set_weights([np.ones((int(np.prod(shape)), 1)), np.zeros(1)])
    return model
