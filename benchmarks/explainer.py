"""Time of a distillation step of Explainer against plain layers.

    python benchmarks/explainer.py
    KERAS_BACKEND=jax python benchmarks/explainer.py --repeats 10

The performer is VGG-16 with random weights on 112x112 images, explained at `relu5_2`.
A distillation step reads the performer, and takes one Adam step of the explainer. It is
compared with the sum of two things: the performer's forward pass, and an Adam step of
the explainer's convolutions and dense layers as plain layers, without mask, norm,
filter loss and ratio, with a squared error in place of the reconstruction losses. The
contestants take turns, so that whatever else the machine does slows all of them; the
ratios are medians over the turns. With cached features the performer is not run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

import keras_interp as ki

SIDE = 112
TARGET = "relu5_2"


def plain_model(explainer: ki.models.Explainer, shape: tuple[int, ...]) -> keras.Model:
    """The explainer's convolutions and dense layers, and nothing else."""
    maps = keras.Input(shape)
    filters = explainer.get_layer("conv_interp_1").filters

    def conv() -> keras.layers.Layer:
        return keras.layers.Conv2D(filters, 3, padding="same", activation="relu")

    first = keras.layers.MaxPooling2D(2)(conv()(conv()(maps)))
    second = keras.layers.MaxPooling2D(2)(conv()(maps))
    vector = keras.layers.Flatten()(keras.layers.Add()([first, second]))
    rebuilt = []
    for number in (1, 2):
        units = explainer.get_layer(f"fc_dec_{number}").units
        vector = keras.layers.Dense(units, activation="relu")(vector)
        rebuilt.append(vector)
    model = keras.Model(maps, rebuilt)
    model.compile(keras.optimizers.Adam(3e-4), ["mse", "mse"])
    return model


def contestants(batch: int) -> dict[str, Callable[[], object]]:
    """One call of each is one step on a batch."""
    keras.utils.set_random_seed(0)
    performer = ki.models.VGG16((SIDE, SIDE, 3), classes=20)
    explainer = ki.models.Explainer(performer, TARGET)
    explainer.compile()
    images = np.random.default_rng(0).normal(size=(batch, SIDE, SIDE, 3))
    images = keras.ops.convert_to_tensor(images.astype("float32"))
    features = explainer.performer_features(keras.ops.convert_to_numpy(images), batch)
    maps = keras.ops.convert_to_tensor(features["target"])
    wanted = [keras.ops.convert_to_tensor(features[f"rebuilt_{i}"]) for i in (0, 1)]
    on_device = {k: keras.ops.convert_to_tensor(v) for k, v in features.items()}
    plain = plain_model(explainer, features["target"].shape[1:])
    return {
        "performer": lambda: performer.predict_on_batch(images),
        "plain layers": lambda: plain.train_on_batch(maps, wanted),
        "distillation step": lambda: explainer.train_on_batch(images),
        "step on cached features": lambda: explainer.train_on_batch(on_device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    asked = parser.parse_args()
    steps = contestants(asked.batch)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
        step()
    for _ in range(asked.repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    print(f"batches of {asked.batch}, {keras.backend.backend()}")
    for name, seconds in times.items():
        print(f"{name:25} {1000 * statistics.median(seconds):8.0f} ms")
    whole = zip(
        times["distillation step"],
        times["performer"],
        times["plain layers"],
        strict=True,
    )
    ratio = statistics.median(a / (b + c) for a, b, c in whole)
    print(f"distillation step / (performer + plain layers): {ratio:.2f}")
    cached = zip(times["step on cached features"], times["plain layers"], strict=True)
    ratio = statistics.median(a / b for a, b in cached)
    print(f"step on cached features / plain layers: {ratio:.2f}")


if __name__ == "__main__":
    main()
