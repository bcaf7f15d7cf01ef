"""Rows of table 1, and the differences between its variants seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.reproduce._results import Results
from keras_interp.reproduce.interpnet._variants import DECODINGS

# Table 1, 200 species of CUB: METEOR, BLEU, CIDEr and accuracy.
PAPER: dict[str, tuple[float | None, ...]] = {
    "InterpNet_0": (35.0, 55.6, 68.3, 0.813),
    "InterpNet_1": (36.1, 58.7, 73.5, 0.815),
    "InterpNet_2": (37.9, 62.3, 82.1, 0.79),
    "InterpNet_3": (31.7, 47.3, 54.3, 0.767),
    "captioning": (32.2, 48.2, 55.5, 0.813),
    "GVE": (29.2, None, 56.7, None),
}
# The paper's METEOR is the mean of the segments.
PAPER_METRICS = ("meteor_segments", "bleu", "cider", "accuracy")
METRICS = (
    "accuracy",
    "bleu",
    "meteor",
    "meteor_segments",
    "cider",
    "cider_d",
    "validation_loss",
    "distinct_sentences",
    "cider_swap_class",
    "cider_swap_any",
    "class_similarity",
    "class_rank",
    "best_epoch",
    "epochs",
)
LOOKUPS = ("class_lookup", "class_evidence")
DESCRIBERS = ("fixed_sentence", *LOOKUPS, "human", "random")
SCORES = ("bleu", "meteor", "meteor_segments", "cider", "cider_d")
CLASS_SCORES = ("class_similarity", "class_rank")
# The row whose classifier the class lookup asks; that of GVE is the same.
LOOKUP = "InterpNet_1"
COMPARED = ("InterpNet_0", "InterpNet_1", "InterpNet_2", "InterpNet_3")


def add_rows(
    results: Results, found: dict[str, list[dict[str, Any]]], images: int
) -> None:
    """Add the rows of the variants with both decodings, and those of the describers.

    Args:
        results: Takes the rows.
        found: By row what was measured, for each seed.
        images: How many were scored.
    """
    describers = found["describers"]
    fixed, random = (
        _mean_scores([one[name] for one in describers])
        for name in ("fixed_sentence", "random")
    )
    baselines = {"baseline_constant": fixed, "baseline_random": random}
    for name, paper in PAPER.items():
        known = dict(zip(PAPER_METRICS, paper, strict=True))
        known["meteor"] = known["meteor_segments"]
        measured = found.get(name, [])
        _add_decoder(
            results,
            name,
            measured,
            images if measured else None,
            known if results.data == "cub" else {},
            baselines,
        )
    for name in _ablations(found):
        passed = [one["ablations"][name] for one in found["GVE"]]
        _add_decoder(results, f"GVE {name}", passed, images, {}, baselines)
    for name in DESCRIBERS:
        values = [one[name] for one in describers if name in one]
        if name in LOOKUPS:
            values = _lookups(found, name)
        for metric in (*SCORES, *CLASS_SCORES, "distinct_sentences"):
            measured_values = [one.get(metric) for one in values]
            results.add("1", name, metric, measured_values, n=images)
    _add_differences(results, found, images)


def _add_decoder(
    results: Results,
    name: str,
    measured: Sequence[dict[str, Any]],
    images: int | None,
    known: dict[str, float | None],
    baselines: dict[str, dict[str, float]],
) -> None:
    """Add the figures of a decoder, for each way of decoding that was measured.

    Args:
        results: Takes the rows.
        name: Of the row.
        measured: For each seed.
        images: How many were scored.
        known: By metric what the paper says.
        baselines: By name of the baseline its figure by metric.
    """
    for place, behind in DECODINGS.items():
        if place != "figures" and not (measured and place in measured[0]):
            continue
        for metric in METRICS:
            results.add(
                "1",
                name + behind,
                metric,
                [one[place].get(metric) for one in measured],
                n=images,
                paper_value=known.get(metric) if place == "figures" else None,
                **{key: figures.get(metric) for key, figures in baselines.items()},
            )


def _ablations(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Those of GVE that were measured."""
    passed = [one["ablations"] for one in found.get("GVE", [])]
    return list(passed[0]) if passed else []


def _lookups(
    found: dict[str, list[dict[str, Any]]], lookup: str
) -> list[dict[str, float]]:
    """Scores of a lookup by class, from the row of whose classifier most seeds are."""
    rows = [
        [one[lookup] for one in found.get(name, []) if lookup in one]
        for name in ("GVE", LOOKUP)
    ]
    return max(rows, key=len)


def paired_difference(
    one: Sequence[dict[str, Any]],
    other: Sequence[dict[str, Any]],
    place: str,
    metric: str,
) -> tuple[float, float, int]:
    """Mean and standard deviation, over the seeds that both have, and their number."""
    values = _differences(one, other, place, metric)
    spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return float(values.mean()), spread, len(values)


def _differences(
    one: Sequence[dict[str, Any]],
    other: Sequence[dict[str, Any]],
    place: str,
    metric: str,
) -> np.ndarray:
    # The last seed of one may not be finished.
    pairs = zip(one, other, strict=False)
    return np.array([a[place][metric] - b[place][metric] for a, b in pairs])


def _add_differences(
    results: Results, found: dict[str, list[dict[str, Any]]], images: int
) -> None:
    for place, where in (
        ("figures", "differences"),
        ("beam", "differences, beam"),
        ("consensus", "differences, consensus"),
        ("self_critical", "differences, self-critical"),
    ):
        for name in COMPARED:
            if not (found.get(name) and found.get("captioning")):
                continue
            for metric in (*SCORES, "validation_loss"):
                values = _differences(found[name], found["captioning"], place, metric)
                results.add(
                    "differences",
                    f"{name}-captioning/{where}",
                    metric,
                    values.tolist(),
                    n=images,
                )


def _mean_scores(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    return {
        name: float(np.mean([one[name] for one in figures]))
        for name in (*SCORES, *CLASS_SCORES)
        if all(name in one for one in figures)
    }
