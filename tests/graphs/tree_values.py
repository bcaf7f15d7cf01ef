"""Writes what a tree says of a small network on the active Keras backend.

Run with `KERAS_BACKEND` set; the result is one `.npz` file.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

import keras_interp as ki


def small_network() -> keras.Model:
    """Interpretable maps, a hidden layer and two classes, with fixed weights."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            ki.InterpretableConv(5, 3, padding="same", filter_loss=None, name="parts"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    random = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0.0, 0.4, weight.shape))
    return model


def main(path: str) -> None:
    model = small_network()
    images = np.random.default_rng(1).normal(size=(20, 8, 8, 3)).astype("float32")
    tree = ki.graphs.DecisionTree().fit(model, images)
    modes = tree.read(images)
    lost = ki.graphs.part_effects(
        model, images, "parts", np.array([0, 0, 1, 1, -1]), 2, tree.class_index_
    )
    np.savez(
        path,
        gradients=modes.gradients,
        contributions=modes.contributions,
        scores=modes.scores,
        parent=tree.structure_.parent,
        predicted=tree.predict(images, 1),
        parsed=tree.parse(images[0]).contributions,
        lost=lost,
    )


if __name__ == "__main__":
    main(sys.argv[1])
