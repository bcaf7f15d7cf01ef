"""Prints filter losses, gradients and short trainings of the active Keras backend.

Run with `KERAS_BACKEND` set; the result is one `.npz` file and one line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_interp as ki
from keras_interp.backend import gradient
from keras_interp.losses import FILTER_LOSSES

LABELS = np.arange(6) % 3


def feature_maps() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.maximum(rng.normal(size=(6, 5, 7, 4)), 0).astype("float32")


def values_of_mode(mode: str, scale: str, maps: np.ndarray) -> dict[str, Any]:
    """Loss of two training steps, then the gradient and the state."""
    layer = ki.layers.InterpretableMask(
        fraction=1.0, filter_loss=mode, scale=scale, num_categories=3
    )
    losses = []
    for _ in range(2):
        layer(maps, training=True, labels=LABELS)
        losses.append(float(layer.losses[0]))
    slope = gradient(lambda x: layer.weighted_filter_loss(x, LABELS), maps)
    state = [ops.convert_to_numpy(v).ravel() for v in layer.variables]
    name = f"{mode}_{scale}"
    return {
        f"{name}_losses": np.array(losses),
        f"{name}_gradient": slope,
        f"{name}_state": np.concatenate(state),
    }


def trained_log(model_class: type) -> dict[str, list[float]]:
    """History of a training with fixed weights."""
    model = model_class(
        [
            keras.Input((8, 8, 3)),
            ki.InterpretableConv(4, 3, name="parts"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    images = rng.random((6, 8, 8, 3), dtype="float32")
    history = model.fit(
        images,
        LABELS,
        epochs=2,
        batch_size=3,
        shuffle=False,
        verbose=0,
        validation_data=(images, LABELS),
    ).history
    history["epoch"] = [float(model.layers[0].interpretable_mask.epoch)]
    return history


def main(path: str) -> None:
    maps = feature_maps()
    arrays = {
        f"masked_{norm}_{peak}": ops.convert_to_numpy(
            ki.layers.PartMask(norm=norm, peak=peak)(maps)
        )
        for norm in ("l1", "l2")
        for peak in ("argmax", "centroid")
    }
    for mode in FILTER_LOSSES:
        for scale in ("peak", "paper"):
            arrays.update(values_of_mode(mode, scale, maps))
    np.savez(path, **arrays)
    logs = {
        "plain": trained_log(keras.Sequential),
        "with_labels": trained_log(ki.models.InterpretableSequential),
    }
    print(json.dumps({"backend": keras.backend.backend(), "logs": logs}))


if __name__ == "__main__":
    main(sys.argv[1])
