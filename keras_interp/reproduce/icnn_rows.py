"""Rows of the interpretable CNN's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.reproduce.icnn_task import IcnnTask
from keras_interp.reproduce.icnn_training import TrainedNetwork
from keras_interp.reproduce.results import Results

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
    results: Results, task: IcnnTask, row: str, networks: Sequence[TrainedNetwork]
) -> None:
    """Add all figures of one kind of network on one task.

    Args:
        results: Where to.
        task: The task.
        row: `kind/backbone/category`.
        networks: One a seed.
    """
    interpretable = int(not row.startswith("ordinary"))
    tested = int((~task.is_train).sum())
    paper_accuracy = _PAPER_ACCURACY.get(task.paper_table, (None, None))
    results.add(
        "7",
        row,
        "accuracy",
        [network.accuracy for network in networks],
        n=tested,
        paper_value=paper_accuracy[interpretable],
    )
    _add_measured(results, task, row, networks, interpretable)
    for metric in ("ablated_accuracy", "gradient_ratio"):
        values = [getattr(network, metric) for network in networks]
        if any(value is not None for value in values):
            results.add(task.paper_table, row, metric, values, n=tested)


def _add_measured(
    results: Results,
    task: IcnnTask,
    row: str,
    networks: Sequence[TrainedNetwork],
    interpretable: int,
) -> None:
    paper = _PAPER_INSTABILITY.get((task.paper_table, task.name), (None, None))
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
            paper_value=paper[interpretable] if unstable else None,
            baseline_constant=_mean(figures, "baseline_constant"),
            baseline_random=_mean(figures, "baseline_random"),
        )


def _mean(figures: Sequence[dict[str, Any]], key: str) -> float | None:
    known = [figure[key] for figure in figures if figure[key] is not None]
    return float(np.mean(known)) if known else None
