"""Seconds and size of a report on a layer of 512 filters, without landmarks.

    python benchmarks/report.py

Two figures. "The page": galleries of every filter, figures, tables and the file, once
the filters are measured. "The whole call": `ki.report` with a network of one
convolution and a dense layer with random weights, which reads maps, measures and
explains predictions besides. Prints for both the median seconds by the clock and of the
processor (these do not count what else the machine does) and the megabytes of the file;
one more call first, for what is traced and loaded once.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras

import keras_interp as ki
from keras_interp.metrics._activity import measure_activity
from keras_interp.metrics._layer_maps import read_feature_maps
from keras_interp.reporting._findings import without_landmarks
from keras_interp.reporting._page import ReportContent, write_report

SIZE = 224


def network(filters: int) -> keras.Model:
    """Maps of 14 x 14, and ten classes."""
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(
                filters, 16, strides=16, activation="relu", name="maps"
            ),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile()
    return model


def timed(name: str, write: Callable[[Path], None], repeats: int) -> None:
    """Prints the medians of calls that write a page."""
    clocks, processors = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        for _ in range(repeats + 1):
            clock, processor = time.perf_counter(), time.process_time()
            write(path)
            clocks.append(time.perf_counter() - clock)
            processors.append(time.process_time() - processor)
        size = path.stat().st_size / 1e6
    print(
        f"{name:15s} {statistics.median(clocks[1:]):.2f} s by the clock "
        f"({min(clocks[1:]):.2f} to {max(clocks[1:]):.2f}), "
        f"{statistics.median(processors[1:]):.2f} s of the processor, {size:.1f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=512)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    drawn = ki.datasets.load(
        "synthetic_birds", num_images=options.images, image_size=SIZE, seed=0
    )
    model = network(options.filters)
    layer = read_feature_maps(model, drawn.images, "maps")
    field = ki.receptive_field(model, "maps")
    activity = measure_activity(layer, field, (SIZE, SIZE))
    titles = [f"image_{place}.jpg" for place in range(options.images)]

    def page(path: Path) -> None:
        found = without_landmarks(activity, drawn.images, titles)
        content = ReportContent(
            "512 filters", found.summary, found.sections, lead=found.lead
        )
        write_report(content, path)

    def whole_call(path: Path) -> None:
        ki.report(model, drawn.images, path, verbose=0)

    print(f"{options.filters} filters, {options.images} images of {SIZE} pixels")
    timed("the page", page, options.repeats)
    timed("the whole call", whole_call, options.repeats)


if __name__ == "__main__":
    main()
