"""Time and memory of a training step of InterpretableConv against Conv2D with ReLU.

    python benchmarks/interpretable_conv.py
    KERAS_BACKEND=jax python benchmarks/interpretable_conv.py --repeats 50

The maps are 14x14x512, made from 14x14x512 inputs by 3x3 kernels, in batches of 32. A
step is forward pass, backward pass and SGD update. The layers take turns, so that
whatever else the machine does slows all of them; the ratio is the median over the
turns. Each peak of memory is that of a process of its own after a few steps: above what
Python and Keras take once imported, and of the process as a whole. On a GPU it is the
peak of the device's memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import keras_interp as ki

SIDE = 14
CHANNELS = 512
STEPS_FOR_MEMORY = 4
LAYERS = {
    "Conv2D + ReLU": lambda: keras.layers.Conv2D(
        CHANNELS, 3, padding="same", activation="relu"
    ),
    "mask alone": lambda: ki.InterpretableConv(
        CHANNELS, 3, padding="same", filter_loss=None
    ),
    "mask and loss": lambda: ki.InterpretableConv(
        CHANNELS, 3, padding="same", monitor=False
    ),
    "default": lambda: ki.InterpretableConv(CHANNELS, 3, padding="same"),
    "parts": lambda: ki.InterpretableConv(
        CHANNELS, 3, padding="same", filter_loss="parts"
    ),
    "fraction=1": lambda: ki.InterpretableConv(
        CHANNELS, 3, padding="same", fraction=1.0
    ),
}
ORDINARY = next(iter(LAYERS))


def training_step(layer: keras.layers.Layer, batch: int) -> Callable[[], object]:
    """A compiled training step on data that is already on the device."""
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, CHANNELS)),
            layer,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy")
    rng = np.random.default_rng(0)
    shape = (batch, SIDE, SIDE, CHANNELS)
    images = keras.ops.convert_to_tensor(rng.random(shape, dtype="float32"))
    labels = keras.ops.convert_to_tensor(rng.integers(0, 2, (batch, 1)))
    # The loss that comes back is a number, so that the step has ended.
    return lambda: model.train_on_batch(images, labels)


def seconds(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, list]:
    """Times of all steps, which take turns."""
    times: dict[str, list] = {name: [] for name in steps}
    for step in steps.values():
        step()
        step()
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    return times


def process_peak() -> float:
    """Most memory this process has had so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux counts the parent's memory into a child's ru_maxrss, not into VmHWM.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def device_peak() -> float | None:
    """Most memory the first GPU has lent so far, in MiB; None without a GPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        statistics = jax.devices()[0].memory_stats()
        return statistics and statistics["peak_bytes_in_use"] / 2**20
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated() / 2**20
    return None


def print_memory(name: str, batch: int) -> None:
    """What a process of its own reports: peak above the imports, and in all."""
    imported = process_peak()
    step = training_step(LAYERS[name](), batch)
    for _ in range(STEPS_FOR_MEMORY):
        step()
    on_device = device_peak()
    if on_device is not None:
        print(on_device, on_device)
    else:
        print(process_peak() - imported, process_peak())


def memory(name: str, batch: int) -> tuple[float, float]:
    """Peaks of a layer's training in MiB, measured in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", name, "--batch", str(batch)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    above, whole = result.stdout.splitlines()[-1].split()
    return float(above), float(whole)


def device_name() -> str:
    """The device that the arrays lie on."""
    tensor = keras.ops.zeros(1)
    device = getattr(tensor, "device", "unknown")
    return str(device() if callable(device) else device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--memory-of", choices=LAYERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print_memory(options.memory_of, options.batch)
        return
    print(
        f"maps {SIDE}x{SIDE}x{CHANNELS}, batch {options.batch}, "
        f"{keras.backend.backend()} on {device_name()}, {os.cpu_count()} CPU cores"
    )
    steps = {
        name: training_step(make(), options.batch) for name, make in LAYERS.items()
    }
    times = seconds(steps, options.repeats)
    peaks = {name: memory(name, options.batch) for name in LAYERS}
    print("                 training step         peak above imports   whole process")
    ordinary = np.array(times[ORDINARY])
    for name in LAYERS:
        taken = np.array(times[name])
        above, whole = (
            f"{peak:7.0f} MiB {peak / reference:5.2f} x"
            for peak, reference in zip(peaks[name], peaks[ORDINARY], strict=True)
        )
        print(
            f"{name:14s} {np.median(taken) * 1e3:8.1f} ms "
            f"{np.median(taken / ordinary):5.2f} x   {above}  {whole}"
        )


if __name__ == "__main__":
    main()
