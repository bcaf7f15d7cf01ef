"""`ki.report`: everything about one model on one page."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import plotting
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._measurement import FilterMeasurement, measure_filters
from keras_interp.reporting._page import (
    ReportContent,
    ReportFigure,
    ReportSection,
    ReportTable,
    write_report,
)
from keras_interp.reporting._results import accuracy_rows, results_tables
from keras_interp.reporting._sections import (
    caveats_section,
    gallery_section,
    heatmap_section,
    instability_section,
    masks_section,
    parts_section,
)
from keras_interp.reporting._words import glossary, metric_words

Rows = list[dict[str, Any]]


def report(
    model: keras.Model,
    dataset: PartsDataset,
    path: str | Path,
    *,
    layer_name: str | None = None,
    compare_with: keras.Model | None = None,
    history: Any = None,
    labels: Any = None,
    preprocess: Callable[[np.ndarray], Any] | None = None,
    batch_size: int = 64,
    title: str = "What the filters mean",
    settings: Mapping[str, Any] | None = None,
    extra_rows: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Measures a model's filters and writes one self-contained HTML page about them.

    The page holds what was trained, how the filters compare with those of another
    network, location instability beside its baselines, which part each filter follows,
    the images in which filters fire most, part heat maps, training curves, what all
    this does not show, and a glossary.

    Example:

    ```python
    dataset = ki.datasets.load("synthetic_parts")
    history = model.fit(dataset.images, dataset.labels, epochs=5)
    ki.report(model, dataset, "report.html", history=history)
    ```

    Args:
        model: functional or Sequential model.
        dataset: images with landmarks. Parts are chosen on the images whose split
            is not `"test"` and scored on those of `"test"`.
        path: of the HTML file; its folder is made where it is missing.
        layer_name: name or path of the layer to look at. Default: the last
            interpretable layer, or the last convolution where there is none.
        compare_with: another model, an ordinary one say, that is measured in the same
            way and set beside `model`.
        history: what `model.fit` returned, or its dict, for the training curves.
        labels: int `(N,)`, what `model` was trained to say about `dataset.images`, for
            the accuracy. Default: `dataset.labels` where the model has an output for
            each class; otherwise accuracy is left out.
        preprocess: applied to each batch of `dataset.images` before either model.
            Default: images go in as they are, 0 to 255.
        batch_size: images at a time.
        title: the page's title.
        settings: what else was set, shown in the first table.
        extra_rows: further rows as in `results.json`, part interpretability say.
        notes: sentences to add to what the page does not show, such as where the
            images come from.

    Returns:
        The path of the file.

    Raises:
        ValueError: if the layer does not fit or the dataset has too few landmarks.
    """
    options: dict[str, Any] = {"batch_size": batch_size, "preprocess": preprocess}
    found = measure_filters(model, dataset, layer_name, **options)
    name = "interpretable" if found.layer.interpretable else "model"
    rows = accuracy_rows(name, model, dataset, labels, **options) + found.rows(name)
    if compare_with is not None:
        other = measure_filters(compare_with, dataset, **options)
        rows = [
            *accuracy_rows("ordinary", compare_with, dataset, labels, **options),
            *other.rows("ordinary"),
            *rows,
        ]
    rows += [dict(row) for row in extra_rows]
    sections = [
        _trained_section(model, dataset, found, settings or {}),
        _comparison_section(rows),
        *instability_section(rows),
        parts_section(found, dataset),
        gallery_section(found, dataset),
        *masks_section(found, dataset),
        heatmap_section(found, dataset),
        *training_section(history),
        caveats_section(found, dataset.landmark_names, notes),
        glossary(row["metric"] for row in rows),
    ]
    content = ReportContent(
        title,
        _summary(found),
        sections,
        facts=_facts(rows, name),
        footer=_footer(),
    )
    return write_report(content, path)


def training_section(history: Any) -> list[ReportSection]:
    """The curves of what `fit` logged; nothing without a history."""
    if history is None:
        return []
    axes = plotting.training_curves(history)
    return [
        ReportSection(
            "How training went",
            [
                "The two entropies say how undecided the filters are: between their "
                "category and the rest, and between places in the image. The exact "
                "filter loss lowers both; the default one sharpens each map on its "
                "own, and there the filter loss is the curve to watch."
            ],
            figures=[ReportFigure.drawn(axes, "One point for each epoch.")],
        )
    ]


def _trained_section(
    model: keras.Model,
    dataset: PartsDataset,
    found: FilterMeasurement,
    settings: Mapping[str, Any],
) -> ReportSection:
    height, width = dataset.image_size
    field, count = found.receptive_field, found.layer.maps.shape[-1]
    kind = "interpretable " if found.layer.interpretable else ""
    facts = {
        "model": f"{model.name}, {model.count_params():,} weights",
        "layer": f"{found.layer.layer_name}, {count} {kind}filters",
        "receptive field": f"{_pixels(field.size)}, stride {_pixels(field.stride)}",
        "images": f"{len(dataset):,} of {height}×{width}, {len(found.images):,} "
        "with landmarks",
        "classes": ", ".join(dataset.class_names[:12])
        + (
            f" and {len(dataset.class_names) - 12} more"
            * (len(dataset.class_names) > 12)
        ),
        "landmarks": ", ".join(dataset.landmark_names),
        **{str(key): str(value) for key, value in settings.items()},
    }
    layers = [
        [layer.name, type(layer).__name__, _shape(layer), f"{layer.count_params():,}"]
        for layer in model.layers
    ]
    return ReportSection(
        "What was trained",
        tables=[
            ReportTable(["setting", "value"], [[*pair] for pair in facts.items()]),
            ReportTable(
                ["layer", "kind", "output", "weights"],
                layers,
                f"All {len(layers)} layers of the model",
                folded=True,
            ),
        ],
    )


def _comparison_section(rows: Rows) -> ReportSection:
    return ReportSection(
        "What came out",
        [
            "Tracking and hit gain are what counts: both are measured on images that "
            "had no say in which part a filter was matched with, and a filter that "
            "never moves scores about 0."
        ],
        tables=results_tables(rows),
    )


def _summary(found: FilterMeasurement) -> str:
    count, total = int(found.detectors.sum()), len(found.detectors)
    if count == 0:
        return f"None of the {total} filters measured is a detector of one part."
    return (
        f"{count} of the {total} filters measured follow one part of the object on "
        "images that had no say in choosing the part, and do so better than any "
        "fixed place would."
    )


def _facts(rows: Rows, name: str) -> list[tuple[str, str]]:
    """The figures of the model itself that are shown large."""
    wanted = ("accuracy", "tracking", "hit_gain", "part_detectors", "part_coverage")
    return [
        (
            metric_words(row["metric"]).label,
            metric_words(row["metric"]).text(row["value"]),
        )
        for metric in wanted
        for row in rows
        if row["metric"] == metric and row["row"] == name
    ]


def _footer() -> str:
    from keras_interp import __version__

    today = datetime.date.today().isoformat()
    return (
        f"Written by keras_interp {__version__} with Keras {keras.__version__} on "
        f"{keras.backend.backend()}, {today}."
    )


def _pixels(value: Any) -> str:
    pair = value if isinstance(value, tuple) else (value,)
    return "×".join(f"{number:g}" for number in pair) + " pixels"


def _shape(layer: Any) -> str:
    shape = getattr(getattr(layer, "output", None), "shape", None)
    return "" if shape is None else "×".join(str(length) for length in shape[1:])
