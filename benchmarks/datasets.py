"""Speed of loading each dataset.

    KERAS_INTERP_DATA=FOLDER python benchmarks/datasets.py [--size 224] [--images 1000]

Prints the seconds that the annotations take (once for a whole dataset), then how many
images a second are read, cropped and resized, and how many for each second that one
processor core was busy, which other programs disturb less. Datasets that are not on
this machine are left out and named.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_interp.datasets import (
    load,
    open_animal_part,
    open_cub,
    open_pascal_part,
)
from keras_interp.datasets._registry import find_root

OPENERS: dict[str, tuple[str, Callable[..., Any], dict[str, Any]]] = {
    "cub": ("cub", open_cub, {}),
    "cub, whole photographs": ("cub", open_cub, {"crop": None}),
    "cub with sentences": ("cub", open_cub, {"captions": True}),
    "animal_part": ("animal_part", open_animal_part, {}),
    "animal_part with masks": ("animal_part", open_animal_part, {"part_masks": True}),
    "pascal_part": ("pascal_part", open_pascal_part, {"part_masks": False}),
    "pascal_part with masks": ("pascal_part", open_pascal_part, {}),
}


def seconds(function: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """The least time of some repeats, and the least processor time."""
    times = []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - start, time.process_time() - busy))
    elapsed, processor = zip(*times, strict=True)
    return min(elapsed), min(processor)


def show(title: str, opening: float | None, count: int, times: tuple) -> None:
    opened = "" if opening is None else f"{opening:.2f} s"
    speeds = [f"{count / least:.0f}" for least in times]
    print(f"{title:<26} {opened:>9} {count:>9} {speeds[0]:>9} {speeds[1]:>11}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    size = (arguments.size, arguments.size)
    print(f"{os.cpu_count()} processor cores, best of {arguments.repeats}, {size}")
    titles = ("to open", "pictures", "a second", "core second")
    print(
        f"{'dataset':<26} {titles[0]:>9} {titles[1]:>9} {titles[2]:>9} {titles[3]:>11}"
    )
    absent = []
    for title, (name, opener, options) in OPENERS.items():
        try:
            root = find_root(name)
            start = time.perf_counter()
            images = opener(root, **options)
            opening = time.perf_counter() - start
        except FileNotFoundError as error:
            absent.append(f"{title}: {error}")
            continue
        count = min(arguments.images, len(images))
        rows = np.linspace(0, len(images) - 1, count).astype(int)
        some = images.take(rows)
        reading = seconds(functools.partial(some.load, size), arguments.repeats)
        show(title, opening, count, reading)
    make = {"num_images": arguments.images, "image_size": size}
    drawing = functools.partial(load, "synthetic_parts", **make)
    show("synthetic_parts", None, arguments.images, seconds(drawing, 1))
    for line in absent:
        print(f"left out {line}")


if __name__ == "__main__":
    main()
