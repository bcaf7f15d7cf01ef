"""Time and memory of learning an explanatory graph.

    python benchmarks/explanatory_graph.py

Learns the nodes of four layers of 256 filters on 300 pictures, with maps of 28, 28, 14
and 14 units a side as VGG-16 has, 20 iterations each. Aim: under 10 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np

from keras_interp import ReceptiveField
from keras_interp.graphs import ExplanatoryGraph

SIDES = {"conv4_2": 28, "conv4_3": 28, "conv5_2": 14, "conv5_3": 14}


def sparse_maps(pictures: int, side: int, filters: int, seed: int) -> np.ndarray:
    """Maps like those behind a ReLU: a third of the units fires."""
    rng = np.random.default_rng(seed)
    maps = rng.standard_normal((pictures, side, side, filters), "float32")
    maps -= 0.4
    return np.maximum(maps, 0, out=maps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--filters", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=20)
    asked = parser.parse_args()
    maps, fields = {}, {}
    for place, (name, side) in enumerate(SIDES.items()):
        maps[name] = sparse_maps(asked.pictures, side, asked.filters, place)
        fields[name] = ReceptiveField(90 + 30 * place, 224 / side, 112 / side - 0.5)
    graph = ExplanatoryGraph(filters=asked.filters, iterations=asked.iterations)
    wall, cpu = time.perf_counter(), time.process_time()
    graph.fit_maps(maps, fields, 224)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(graph)
    print(
        f"{wall:.0f} s, {cpu:.0f} s of processor time, peak memory {peak:.1f} GB, load "
        f"of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
