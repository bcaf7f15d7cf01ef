"""Rows of the explainer's tables."""

from __future__ import annotations

from collections.abc import Sequence

from keras_interp.metrics import FilterMeasurement
from keras_interp.reproduce._results import Results, mean_of
from keras_interp.reproduce.explainer._measurement import ExplainerFigures
from keras_interp.reproduce.explainer._task import ExplainedTask

# VGG-16 of the paper: target layer, top conv-layer, explainer; table 1 and appendix.
_PAPER_INSTABILITY = {
    ("animal_part", "bird"): (0.151, 0.145, 0.095),
    ("animal_part", "cat"): (0.128, 0.133, 0.089),
    ("animal_part", "cattle"): (0.145, 0.146, 0.097),
    ("animal_part", "dog"): (0.124, 0.127, 0.085),
    ("animal_part", "horse"): (0.146, 0.143, 0.087),
    ("animal_part", "sheep"): (0.146, 0.143, 0.089),
    ("animal_part", "6 categories"): (None, 0.128, 0.109),
    ("cub", "bird"): (0.1444, 0.1373, 0.0490),
}
_INSTABILITY_ROWS = ("target_layer", "performer", "explainer")
# Appendix, "Detailed results of p values"; the main text has two columns swapped.
_PAPER_P = {
    ("animal_part", "bird"): 0.88,
    ("animal_part", "cat"): 0.89,
    ("animal_part", "cattle"): 0.87,
    ("animal_part", "dog"): 0.87,
    ("animal_part", "horse"): 0.86,
    ("animal_part", "sheep"): 0.88,
    ("animal_part", "6 categories"): 0.8593,
    ("cub", "bird"): 0.9579,
}
# Errors of VGG-16; the paper gives one average over its single animals.
_PAPER_ERROR = {
    ("animal_part", "6 categories"): (0.0203, 0.0217, 0.0249),
    ("cub", "bird"): (0.0109, 0.0604, 0.0090),
}
_SINGLE_ERROR = (0.0134, 0.0612, 0.0176)
_ERROR_ROWS = ("performer", "explainer", "explainer+cls")


def add_layer_rows(
    results: Results,
    explained: ExplainedTask,
    row: str,
    measured: Sequence[FilterMeasurement],
) -> None:
    """Add what the filters of one layer do, measured once a seed.

    Args:
        results: Where to.
        explained: The task.
        row: `kind/backbone/category`.
        measured: One a seed.
    """
    kind = row.split("/")[0]
    known = _PAPER_INSTABILITY.get((results.data, explained.name))
    paper = None
    if known and kind in _INSTABILITY_ROWS:
        paper = known[_INSTABILITY_ROWS.index(kind)]
    for figures in zip(*(one.rows(row) for one in measured), strict=True):
        metric = figures[0]["metric"]
        results.add(
            "1",
            row,
            metric,
            [figure["value"] for figure in figures],
            n=figures[0]["n"],
            paper_value=paper if metric == "location_instability" else None,
            baseline_constant=mean_of(figures, "baseline_constant"),
            baseline_random=mean_of(figures, "baseline_random"),
        )


def add_error(
    results: Results, explained: ExplainedTask, row: str, errors: Sequence[float]
) -> None:
    """Add the classification error of the performer or of an explainer."""
    kind = row.split("/")[0]
    paper = None
    if kind in _ERROR_ROWS and results.data != "synthetic_parts":
        single = _SINGLE_ERROR if explained.task.categories == 1 else (None,) * 3
        known = _PAPER_ERROR.get((results.data, explained.name), single)
        paper = known[_ERROR_ROWS.index(kind)]
    tested = int((~explained.task.is_train).sum())
    results.add("3", row, "error", errors, n=tested, paper_value=paper)


def add_explainer_rows(
    results: Results,
    explained: ExplainedTask,
    row: str,
    figures: Sequence[ExplainerFigures],
) -> None:
    """Add all figures of one kind of explainer on one task, one a seed."""
    add_layer_rows(results, explained, row, [one.measured for one in figures])
    tested = int((~explained.task.is_train).sum())
    paper = None
    if row.startswith("explainer/"):
        paper = _PAPER_P.get((results.data, explained.name))
    results.add("2", row, "p", [one.p for one in figures], n=tested, paper_value=paper)
    for metric in ("masked_share", "score_share", "dead_filters"):
        values = [getattr(one, metric) for one in figures]
        results.add("2", row, metric, values, n=tested)
    add_error(results, explained, row, [one.error for one in figures])
    results.add("3", row, "agreement", [one.agreement for one in figures], n=tested)
    for name in figures[0].missing:
        values = [one.missing[name] for one in figures]
        results.add("3", row, f"missing_{name}", values, n=tested)
