"""Time of explanation modules: many at once against one after another, and of a card.

    python benchmarks/srae.py
    KERAS_BACKEND=jax python benchmarks/srae.py --classes 10

The features are drawn at random, as sparse as those after a ReLU. First one `fit` of
one-against-all modules of all classes at once, then a `fit` for each class one after
another on the same features, with the same settings and as many epochs; both count
everything from the making of the module on, tracing and pre-training too. The ratio is
of one run. `--one-by-one` is how many of the classes are trained alone, from whose mean
the time of all is computed where it is not all of them.

A step of many modules moves all their weights, so that the ratio falls with the size of
a module: `--units 80 --hidden-units 30 10` are small ones.

The card is `explain` and `class_card` of one image of 227x227 on SqueezeNet with a
dense layer, the first call left out. Last, 1,000 images are explained, and the most
memory that the process grew by is printed beside the size of the result.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import keras
import numpy as np

import keras_interp as ki

SIDE = 227


def features_and_logits(
    images: int, units: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sparse features, and logits that are sums over some of them."""
    rng = np.random.default_rng(0)
    features = np.maximum(rng.normal(-0.5, 1.0, (images, units)), 0).astype("float32")
    weights = rng.normal(size=(units, classes)) * (rng.random((units, classes)) < 0.1)
    return features, (features @ weights).astype("float32")


def small_network(units: int, classes: int) -> keras.Model:
    """A network with a dense layer of that many units, which is never run here."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(units, activation="relu", name="fc6"),
            keras.layers.Dense(classes),
        ]
    )


def seconds_of_training(
    network: keras.Model,
    class_index: int | list[int],
    features: np.ndarray,
    logits: np.ndarray,
    asked: argparse.Namespace,
) -> float:
    """From the making of a module to the end of its training."""
    start = time.perf_counter()
    module = ki.models.ExplanationModule(
        network, "fc6", class_index, hidden_units=tuple(asked.hidden_units)
    )
    module.compile()
    module.fit_features(features, logits, epochs=asked.epochs, verbose=0)
    return time.perf_counter() - start


def compare_trainings(asked: argparse.Namespace) -> None:
    """All classes at once, then one after another."""
    features, logits = features_and_logits(asked.images, asked.units, asked.classes)
    network = small_network(asked.units, asked.classes)
    every = list(range(asked.classes))
    # What the process pays once is nobody's.
    warm = argparse.Namespace(**{**vars(asked), "epochs": 1})
    seconds_of_training(network, 0, features, logits[:, 0], warm)
    together = seconds_of_training(network, every, features, logits, asked)
    alone = [
        seconds_of_training(network, one, features, logits[:, one], asked)
        for one in every[: asked.one_by_one or asked.classes]
    ]
    whole = statistics.mean(alone) * asked.classes
    measured = "" if len(alone) == asked.classes else f" ({len(alone)} measured)"
    print(
        f"{asked.classes} modules {asked.units}-{asked.hidden_units}-5, {asked.images} "
        f"images, {asked.epochs} epochs, {keras.backend.backend()}"
    )
    print(f"one fit of all:        {together:7.1f} s")
    print(f"one after another:     {whole:7.1f} s{measured}")
    print(f"ratio:                 {whole / together:7.1f}", flush=True)


def module_of_photographs() -> ki.models.ExplanationModule:
    """A module on SqueezeNet with a dense layer, trained on noise for an epoch."""
    trunk = ki.models.SqueezeNet((SIDE, SIDE, 3), weights=None, include_top=False)
    maps = keras.layers.MaxPooling2D(3, 2)(trunk.get_layer("pool8").output)
    units = keras.layers.Dense(512, activation="relu", name="fc6")(
        keras.layers.Flatten()(maps)
    )
    network = keras.Model(trunk.inputs, keras.layers.Dense(30)(units))
    module = ki.models.ExplanationModule(network, "fc6", 3, hidden_units=(200, 50))
    module.compile()
    module.fit(noise(40), epochs=1, verbose=0)
    return module


def noise(images: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.random((images, SIDE, SIDE, 3), "float32")


def time_a_card(module: ki.models.ExplanationModule, repeats: int) -> None:
    """Maps and figure of one image, once they are compiled."""
    times = []
    for image in noise(repeats + 1):
        start = time.perf_counter()
        found = module.explain(image[None])
        ki.plotting.class_card(image, found, 0)
        times.append(time.perf_counter() - start)
    print(f"card, first:           {times[0]:7.2f} s")
    print(f"card, later, median:   {statistics.median(times[1:]):7.2f} s", flush=True)


def explain_many(module: ki.models.ExplanationModule, images: int) -> None:
    """Many images at once: how long, and how much memory beside the images'."""
    pictures = noise(images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = module.explain(pictures)
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{images} images explained: {seconds:7.1f} s")
    print(
        f"memory grew by {grown:.0f} MiB; the images are "
        f"{pictures.nbytes / 2**20:.0f} MiB, the maps {found.maps.nbytes / 2**20:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=30)
    parser.add_argument("--one-by-one", type=int, default=0)
    parser.add_argument("--units", type=int, default=160)
    parser.add_argument("--hidden-units", type=int, nargs="+", default=[200, 50])
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--explained", type=int, default=1000)
    parser.add_argument("--part", choices=["training", "maps", "all"], default="all")
    asked = parser.parse_args()
    if asked.part != "maps":
        compare_trainings(asked)
    if asked.part != "training":
        module = module_of_photographs()
        time_a_card(module, asked.repeats)
        explain_many(module, asked.explained)


if __name__ == "__main__":
    main()
