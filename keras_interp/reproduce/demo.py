"""`keras-interp demo`: an ordinary and an interpretable network on drawn birds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import plotting
from keras_interp.callbacks import GradientRatio
from keras_interp.datasets import PartsDataset, load
from keras_interp.reporting import FilterMeasurement, measure_filters, report
from keras_interp.reporting._results import accuracy_rows
from keras_interp.reproduce.demo_networks import TOP_LAYER, demo_network
from keras_interp.reproduce.results import Results

NOTES = (
    "The pictures are drawn by a program; figures of real pictures are another matter "
    "and never stand in the same table.",
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
        out: Folder for `report.html`, `results.json`, `table.md` and pictures.
        num_images: Pictures to draw.
        epochs: Passes over the training pictures.
        seed: Of pictures and weights.

    Returns:
        `Results`, also written to `out`.
    """
    settings = {"num_images": num_images, "epochs": epochs, "seed": seed}
    results = Results("icnn", "synthetic_parts", settings)
    pictures = demo_pictures(num_images, seed)
    networks, histories = {}, {}
    for kind in ("ordinary", "interpretable"):
        networks[kind], histories[kind] = _train(pictures, kind, epochs, seed)
    found = {
        kind: measure_filters(model, pictures, TOP_LAYER)
        for kind, model in networks.items()
    }
    targets = bird_targets(pictures)
    for kind, model in networks.items():
        rows = accuracy_rows(
            kind, model, pictures, targets, batch_size=64, preprocess=None
        )
        results.rows += rows + found[kind].rows(kind)
    results.write(out)
    _draw(out, pictures, found, histories["interpretable"])
    report(
        networks["interpretable"],
        pictures,
        out / "report.html",
        layer_name=TOP_LAYER,
        compare_with=networks["ordinary"],
        history=histories["interpretable"],
        labels=targets,
        title="Filters that mean object parts",
        settings=settings,
        notes=NOTES,
    )
    _print_table(results, out)
    return results


def demo_pictures(num_images: int, seed: int) -> PartsDataset:
    """Birds, and as many pictures of background with loose parts of animals."""
    return load(
        "synthetic_parts",
        num_images=num_images,
        categories=["bird"],
        negatives=0.5,
        difficulty=0.1,
        seed=seed,
    )


def bird_targets(pictures: PartsDataset) -> np.ndarray:
    """What the networks learn: 1 for a bird, 0 for background."""
    return (~pictures.is_background).astype(int)


def _train(
    pictures: PartsDataset, kind: str, epochs: int, seed: int
) -> tuple[keras.Model, dict[str, list[float]]]:
    keras.utils.set_random_seed(seed)
    model = demo_network(64, 1, interpretable=kind == "interpretable")
    train = np.asarray(pictures.split) != "test"
    images, targets = pictures.images[train], bird_targets(pictures)[train]
    callbacks: list[Any] = []
    if kind == "interpretable":
        some = images[:64].astype("float32")
        callbacks = [GradientRatio(some, targets[:64], warn_above=float("inf"))]
    print(f"\nTraining the {kind} network on {len(images)} pictures")
    history = model.fit(
        images, targets, epochs=epochs, batch_size=32, callbacks=callbacks
    )
    return model, history.history


def _draw(
    out: Path,
    pictures: PartsDataset,
    found: dict[str, FilterMeasurement],
    history: dict[str, list[float]],
) -> None:
    for kind, measured in found.items():
        tested = np.flatnonzero(~measured.chose)
        axes = plotting.filter_gallery(
            pictures.images[measured.images[tested]],
            measured.layer.maps[tested],
            measured.receptive_field,
            filters=[0, 4, 8, 12],
            top=6,
            radius=1.5 * float(np.max(measured.receptive_field.stride)),
        )
        axes.flat[0].figure.savefig(out / f"filters_{kind}.png", dpi=100)
    axes = plotting.training_curves(history)
    axes.flat[0].figure.savefig(out / "training_curves.png", dpi=100)


def _print_table(results: Results, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Filters of the top conv-layer, on pictures not trained on")
    for heading in ("figure", "ordinary", "interpretable", "best constant", "random"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for metric in dict.fromkeys(row["metric"] for row in results.rows):
        rows = {r["row"]: r for r in results.rows if r["metric"] == metric}
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
