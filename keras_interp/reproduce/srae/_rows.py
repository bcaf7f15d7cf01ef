"""Rows of table 1, and the differences between its columns class by class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_interp.reproduce._results import Results
from keras_interp.reproduce.srae._measurement import (
    CONTRASTIVE,
    MODULES,
    ClassFigures,
    Measured,
    means,
)

# Table 1: VGG-19, 30 species of CUB.
PAPER_LOCALITY = {
    "SRAE": 1.9694,
    "NN": 2.3078,
    "SAE": 2.1492,
    "Z": 1.9623,
    "ExcitationBP": 2.4934,
}
PAPER_FAITHFULNESS = {
    "SRAE": (0.0831, 0.1539),
    "NN": (0.0657, 0.1170),
    "SAE": (0.0987, 0.1928),
}
# What is compared with SRAE: the order that the paper's table shows.
COMPARED = ("SAE", "NN", "ExcitationBP", CONTRASTIVE, "Z")
_FIGURES = [field.name for field in dataclasses.fields(ClassFigures)]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Mean difference of two explanations of the same classes, with its interval.

    Attributes:
        mean: Of the one less the other.
        low: Lower end of the 95 % interval of Student's t over the classes.
        high: Upper end.
        positive: Share of the classes with a difference above 0.
        count: Number of classes, of all seeds.
    """

    mean: float
    low: float
    high: float
    positive: float
    count: int


def difference(
    one: Sequence[ClassFigures], other: Sequence[ClassFigures], figure: str
) -> Difference:
    """Compare a figure class by class; classes that lack it are left out."""
    from scipy import stats

    pairs = [
        getattr(a, figure) - getattr(b, figure) for a, b in zip(one, other, strict=True)
    ]
    values = np.array(pairs, "float64")
    values = values[np.isfinite(values)]
    if len(values) < 2:
        nothing = float("nan")
        return Difference(nothing, nothing, nothing, nothing, len(values))
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = error * stats.t.ppf(0.975, len(values) - 1)
    mean = float(values.mean())
    share = float((values > 0).mean())
    return Difference(mean, mean - reach, mean + reach, share, len(values))


def add_rows(results: Results, measured: Sequence[Measured]) -> None:
    """Add all rows of one kind of network, measured once for each seed."""
    place, images, tested = measured[0].place, measured[0].images, measured[0].tested
    paper = results.data == "cub" and measured[0].kind == "fc6"
    accuracies = [one.accuracy for one in measured]
    if accuracies[0] is not None:
        results.add("1", f"performer/{place}", "accuracy", accuracies, n=tested)
    first = means(measured[0].figures["SRAE"])
    for kind in measured[0].figures:
        row, by_seed = f"{kind}/{place}", [means(one.figures[kind]) for one in measured]
        for metric in _FIGURES:
            if not np.isfinite(first[metric]) or not np.isfinite(by_seed[0][metric]):
                continue
            constant, random = _baselines(measured, metric)
            results.add(
                "1",
                row,
                metric,
                [one[metric] for one in by_seed],
                n=images,
                paper_value=PAPER_LOCALITY.get(kind)
                if paper and metric == "locality"
                else None,
                baseline_constant=constant,
                baseline_random=random,
            )
    _add_shuffled(results, measured, place, images)
    _add_faithfulness(results, measured, place, paper, tested)
    _add_differences(results, measured, place)


def _baselines(
    measured: Sequence[Measured], metric: str
) -> tuple[float | None, float | None]:
    """The figure of the constant middle cell and of random cells."""
    if not metric.startswith("locality"):
        return None, None
    constant, random = (
        float(np.mean([means(one.figures[kind])[metric] for one in measured]))
        for kind in ("constant_center", "random_cell")
    )
    return constant, random


def _add_shuffled(
    results: Results, measured: Sequence[Measured], place: str, images: int
) -> None:
    """The row `shuffled`: the maps of SRAE against part points of other images."""
    values = [means(one.figures["SRAE"])["shuffled"] for one in measured]
    results.add("1", f"shuffled/{place}", "locality", values, n=images)


def _add_faithfulness(
    results: Results,
    measured: Sequence[Measured],
    place: str,
    paper: bool,
    tested: int,
) -> None:
    for kind in MODULES:
        known = PAPER_FAITHFULNESS[kind] if paper else (None, None)
        for metric, n, paper_value in (
            ("faithfulness_train", measured[0].learnt, known[0]),
            ("faithfulness_test", tested, known[1]),
            ("faithfulness_test_relative", tested, None),
        ):
            row = f"{kind}/{place}"
            values = [one.faithfulness[kind][metric] for one in measured]
            results.add("1", row, metric, values, n=n, paper_value=paper_value)


def _add_differences(
    results: Results, measured: Sequence[Measured], place: str
) -> None:
    """Differences from SRAE over the classes of all seeds."""
    for kind in COMPARED:
        for figure in ("locality", "locality_groups"):
            found = difference(
                [c for one in measured for c in one.figures[kind]],
                [c for one in measured for c in one.figures["SRAE"]],
                figure,
            )
            if not np.isfinite(found.mean):
                continue
            row = f"{kind}-SRAE/{place}"
            for metric, value in (
                (f"{figure}_difference", found.mean),
                (f"{figure}_difference_low", found.low),
                (f"{figure}_difference_high", found.high),
                (f"{figure}_difference_positive", found.positive),
            ):
                results.add("differences", row, metric, [value], n=found.count)
