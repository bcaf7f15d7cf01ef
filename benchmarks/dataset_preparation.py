"""Speed and memory of preparing datasets for TensorFlow Datasets.

    KERAS_INTERP_DATA=FOLDER python benchmarks/dataset_preparation.py

Prints how many images a second `load` reads, and the recipe in `data_recipes/`
writes, of every dataset in that folder; and the peak memory of preparing 2,000 and
16,000 drawn images, which must not grow with their number. Each figure is of its own
process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECIPES = {"cub": "cub_parts", "animal_part": "animal_part"}
ROOT = Path(__file__).resolve().parent.parent


def prepare(recipe: str, config: Any = None) -> dict[str, float]:
    """Prepares a dataset in a temporary folder."""
    import apache_beam  # noqa: F401  before the clock and the first measure
    import tensorflow_datasets as tfds

    sys.path.insert(0, str(ROOT))
    name = f"data_recipes.{recipe}.{recipe}_dataset_builder"
    builder_class = importlib.import_module(name).Builder
    settings = tfds.download.DownloadConfig(try_download_gcs=False)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(config, dict):
            config = builder_class.builder_config_cls(**config)
        builder = builder_class(data_dir=folder, config=config)
        before = peak_memory()
        timing = seconds_of(
            lambda: builder.download_and_prepare(download_config=settings)
        )
        count = builder.info.splits.total_num_examples
        size = builder.info.dataset_size
    return {
        "pictures": count,
        **timing,
        "megabytes": size / 2**20,
        "memory_before": before,
        "memory": peak_memory(),
    }


def load(name: str) -> dict[str, float]:
    """Reads a dataset into memory."""
    from keras_interp import datasets

    loaded = []
    timing = seconds_of(lambda: loaded.append(datasets.load(name, size=224)))
    return {"pictures": len(loaded[0]), **timing}


def seconds_of(function: Callable[[], Any]) -> dict[str, float]:
    """By the clock, and of the processor, which others that are busy disturb less."""
    start = time.perf_counter(), time.process_time()
    function()
    return {
        "seconds": time.perf_counter() - start[0],
        "processor_seconds": time.process_time() - start[1],
    }


def peak_memory() -> float:
    """The most memory that this process had at a time, in MiB."""
    # Kibibytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def in_process(function: str, *arguments: Any) -> dict[str, float]:
    """Calls a function of this file in a process of its own."""
    command = [sys.executable, __file__, "--call", json.dumps([function, *arguments])]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def print_speed(names: list[str]) -> None:
    print(
        f"{'dataset':>12} {'step':>8} {'images':>9} {'seconds':>8} {'a second':>9} "
        f"{'a processor second':>19}"
    )
    for name in names:
        for step, result in (
            ("load", in_process("load", name)),
            ("prepare", in_process("prepare", RECIPES[name])),
        ):
            count = result["pictures"]
            print(
                f"{name:>12} {step:>8} {count:>9.0f} {result['seconds']:>8.1f} "
                f"{count / result['seconds']:>9.0f} "
                f"{count / result['processor_seconds']:>19.0f}",
                flush=True,
            )


def print_memory(images: int) -> None:
    print(f"{'images':>9} {'written MiB':>12} {'start MiB':>10} {'peak MiB':>9}")
    for count in (images, 8 * images):
        config = {"name": "many", "num_images": count}
        result = in_process("prepare", "synthetic_parts", config)
        print(
            f"{count:>9} {result['megabytes']:>12.0f} "
            f"{result['memory_before']:>10.0f} {result['memory']:>9.0f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=2000, help="for the memory")
    parser.add_argument("--call", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call:
        function, *values = json.loads(arguments.call)
        print(json.dumps({"prepare": prepare, "load": load}[function](*values)))
        return
    folder = os.environ.get("KERAS_INTERP_DATA")
    names = [n for n in RECIPES if folder and (Path(folder) / n).is_dir()]
    print(f"{os.cpu_count()} processor cores; datasets: {', '.join(names) or 'none'}")
    if names:
        print_speed(names)
    print_memory(arguments.images)


if __name__ == "__main__":
    main()
