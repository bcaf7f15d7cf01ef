"""What attribution gains on PyTorch from care for memory: seconds and page faults.

    KERAS_BACKEND=torch python benchmarks/torch_memory.py
    KERAS_BACKEND=torch python benchmarks/torch_memory.py --networks VGG16 --size 112

Saliency of `keras.applications` networks with random weights, on a CPU, in turns: as
the library computes it, and with all images at once. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import functools
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import keras
import numpy as np

import keras_interp as ki
from keras_interp import _backend

WAYS: dict[str, dict[str, Callable[..., Any]]] = {
    "as it is": {"most_bytes_at_once": _backend.most_bytes_at_once},
    "all images at once": {"most_bytes_at_once": lambda: None},
}


def measured(call: Callable[[], Any]) -> tuple[float, int]:
    """Seconds and page faults of a call."""
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["MobileNet", "VGG16"])
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    shape = (options.size, options.size, 3)
    random = np.random.default_rng(0)
    images = random.standard_normal((options.batch, *shape), dtype="float32")
    print("| network | way | seconds | thousand page faults |\n|---|---|---|---|")
    for name in options.networks:
        network = getattr(keras.applications, name)(
            weights=None, classifier_activation=None, input_shape=shape
        )
        found: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
        saliency = functools.partial(ki.attribution.saliency, network, images, 0)
        # The first round traces.
        for _ in range(options.rounds + 1):
            for way, changes in WAYS.items():
                with mock.patch.multiple(_backend, **changes):
                    found[way].append(measured(saliency))
        for way, calls in found.items():
            seconds, faults = zip(*calls[1:], strict=True)
            print(
                f"| {name} | {way} | {statistics.median(seconds):.3f} "
                f"| {statistics.median(faults) / 1000:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
