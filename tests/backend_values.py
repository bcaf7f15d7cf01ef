"""Prints filter losses, gradients and short trainings of the active Keras backend.

An explainer is among what is trained.

Run with `KERAS_BACKEND` set; the result is one `.npz` file and one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.layers import _part_places
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


def values_of_bilinear_pooling(maps: np.ndarray) -> dict[str, Any]:
    """Feature and gradient, computed in both ways."""
    found, factor = {}, np.arange(16, dtype="float32")
    for method in ("outer_product", "fft"):
        # The root would make 1e-4 of a transform's rounding error of 1e-8.
        layer = ki.layers.CompactBilinearPooling(
            16, method=method, signed_sqrt=method == "outer_product"
        )
        feature = layer(maps)
        found[f"bilinear_{method}"] = ops.convert_to_numpy(feature)
        found[f"bilinear_{method}_gradient"] = gradient(
            lambda x, layer=layer: ops.sum(ops.multiply(layer(x), factor)), maps
        )
    return found


def small_network(model_class: type) -> keras.Model:
    return model_class(
        [
            keras.Input((8, 8, 3)),
            ki.InterpretableConv(4, 3, name="parts"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax", name="classes"),
        ]
    )


def trained_log(model_class: type, weight_file: Path) -> dict[str, list[float]]:
    """History of a training with fixed weights, which are written to a file."""
    model = small_network(model_class)
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
    model.save_weights(weight_file)
    return history


def loaded_weights(model_class: type, weight_file: Path) -> dict[str, tuple[str, ...]]:
    """What a new model took from the file of a trained one."""
    model = small_network(model_class)
    model.compile(loss="sparse_categorical_crossentropy")
    report = ki.models.load_weights(model, weight_file)
    return {"loaded": report.loaded, "new": report.new, "unused": report.unused}


def values_of_parts(maps: np.ndarray) -> dict[str, Any]:
    """Places, losses and weights of filters that are pulled to different parts."""
    inputs = keras.Input(maps.shape[1:])
    layer = ki.InterpretableConv(12, 3, fraction=1.0, filter_loss="parts", name="parts")
    pooled = keras.layers.GlobalMaxPooling2D()(layer(inputs))
    outputs = keras.layers.Dense(1, activation="sigmoid")(pooled)
    model = ki.models.InterpretableModel(inputs, outputs)
    rng = np.random.default_rng(4)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    # JAX takes longer for a step without a compiler than to compile it.
    eager = keras.backend.backend() != "jax"
    model.compile("sgd", "binary_crossentropy", run_eagerly=eager)
    labels = (np.arange(len(maps)) % 2).astype("float32")
    # All steps of the search within six batches, whatever the anchor finds.
    steps = ("LEAST_AGREEMENT", "LAYOUT_FROM", "PLACES_FROM", "APPEARANCE_FROM")
    with contextlib.ExitStack() as stack:
        for value, name in enumerate((*steps, "POSE_FROM")):
            stack.enter_context(mock.patch.object(_part_places, name, float(value)))
        log = model.fit(maps, labels, epochs=7, batch_size=len(maps), verbose=0)
    weights = [ops.convert_to_numpy(w).ravel() for w in model.weights]
    return {
        "parts_losses": np.array(log.history["parts_filter_loss"]),
        "parts_weights": np.concatenate(weights),
        "parts_centres": ops.convert_to_numpy(layer.interpretable_mask._places.centres),
    }


EXPLAINERS = {
    "defaults": (3, {}),
    "balanced": (1, {"filter_loss_balance": 2 / 3, "restore": "channel"}),
    "labels": (3, {"objective": "classification", "filter_loss": "approx"}),
}


def small_performer(classes: int) -> keras.Model:
    """A classifier of 16 x 16 pictures with fixed weights."""
    layers = keras.layers
    x = inputs = keras.Input((16, 16, 3))
    for number, filters in enumerate((6, 5), 1):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
        x = layers.Activation("relu", name=f"relu{number}")(x)
    x = layers.Flatten(name="flat")(layers.MaxPooling2D(4, name="pool")(x))
    for number in (6, 7):
        x = layers.Dense(8, activation="relu", name=f"fc{number}")(x)
        x = layers.Dropout(0.5, name=f"drop{number}")(x)
    activation = "softmax" if classes > 1 else "sigmoid"
    x = layers.Dense(classes, activation=activation, name="scores")(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(2)
    for weight in model.weights:
        values = rng.normal(0, 0.3, weight.shape)
        weight.assign(np.exp(values) if "variance" in weight.path else values)
    return model


def values_of_explainer(classes: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Answers of an explainer, its log, and its weights after two steps and four."""
    explainer = ki.models.Explainer(small_performer(classes), "relu1", **settings)
    rng = np.random.default_rng(3)
    # What is random at the start comes from Keras, and is another one in each backend.
    for weight in explainer.trainable_weights:
        values = ops.convert_to_numpy(weight)
        weight.assign(values + rng.normal(0, 0.02, weight.shape))
    second = explainer.get_layer("conv_interp_2").kernel
    second.assign(rng.normal(0, 0.3, second.shape))
    pictures = rng.random((6, 16, 16, 3), dtype="float32")
    explainer.compile(keras.optimizers.SGD(0.1))
    labels = LABELS if "objective" in settings else None
    found = {}
    for epoch in range(2):
        log = explainer.fit(
            pictures,
            labels,
            initial_epoch=epoch,
            epochs=epoch + 1,
            batch_size=3,
            shuffle=False,
            verbose=0,
        ).history
        weights = [ops.convert_to_numpy(w).ravel() for w in explainer.weights]
        found[f"weights_{epoch}"] = np.concatenate(weights)
        found[f"log_{epoch}"] = np.array([log[name][0] for name in sorted(log)])
    found["losses"] = np.array(explainer.evaluate(pictures, labels, verbose=0))
    found["outputs"] = explainer.predict(pictures, verbose=0)
    encoding = explainer.encode(pictures)
    for name in ("part_maps", "interpretable", "ordinary"):
        found[name] = getattr(encoding, name)
    found["rebuilt"] = np.column_stack([*explainer.reconstruct(pictures).values()])
    return found


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
    arrays.update(values_of_bilinear_pooling(maps[:, :2, :2]))
    rng = np.random.default_rng(6)
    arrays.update(values_of_parts(rng.normal(size=(8, 9, 10, 4)).astype("float32")))
    for name, (classes, settings) in EXPLAINERS.items():
        found = values_of_explainer(classes, settings)
        arrays.update({f"explainer_{name}_{key}": v for key, v in found.items()})
    np.savez(path, **arrays)
    kinds = {
        "plain": keras.Sequential,
        "with_labels": ki.models.InterpretableSequential,
    }
    weight_file = Path(path).with_suffix(".weights.h5")
    logs = {name: trained_log(kind, weight_file) for name, kind in kinds.items()}
    report = {
        "backend": keras.backend.backend(),
        "logs": logs,
        "weights": loaded_weights(kinds["with_labels"], weight_file),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
