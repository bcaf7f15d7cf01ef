"""Speed of drawing and describing the synthetic birds.

    python benchmarks/synthetic_birds.py

Prints images a second for several sizes, with and without part masks and sentences;
the goal is 800 images of 64x64 a second with both on two processor cores.
"""

from __future__ import annotations

import argparse
import os
import time

from keras_interp.datasets import synthetic_birds


def images_a_second(count: int, repeats: int, **options: object) -> tuple[float, float]:
    """By the clock and by processor time; the best of some repeats.

    Other programs disturb the best least, and processor time hardly at all.
    """
    seconds, processor = [], []
    for repeat in range(repeats):
        start = time.perf_counter(), time.process_time()
        synthetic_birds(count, seed=repeat, **options)
        seconds.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return count / min(seconds), count / min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    synthetic_birds(64)  # makes the sheets of noise and the tables of phrases
    print(f"{os.cpu_count()} processor cores, best of {arguments.repeats}; images a")
    print(f"{'size':>6} {'masks, sentences':>17} {'second':>8} {'CPU second':>11}")
    for size in (32, 64, 128, 224):
        for extras in (True, False):
            count = max(64, arguments.images * 64**2 // max(64, size) ** 2)
            clock, processor = images_a_second(
                count,
                arguments.repeats,
                image_size=size,
                part_masks=extras,
                captions=extras,
            )
            shown = "yes" if extras else "no"
            print(f"{size:>6} {shown:>17} {clock:>8.0f} {processor:>11.0f}")


if __name__ == "__main__":
    main()
