"""How many parts of each drawn animal the filters follow.

    python benchmarks/drawn_animals.py
    python benchmarks/drawn_animals.py --animals cat dog --modes posterior parts

Trains the networks of `keras-interp demo` on drawn images of one kind of animal and of
background: an ordinary one, and one with each mode of the filter loss. Prints the
accuracy on test images, the landmarks with a filter that tracks the landmark it hits,
the effective number of these, and how many filters do.
"""

from __future__ import annotations

import argparse
import time

import keras

from keras_interp import datasets
from keras_interp.datasets import PartsDataset
from keras_interp.datasets.synthetic._animal_body import CATEGORIES
from keras_interp.metrics import measure_filters
from keras_interp.reproduce._demo import TOP_LAYER, bird_targets, demo_network


def run(dataset: PartsDataset, mode: str, epochs: int, seed: int) -> str:
    """Train one network, and a line on what its filters follow."""
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    options = {} if mode == "ordinary" else {"filter_loss": mode}
    model = demo_network(64, 1, interpretable=mode != "ordinary", **options)
    targets, test = bird_targets(dataset), dataset.split == "test"
    learnt = ~test
    model.fit(
        dataset.images[learnt],
        targets[learnt],
        epochs=epochs,
        batch_size=32,
        verbose=0,
    )
    scores = model.evaluate(
        dataset.images[test], targets[test], verbose=0, return_dict=True
    )
    groups = measure_filters(model, dataset, TOP_LAYER).groups
    assert groups is not None
    names = [
        f"{name} {count}"
        for name, count in zip(groups.group_names, groups.count, strict=True)
        if count
    ]
    return (
        f"  {mode:10} accuracy {scores['accuracy']:.3f}  "
        f"parts {groups.groups} of {len(groups.group_names)}  "
        f"coverage {groups.value:.2f}  "
        f"detectors {groups.detectors.sum()}/{len(groups.detectors)}: "
        f"{', '.join(names)}  {time.perf_counter() - start:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--animals", nargs="+", default=CATEGORIES, choices=CATEGORIES)
    parser.add_argument("--modes", nargs="+", default=["ordinary", "parts"])
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for animal in arguments.animals:
        dataset = datasets.load(
            "synthetic_parts",
            num_images=arguments.images,
            categories=[animal],
            negatives=0.5,
            difficulty=0.1,
            seed=arguments.seed,
        )
        print(f"{animal}: {len(dataset)} drawn images", flush=True)
        for mode in arguments.modes:
            print(run(dataset, mode, arguments.epochs, arguments.seed), flush=True)


if __name__ == "__main__":
    main()
