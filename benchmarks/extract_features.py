"""Speed and memory of extracting the features of a dataset that streams.

    python benchmarks/extract_features.py

Runs a frozen MobileNet over 2,000 and over 16,000 drawn images and prints images
a second and the peak memory, which must not grow with their number; then the same
command once more, which finds everything finished and only compares the images. With
`KERAS_INTERP_DATA` set, SqueezeNet runs over the real birds there, too. Each figure is
of its own process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def extract_drawn(images: int, out: str) -> dict[str, float]:
    """Maps of a MobileNet with random weights on images of 64x64."""
    import keras

    from keras_interp import datasets

    keras.utils.set_random_seed(0)
    trunk = keras.applications.MobileNet((64, 64, 3), 0.25, weights=None)
    return measured(
        trunk,
        datasets.open_synthetic_parts(images, part_masks=False),
        out,
        layer_name="conv_pw_5_relu",
        preprocess=keras.applications.mobilenet.preprocess_input,
    )


def extract_birds(out: str) -> dict[str, float]:
    """Maps of SqueezeNet on the real birds, read from their files as they are used."""
    from keras_interp.reproduce.frozen_trunk import FrozenTrunk

    from keras_interp import datasets

    trunk = FrozenTrunk.load("squeezenet")
    birds = datasets.open_cub(Path(os.environ["KERAS_INTERP_DATA"]) / "cub")
    return measured(trunk.network, birds, out, preprocess=trunk.preprocess)


def measured(model: Any, images: Any, out: str, **options: Any) -> dict[str, float]:
    from keras_interp import datasets

    before = peak_memory()
    start = time.perf_counter()
    features = datasets.extract_features(model, images, out, **options)
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in Path(out).glob("*.npy"))
    return {
        "pictures": len(features),
        "seconds": seconds,
        "megabytes": size / 2**20,
        "memory_before": before,
        "memory": peak_memory(),
    }


def peak_memory() -> float:
    """The most memory that this process had at a time, in MiB."""
    # Kibibytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def print_row(what: str, function: str, *arguments: Any) -> None:
    """Calls a function of this file in a process of its own."""
    command = [sys.executable, __file__, "--call", json.dumps([function, *arguments])]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    result = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{what:>18} {result['pictures']:>9.0f} {result['seconds']:>8.1f} "
        f"{result['pictures'] / result['seconds']:>9.0f} {result['megabytes']:>12.0f} "
        f"{result['memory_before']:>10.0f} {result['memory']:>9.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=2000, help="at the first size")
    parser.add_argument("--call", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call:
        name, *values = json.loads(arguments.call)
        functions = {"drawn": extract_drawn, "birds": extract_birds}
        print(json.dumps(functions[name](*values)))
        return
    print(f"{os.cpu_count()} processor cores")
    print(
        f"{'step':>18} {'images':>9} {'seconds':>8} {'a second':>9} "
        f"{'written MiB':>12} {'start MiB':>10} {'peak MiB':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for count in (arguments.images, 8 * arguments.images):
            print_row("extract drawn", "drawn", count, f"{folder}/drawn_{count}")
        print_row("the same again", "drawn", count, f"{folder}/drawn_{count}")
        data = os.environ.get("KERAS_INTERP_DATA")
        if data and (Path(data) / "cub").is_dir():
            print_row("extract cub", "birds", f"{folder}/birds")


if __name__ == "__main__":
    main()
