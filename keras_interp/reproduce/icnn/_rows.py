"""Rows and figures of the interpretable CNN's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_interp import plotting
from keras_interp.reproduce._results import Results, mean_of
from keras_interp.reproduce._tasks import Task
from keras_interp.reproduce.icnn._training import TrainedNetwork

_FILTERS = 4
# VGG-16 of the paper: ordinary, interpretable. Table 3 by animal, table 5 for CUB.
_PAPER_INSTABILITY = {
    ("3", "bird"): (0.156, 0.099),
    ("3", "dog"): (0.143, 0.077),
    ("3", "cat"): (0.148, 0.086),
    ("3", "horse"): (0.150, 0.106),
    ("3", "cattle"): (0.140, 0.102),
    ("3", "sheep"): (0.150, 0.097),
    ("5", "bird"): (0.137, 0.076),
}
# Table 7, VGG-16; the averages over all animals of the benchmark, and CUB.
_PAPER_ACCURACY = {"3": (0.9858, 0.9667), "5": (0.9891, 0.9651)}


def add_rows(
    results: Results, task: Task, row: str, networks: Sequence[TrainedNetwork]
) -> None:
    """Add all figures of one kind of network on one task.

    Args:
        results: Where to.
        task: The task.
        row: `kind/backbone/category`.
        networks: One a seed.
    """
    tested = int((~task.is_train).sum())
    results.add(
        "7",
        row,
        "accuracy",
        [network.accuracy for network in networks],
        n=tested,
        paper_value=_of_paper(_PAPER_ACCURACY.get(task.paper_table), row),
    )
    _add_measured(results, task, row, networks)
    for metric in ("ablated_accuracy", "gradient_ratio"):
        values = [getattr(network, metric) for network in networks]
        if any(value is not None for value in values):
            results.add(task.paper_table, row, metric, values, n=tested)


def _of_paper(values: tuple[float, float] | None, row: str) -> float | None:
    """The paper's value for a network; it has none without labels."""
    kinds = ("ordinary", "interpretable")
    kind = row.split("/")[0]
    return values[kinds.index(kind)] if values and kind in kinds else None


def _add_measured(
    results: Results,
    task: Task,
    row: str,
    networks: Sequence[TrainedNetwork],
) -> None:
    paper = _of_paper(_PAPER_INSTABILITY.get((task.paper_table, task.name)), row)
    measured = [network.measured.rows(row) for network in networks]
    for figures in zip(*measured, strict=True):
        metric = figures[0]["metric"]
        unstable = metric == "location_instability"
        table = task.paper_table
        if metric == "part_interpretability":
            # Tables 1 and 2: networks for one category and for several.
            table = "1" if task.categories == 1 else "2"
        results.add(
            table,
            row,
            metric,
            [figure["value"] for figure in figures],
            n=figures[0]["n"],
            paper_value=paper if unstable else None,
            baseline_constant=mean_of(figures, "baseline_constant"),
            baseline_random=mean_of(figures, "baseline_random"),
        )


def draw_task(task: Task, networks: Mapping[str, TrainedNetwork], folder: Path) -> None:
    """Write a filter gallery of each network and a histogram of the parts.

    Args:
        task: The task.
        networks: One network of each kind.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    name = task.name.replace(" ", "_")
    for kind, network in networks.items():
        found = network.measured
        tested = np.flatnonzero(~found.chose)
        images = task.dataset.images[task.objects()[tested]]
        count = found.layer.maps.shape[-1]
        filters = np.linspace(0, count - 1, min(_FILTERS, count)).astype(int)
        axes = plotting.filter_gallery(
            images,
            found.layer.maps[tested],
            found.receptive_field,
            filters=list(filters),
            top=6,
            # Where a filter's peak is, not all that its wide field could see.
            radius=1.5 * float(np.max(found.receptive_field.stride)),
        )
        figure = axes.flat[0].figure
        figure.suptitle(f"{task.name}: {kind.replace('_', ' ')} network")
        figure.savefig(folder / f"{name}_{kind}_filters.png", dpi=100)
        figure = Figure(figsize=(6, 4), layout="constrained")
        plotting.part_histogram(
            found.tracking.part,
            task.dataset.landmark_names,
            figure.subplots(),
            detectors=found.detectors,
            title=f"{task.name}: {kind.replace('_', ' ')} network",
        )
        figure.savefig(folder / f"{name}_{kind}_parts.png", dpi=100)
