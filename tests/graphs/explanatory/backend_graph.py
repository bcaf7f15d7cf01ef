"""Learns a small graph on the backend of KERAS_BACKEND and writes its arrays."""

import sys

import keras
import numpy as np

import keras_interp as ki

model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="first"),
        keras.layers.Conv2D(5, 3, strides=2, activation="relu", name="second"),
    ]
)
rng = np.random.default_rng(0)
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
images = rng.random((6, 32, 32, 3), "float32")
graph = ki.graphs.ExplanatoryGraph(iterations=3, parents=3)
graph.fit(model, ["first", "second"], images, verbose=0)
found = graph.infer(images[0])
np.savez(
    sys.argv[1],
    means=graph.nodes.means,
    sigmas=graph.nodes.sigmas,
    positions=found.positions,
    strengths=found.strengths,
)
