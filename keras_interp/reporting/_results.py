"""Rows of `results.json`, as measured, as tables and as bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._progress import batches
from keras_interp.reporting._page import ReportBars, ReportTable
from keras_interp.reporting._words import METRICS, metric_words

Row = Mapping[str, Any]

_BASELINES = (
    ("baseline_constant", "best constant"),
    ("baseline_random", "random"),
)
_ENDS = ("low", "high")
_CAPTION = "↑ higher is better, ↓ lower is better, – not measured."
_OF_BASELINES = (
    " Best constant: a filter that always fires at one place; random: one that fires "
    "anywhere."
)


def results_tables(rows: Sequence[Row]) -> list[ReportTable]:
    """Sets the networks of `results.json` beside each other.

    Rows named `ordinary` and `interpretable` become the columns of one table with a
    line for each metric. Where names go on behind a slash (`ordinary/squeezenet/dog`),
    each metric has a table of its own with a line for each such ending. The paper's
    values and the two baselines stand in columns of their own where there are any.

    Example:

    ```python
    import json, pathlib

    results = json.loads(pathlib.Path("results.json").read_text())
    tables = ki.reporting.results_tables(results["rows"])
    ```

    Args:
        rows: dicts with `row`, `metric` and `value`, and where known `paper_value`,
            `baseline_constant`, `baseline_random` and `spread` (over seeds). The values
            of `x_low` and `x_high` stand in brackets behind that of the metric `x`.

    Returns:
        The tables, none where there are no rows.

    Raises:
        ValueError: if a row lacks its name, metric or value.
    """
    for row in rows:
        missing = {"row", "metric", "value"} - set(row)
        if missing:
            raise ValueError(
                "Expected each row of results with row, metric and value. Received: "
                f"{dict(row)}, which lacks {sorted(missing)}. Add them, None for a "
                "value that was not measured."
            )
    rows = with_intervals(rows)
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
    """Sets location instability beside that of filters that look at nothing.

    Example:

    >>> from keras_interp.reporting import instability_bars
    >>> row = {"row": "net", "metric": "location_instability", "value": 0.05}
    >>> bars = instability_bars([row | {"baseline_constant": 0.06}])
    >>> bars.labels, bars.measured
    (['net', 'best constant'], [True, False])

    Args:
        rows: dicts with `row`, `metric` and `value`, and where known
            `baseline_constant` and `baseline_random`; rows of other metrics are passed
            over.

    Returns:
        Bars of the networks, of the best constant and of the random filter, or `None`
        where location instability was not measured.

    Raises:
        ValueError: if a value is negative.
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


def with_intervals(rows: Sequence[Row]) -> list[Row]:
    """Rows `x` with the `interval` that rows `x_low` and `x_high` give the ends of."""
    values = {(row["row"], row["metric"]): row["value"] for row in rows}
    found = []
    for row in rows:
        name, metric = row["row"], row["metric"]
        owner, _, end = metric.rpartition("_")
        if end in _ENDS and (name, owner) in values:
            continue
        ends = [values.get((name, f"{metric}_{one}")) for one in _ENDS]
        known = None not in ends
        found.append({**row, "interval": ends} if known else row)
    return found


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
    caption += _OF_BASELINES if baselines else ""
    return ReportTable([*columns, *(label for _, label in baselines)], texts, caption)


def _cell(row: Row | None, key: str) -> str:
    if row is None:
        return "–"
    words = metric_words(row["metric"])
    if key != "value":
        return words.text(row.get(key))
    text = words.text(row.get(key), row.get("spread"))
    if "interval" in row:
        text += f" [{', '.join(map(words.text, row['interval']))}]"
    return text


def _baseline(rows: Sequence[Row], key: str) -> str:
    """The baseline of a line; of several networks, the first that has it."""
    known = [row for row in rows if row.get(key) is not None]
    return metric_words(known[0]["metric"]).text(known[0][key]) if known else ""


def accuracy_rows(
    name: str,
    model: keras.Model,
    dataset: PartsDataset,
    labels: Any,
    *,
    batch_size: int,
    preprocess: Callable[[np.ndarray], Any] | None,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """The accuracy on the test images as a row of `results.json`.

    Args:
        name: the row's name.
        model: the model.
        dataset: images with a split `"test"`.
        labels: int `(N,)`; `None` takes those of the dataset, where the model has an
            output for each class.
        batch_size: images at a time.
        preprocess: applied to each batch of images before the model, or `None`.
        verbose: 1 shows a progress bar.

    Returns:
        One row; none where the accuracy on images that were not trained on cannot be
        told.
    """
    labels = labels_for(
        model, len(dataset), labels, dataset.labels, dataset.class_names
    )
    test = np.flatnonzero(np.asarray(dataset.split) == "test")
    if labels is None or not len(test):
        return []
    images = dataset.images[test]
    return [
        accuracy_row(name, model, images, labels[test], batch_size, preprocess, verbose)
    ]


def labels_for(
    model: keras.Model,
    count: int,
    labels: Any,
    own: np.ndarray | None,
    class_names: Sequence[str] | None = None,
) -> np.ndarray | None:
    """What a model should say about images, `None` where that is not known.

    Args:
        model: the model.
        count: number of images.
        labels: what the caller gave, int `(N,)` or one-hot, or `None`.
        own: labels that came with the images, or `None`.
        class_names: names of the classes of `own`, where they have names.
    """
    outputs = outputs_of(model)
    if labels is None:
        if own is None or (class_names is not None and outputs != len(class_names)):
            return None
        labels = own
    wanted = to_numpy(labels)
    wanted = wanted.reshape(len(wanted), -1) if wanted.ndim else wanted.reshape(1, 1)
    wanted = wanted[:, 0] if wanted.shape[1] == 1 else wanted.argmax(axis=1)
    if len(wanted) != count:
        raise ValueError(
            f"Expected labels as one label for each of the {count} images. Received: "
            f"{len(wanted)} labels. Leave labels out where they are not known."
        )
    return None if outputs is None else wanted


def scores_of(
    model: keras.Model,
    images: np.ndarray,
    batch_size: int,
    preprocess: Callable[[np.ndarray], Any] | None,
    verbose: int,
    words: str = "What the model says of the images",
) -> np.ndarray:
    """What a model gives for images, a row for each."""
    found = []
    for chunk in batches(len(images), batch_size, verbose, words):
        values = images[chunk] if preprocess is None else preprocess(images[chunk])
        found.append(to_numpy(model.predict_on_batch(values)))
    return np.concatenate(found)


def accuracy_row(
    name: str,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    preprocess: Callable[[np.ndarray], Any] | None,
    verbose: int,
) -> dict[str, Any]:
    """The accuracy on images with known labels `(N,)` as a row of `results.json`."""
    words = f"Accuracy of {model.name!r} on {len(images):,} images"
    values = scores_of(model, images, batch_size, preprocess, verbose, words)
    return accuracy_of_scores(name, model, values, labels)


def accuracy_of_scores(
    name: str, model: keras.Model, scores: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """The accuracy of what a model gave, as a row of `results.json`."""
    if outputs_of(model) == 1:
        right = (scores.reshape(-1) > threshold_of(model)) == (labels > 0)
    else:
        right = scores.argmax(axis=-1) == labels
    return {
        "table": "classification",
        "row": name,
        "metric": "accuracy",
        "value": float(right.mean()),
        "paper_value": None,
        "baseline_constant": None,
        "baseline_random": None,
        "n": len(scores),
    }


def outputs_of(model: keras.Model) -> int | None:
    """Classes that a model tells apart; `None` where it does not classify images."""
    shape = model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 2:
        return None
    return shape[-1]


def threshold_of(model: keras.Model) -> float:
    """Where a single output changes its mind: 0.5 of a sigmoid, 0 of a raw score."""
    last: Any = model
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    activation = getattr(last, "activation", None)
    return 0.5 if activation is keras.activations.sigmoid else 0.0
