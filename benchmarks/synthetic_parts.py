"""Speed of drawing the synthetic dataset.

    python benchmarks/synthetic_parts.py

Prints images a second for several sizes, with and without part masks; the goal is
2,000 images of 64x64 a second on two processor cores.
"""

from __future__ import annotations

import argparse
import os
import time

from keras_interp.datasets import synthetic_parts


def images_a_second(count: int, repeats: int, **options: object) -> float:
    """The best of some repeats, which other programs disturb least."""
    seconds = []
    for repeat in range(repeats):
        start = time.perf_counter()
        synthetic_parts(count, seed=repeat, **options)
        seconds.append(time.perf_counter() - start)
    return count / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    synthetic_parts(64)  # makes the sheets of noise
    print(f"{os.cpu_count()} processor cores, best of {arguments.repeats}")
    print(f"{'size':>6} {'part masks':>10} {'images a second':>18}")
    for size in (32, 64, 128):
        for part_masks in (True, False):
            count = max(64, arguments.images * 64**2 // max(64, size) ** 2)
            speed = images_a_second(
                count, arguments.repeats, image_size=size, part_masks=part_masks
            )
            print(f"{size:>6} {'yes' if part_masks else 'no':>10} {speed:>18.0f}")


if __name__ == "__main__":
    main()
