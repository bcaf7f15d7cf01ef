"""`keras-interp demo`: an ordinary and an interpretable network on drawn birds."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import plotting
from keras_interp.callbacks import GradientRatio
from keras_interp.datasets import PartsDataset, load
from keras_interp.layers import InterpretableConv
from keras_interp.metrics import FilterMeasurement, measure_filters
from keras_interp.models import InterpretableSequential
from keras_interp.reporting import report
from keras_interp.reporting._parts_found import headline, parts_figure
from keras_interp.reporting._results import accuracy_rows, with_intervals
from keras_interp.reporting._sections import filter_names, representative_filters
from keras_interp.reproduce._results import Results, check_folder, check_number

TOP_LAYER = "part_conv"
# Fewer leave no bird to choose a part on and another to score it on.
LEAST_IMAGES = 40
_SHOWN_FILTERS = 4
NOTES = (
    "The images are drawn by a program; figures of photographs are another matter and "
    "never stand in the same table.",
    "Two small networks were trained once each; another seed gives other figures.",
)


def run_demo(
    out: Path, *, num_images: int = 2400, epochs: int = 10, seed: int = 0
) -> Results:
    """Draw birds, train two networks, compare their filters, write a report.

    Example:

    ```python
    run_demo(Path("demo_output"))
    ```

    Args:
        out: Folder for `report.html`, `results.json`, `table.md` and figures.
        num_images: Images to draw, 40 or more.
        epochs: Passes over the training images.
        seed: Of images and weights, 0 or more.

    Returns:
        `Results`, also written to `out`.

    Raises:
        ValueError: For an argument that does not fit, before anything is drawn.
    """
    check_number("images", num_images, LEAST_IMAGES)
    check_number("epochs", epochs)
    check_number("seed", seed, 0)
    check_folder(out)
    settings = {"num_images": num_images, "epochs": epochs, "seed": seed}
    results = Results("icnn", "synthetic_parts", settings)
    _say(f"Drawing {num_images:,} images ...")
    dataset = demo_images(num_images, seed)
    targets = bird_targets(dataset)
    networks, histories, found = {}, {}, {}
    for kind in ("ordinary", "interpretable"):
        networks[kind], histories[kind] = _train(dataset, kind, epochs, seed)
    for kind, model in networks.items():
        _say(f"Measuring the filters of the {kind} network ...")
        found[kind] = measure_filters(model, dataset, TOP_LAYER)
        rows = accuracy_rows(
            kind, model, dataset, targets, batch_size=64, preprocess=None
        )
        results.rows += rows + found[kind].rows(kind)
    _say(f"Writing figures, tables and the report to {out} ...")
    results.write(out)
    _draw(out, dataset, found, histories["interpretable"])
    report(
        networks["interpretable"],
        dataset,
        out / "report.html",
        layer_name=TOP_LAYER,
        compare_with=networks["ordinary"],
        history=histories["interpretable"],
        labels=targets,
        title="Filters that mean object parts",
        settings=settings,
        notes=NOTES,
        verbose=0,
    )
    _print_table(results, out)
    _say(textwrap.fill(headline(found["interpretable"], found["ordinary"]), 79))
    return results


def demo_images(num_images: int, seed: int) -> PartsDataset:
    """Birds, and as many images of background with loose parts of animals."""
    return load(
        "synthetic_parts",
        num_images=num_images,
        categories=["bird"],
        negatives=0.5,
        difficulty=0.1,
        seed=seed,
    )


def bird_targets(dataset: PartsDataset) -> np.ndarray:
    """What the networks learn: 1 for a bird, 0 for background."""
    return (~dataset.is_background).astype(int)


def demo_network(
    image_size: int,
    categories: int,
    *,
    interpretable: bool,
    filters: int = 48,
    **options: Any,
) -> keras.Sequential:
    """A network of four conv-layers for small images, compiled.

    Example:

    ```python
    model = demo_network(64, 1, interpretable=True)
    model.fit(images, labels, epochs=10)
    ```

    Args:
        image_size: Side of the images in pixels.
        categories: 1 ends in a logistic unit, more in a softmax.
        interpretable: Whether the two top conv-layers are `InterpretableConv` or
            `Conv2D`; all else is the same.
        filters: Filters of each of the two top conv-layers.
        **options: For `InterpretableConv`, such as its `filter_loss`.

    Returns:
        Compiled Keras model that takes images from 0 to 255.
    """

    def conv(name: str) -> keras.layers.Layer:
        if interpretable:
            return InterpretableConv(filters, 3, padding="same", name=name, **options)
        return keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=name
        )

    kind = InterpretableSequential if interpretable else keras.Sequential
    model = kind(
        [
            keras.Input((image_size, image_size, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(24, 5, strides=2, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(48, 3, padding="same", activation="relu"),
            conv("target_conv"),
            conv(TOP_LAYER),
            keras.layers.MaxPooling2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(
                categories, activation="sigmoid" if categories == 1 else "softmax"
            ),
        ],
        name="interpretable" if interpretable else "ordinary",
    )
    loss = "binary_crossentropy"
    if categories > 1:
        loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model


class _ShortLog(keras.callbacks.Callback):
    """A line an epoch that fits a terminal, whatever the log holds."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        words = [f"loss {logs['loss']:.3f}", f"accuracy {logs['accuracy']:.3f}"]
        losses = [value for key, value in logs.items() if key.endswith("filter_loss")]
        if losses:
            words.append(f"filter loss {np.mean(losses):.3f}")
        _say(f"  epoch {epoch + 1}/{self.params['epochs']}: {', '.join(words)}")


def _say(words: str) -> None:
    # At once, although Python keeps back what goes into a file or a pipe.
    print(words, flush=True)


def _train(
    dataset: PartsDataset, kind: str, epochs: int, seed: int
) -> tuple[keras.Model, dict[str, list[float]]]:
    keras.utils.set_random_seed(seed)
    interpretable = kind == "interpretable"
    options: dict[str, Any] = {"filter_loss": "parts"} if interpretable else {}
    model = demo_network(64, 1, interpretable=interpretable, **options)
    train = np.asarray(dataset.split) != "test"
    images, targets = dataset.images[train], bird_targets(dataset)[train]
    callbacks: list[Any] = [_ShortLog()]
    if interpretable:
        some = images[:64].astype("float32")
        callbacks.append(GradientRatio(some, targets[:64], warn_above=float("inf")))
    _say(f"Training the {kind} network on {len(images):,} images ...")
    history = model.fit(
        images, targets, epochs=epochs, batch_size=32, verbose=0, callbacks=callbacks
    )
    return model, history.history


def _draw(
    out: Path,
    dataset: PartsDataset,
    found: dict[str, FilterMeasurement],
    history: dict[str, list[float]],
) -> None:
    for kind, measured in found.items():
        tested = np.flatnonzero(~measured.chose)
        chosen = representative_filters(measured, _SHOWN_FILTERS)
        axes = plotting.filter_gallery(
            dataset.images[measured.images[tested]],
            measured.layer.maps[tested],
            measured.receptive_field,
            filters=chosen,
            names=filter_names(measured, dataset, chosen),
            top=6,
            radius=1.5 * float(np.max(measured.receptive_field.stride)),
        )
        axes.flat[0].figure.savefig(out / f"filters_{kind}.png", dpi=100)
    shown = parts_figure(
        found["interpretable"],
        dataset,
        found["ordinary"],
        ("interpretable network", "ordinary network"),
    )
    (out / "parts.png").write_bytes(shown.png)
    axes = plotting.training_curves(history)
    axes.flat[0].figure.savefig(out / "training_curves.png", dpi=100)


def _print_table(results: Results, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Filters of the top conv-layer, on images not trained on")
    for heading in ("figure", "ordinary", "interpretable", "best constant", "random"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    measured = with_intervals(results.rows)
    for metric in dict.fromkeys(row["metric"] for row in measured):
        rows = {r["row"]: r for r in measured if r["metric"] == metric}
        base = rows.get("interpretable", {})
        cells = [
            rows.get(kind, {}).get("value") for kind in ("ordinary", "interpretable")
        ]
        cells += [base.get("baseline_constant"), base.get("baseline_random")]
        text = ["" if value is None else f"{value:.3f}" for value in cells]
        table.add_row(metric.replace("_", " "), *text)
    console = Console()
    console.print(table)
    console.print(f"Open {out / 'report.html'} in a browser.")
