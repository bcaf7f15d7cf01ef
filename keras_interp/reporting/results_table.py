"""Rows of `results.json` as tables and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_interp.reporting.metric_words import METRICS, metric_words
from keras_interp.reporting.report_bars import ReportBars
from keras_interp.reporting.report_table import ReportTable

Row = Mapping[str, Any]

_BASELINES = (
    ("baseline_constant", "best constant"),
    ("baseline_random", "random"),
)
_CAPTION = (
    "↑ higher is better, ↓ lower is better, – not measured. Best constant: a filter "
    "that always fires at one place; random: one that fires anywhere."
)


def results_tables(rows: Sequence[Row]) -> list[ReportTable]:
    """Sets the networks of `results.json` beside each other.

    Rows named `ordinary` and `interpretable` become the columns of one table with a
    line for each metric. Where names go on behind a slash (`ordinary/squeezenet/dog`),
    each metric has a table of its own with a line for each such ending. The paper's
    values and the two baselines stand in columns of their own where there are any.

    Example:

    ```python
    results = json.loads(pathlib.Path("results.json").read_text())
    tables = results_tables(results["rows"])
    ```

    Args:
        rows: dicts with `row`, `metric` and `value`, and where known `paper_value`,
            `baseline_constant`, `baseline_random` and `spread` (over seeds).

    Returns:
        The tables, none where there are no rows.

    Raises:
        ValueError: if a row lacks its name, metric or value.
    """
    for row in rows:
        missing = {"row", "metric", "value"} - set(row)
        if missing:
            raise ValueError(
                f"a row of results must name {sorted(missing)} too; got {dict(row)}."
            )
    metrics = _in_order(row["metric"] for row in rows)
    if not any("/" in row["row"] for row in rows):
        lines = [(metric_words(m).heading, _of_metric(rows, m)) for m in metrics]
        return [_table("metric", lines, _CAPTION)] if lines else []
    tables = []
    for metric in metrics:
        chosen = _of_metric(rows, metric)
        endings = list(dict.fromkeys(_ending(row) for row in chosen))
        lines = [(e, [row for row in chosen if _ending(row) == e]) for e in endings]
        heading = metric_words(metric).heading
        tables.append(_table(heading, lines, f"{heading}. {_CAPTION}"))
    return tables


def instability_bars(rows: Sequence[Row]) -> ReportBars | None:
    """Draws location instability beside the filters that anybody could build.

    Args:
        rows: as for `results_tables`.

    Returns:
        Bars of the networks, of the best constant and of the random filter, or `None`
        where location instability was not measured.
    """
    chosen = [
        row
        for row in _of_metric(rows, "location_instability")
        if row["value"] is not None
    ]
    if not chosen:
        return None
    labels = [row["row"] for row in chosen]
    values = [float(row["value"]) for row in chosen]
    measured = [True] * len(chosen)
    for key, label in _BASELINES:
        known = [float(row[key]) for row in chosen if row.get(key) is not None]
        if known:
            labels.append(label)
            values.append(sum(known) / len(known))
            measured.append(False)
    return ReportBars(
        labels,
        values,
        measured,
        "Location instability, shorter is better. A network's bar proves something "
        "only where it is clearly shorter than that of the best constant place.",
    )


def _of_metric(rows: Sequence[Row], metric: str) -> list[Row]:
    return [row for row in rows if row["metric"] == metric]


def _in_order(metrics: Any) -> list[str]:
    """The metrics that occur, those that this package knows first and in its order."""
    present = dict.fromkeys(metrics)
    known = [metric for metric in METRICS if metric in present]
    return known + [metric for metric in present if metric not in METRICS]


def _network(row: Row) -> str:
    return row["row"].split("/", 1)[0]


def _ending(row: Row) -> str:
    return row["row"].partition("/")[2]


def _table(
    head: str, lines: Sequence[tuple[str, Sequence[Row]]], caption: str
) -> ReportTable:
    """A line for each name; columns for networks, the paper's values and baselines."""
    everything = [row for _, rows in lines for row in rows]
    networks = list(dict.fromkeys(_network(row) for row in everything))
    in_paper = [
        name
        for name in networks
        if any(
            r.get("paper_value") is not None and _network(r) == name for r in everything
        )
    ]
    baselines = [
        pair
        for pair in _BASELINES
        if any(r.get(pair[0]) is not None for r in everything)
    ]
    texts = []
    for name, rows in lines:
        by_network = {_network(row): row for row in rows}
        cells = [_cell(by_network.get(n), "value") for n in networks]
        cells += [_cell(by_network.get(n), "paper_value") for n in in_paper]
        cells += [_baseline(rows, key) for key, _ in baselines]
        texts.append([name, *cells])
    columns = [head, *networks, *(f"paper: {name}" for name in in_paper)]
    return ReportTable([*columns, *(label for _, label in baselines)], texts, caption)


def _cell(row: Row | None, key: str) -> str:
    if row is None:
        return "–"
    spread = row.get("spread") if key == "value" else None
    return metric_words(row["metric"]).text(row.get(key), spread)


def _baseline(rows: Sequence[Row], key: str) -> str:
    """The baseline of a line; of several networks, the first that has it."""
    known = [row for row in rows if row.get(key) is not None]
    return metric_words(known[0]["metric"]).text(known[0][key]) if known else ""
