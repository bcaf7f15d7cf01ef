"""How well an ordinary small network tells the synthetic birds apart.

    python benchmarks/synthetic_birds_network.py

Trains four convolutions from scratch and prints the accuracy on the test images: of
the species, of the family, and of the species where the part that tells it from its
near neighbours is visible and typical, and where it is not.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from keras_interp.datasets import (
    PartsDataset,
    synthetic_bird_species,
    synthetic_birds,
)
from keras_interp.datasets.synthetic.bird_sentences import can_be_named, individuals_of
from keras_interp.datasets.synthetic.bird_species import PARTS


def make_network(classes: int) -> object:
    """Four convolutions and one dense layer for images of 64x64."""
    import keras

    layers = [keras.Input((64, 64, 3)), keras.layers.Rescaling(1 / 127.5, offset=-1)]
    for filters, size in ((32, 5), (64, 3), (96, 3), (128, 3)):
        layers += [
            keras.layers.Conv2D(filters, size, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(classes),
    ]
    network = keras.Sequential(layers)
    network.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return network


def telling_parts_seen(dataset: PartsDataset) -> np.ndarray:
    """Bool `(N,)`: all parts in which a near neighbour differs can be told."""
    species = synthetic_bird_species()
    differ = np.zeros((len(species), len(PARTS)), bool)
    for row, one in enumerate(species):
        for other in species:
            parts = [part for part in PARTS if one.looks[part] != other.looks[part]]
            if len(parts) == 1:
                differ[row, PARTS.index(parts[0])] = True
    birds = individuals_of(dataset, seed=0)
    # An eye ring that is not there cannot be named, but its absence can be seen.
    named = can_be_named(birds, dataset.landmarks) | (birds.colors < 0)
    return (named | ~differ[dataset.labels]).all(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=4800)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    import keras

    keras.utils.set_random_seed(arguments.seed)
    dataset = synthetic_birds(arguments.images, part_masks=False, captions=False)
    train, test = dataset.take_split("train"), dataset.take_split("test")
    network = make_network(len(dataset.class_names))
    start = time.perf_counter()
    network.fit(
        train.images,
        train.labels,
        batch_size=64,
        epochs=arguments.epochs,
        verbose=0,
    )
    seconds = time.perf_counter() - start
    found = network.predict(test.images, batch_size=256, verbose=0).argmax(axis=1)
    families = [species.family for species in synthetic_bird_species()]
    family = np.unique(families, return_inverse=True)[1]
    right = found == test.labels
    seen = telling_parts_seen(test)
    print(f"{len(train)} images, {arguments.epochs} epochs, {seconds:.0f} s; per cent")
    print(f"{len(test)} test images, species right  {100 * right.mean():5.1f}")
    print(f"family right  {100 * (family[found] == family[test.labels]).mean():5.1f}")
    print(f"telling parts visible ({seen.sum()})  {100 * right[seen].mean():5.1f}")
    print(f"some hidden or drab ({(~seen).sum()})  {100 * right[~seen].mean():5.1f}")


if __name__ == "__main__":
    main()
