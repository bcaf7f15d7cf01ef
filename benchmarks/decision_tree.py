"""Time of growing a decision tree.

    python benchmarks/decision_tree.py
    python benchmarks/decision_tree.py --positives 500 --filters 128

Prints the seconds for 2,000 images of the class, as many others and 512 filters, with
several ways of deciding planted in them: with all filters in each node, and with a
choice. The seconds of computing do not count the time that other programs take.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from keras_interp.graphs import DecisionModes, DecisionTree


def planted_modes(
    positives: int, others: int, filters: int, ways: int = 6, seed: int = 0
) -> DecisionModes:
    """Images that decide in one of several ways; others fire filters of another way."""
    random = np.random.default_rng(seed)
    count = positives + others
    directions = random.normal(size=(ways, filters))
    way = random.integers(ways, size=count)
    gradients = directions[way] + 0.7 * random.normal(size=(count, filters))
    activations = np.maximum(random.normal(size=(count, filters)) + 0.3, 0.0)
    # A filter that speaks for the class fires more.
    activations += 0.5 * np.maximum(gradients, 0.0)
    scores = (gradients * activations).sum(axis=1)
    scores += np.where(np.arange(count) < positives, 0.0, -2.0 * scores)
    return DecisionModes.from_maps(activations, gradients, scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positives", type=int, default=2000)
    parser.add_argument("--others", type=int, default=2000)
    parser.add_argument("--filters", type=int, default=512)
    chosen = parser.parse_args()
    modes = planted_modes(chosen.positives, chosen.others, chosen.filters)
    print(
        f"{chosen.positives:,} images of the class, {chosen.others:,} others, "
        f"{chosen.filters} filters, {os.cpu_count()} cores"
    )
    for selection in (None, "lasso"):
        labels = np.arange(len(modes)) < chosen.positives
        start, computed = time.perf_counter(), time.process_time()
        tree = DecisionTree(selection=selection).fit_modes(modes, labels)
        seconds = time.perf_counter() - start
        computed = time.process_time() - computed
        structure = tree.structure_
        second = len(structure.children(structure.root))
        print(
            f"selection={selection!r}: {seconds:.1f} s, {computed:.1f} s of computing; "
            f"{second} nodes under the root, longest way {structure.depth().max()}"
        )


if __name__ == "__main__":
    main()
