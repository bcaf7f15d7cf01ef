"""Prints what an explanation module of the active Keras backend learns and draws.

Run with `KERAS_BACKEND` set and the path of an `.npz` file to write.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

import keras_interp as ki


def fill(variables, rng) -> None:
    for variable in variables:
        scale = 1.5 / np.sqrt(max(1, np.prod(variable.shape[-2:-1])))
        variable.assign(scale * rng.normal(size=variable.shape))


def main() -> None:
    rng = np.random.default_rng(0)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            keras.layers.Conv2D(5, 3, activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="relu", name="fc6"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    fill(network.variables, rng)
    module = ki.models.ExplanationModule(
        network,
        "fc6",
        [1, 2],
        hidden_units=(8, 6),
        dropout=0.0,
        pull_away=1.0,
        pretraining=None,
    )
    fill(module.srae.trainable_variables, rng)
    module.compile()
    images = rng.random((24, 8, 8, 2)).astype("float32")
    history = module.fit(images, epochs=3, batch_size=10, shuffle=False, verbose=0)
    found = module.explain(images[:4], "conv", class_index=2)
    units = ki.attribution.unit_maps(network, images[:4], "fc6", layer_name="conv")
    np.savez(
        sys.argv[1],
        loss=history.history["loss"],
        predictions=module.predict(images),
        x_features=module.x_features(images),
        maps=found.maps,
        units=units,
        called=keras.ops.convert_to_numpy(module(images)),
        layerwise=keras.ops.convert_to_numpy(
            module.srae.layerwise_errors(module.scaled(module.features(images)[0]))
        ),
    )


if __name__ == "__main__":
    main()
