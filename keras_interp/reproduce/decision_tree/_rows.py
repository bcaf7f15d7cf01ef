"""Rows of the decision tree's tables, and how a tree is measured for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp import graphs, metrics, plotting
from keras_interp.graphs import DecisionTree, DecisionTreeScores
from keras_interp.reproduce._results import Results
from keras_interp.reproduce.decision_tree._networks import ReadNetwork, TreeTask

# Steps from the root: the paper's 2nd, 5th, 10th, 50th and 100th layer, the end, and
# the root's one mode for all.
DEPTHS = (0, 1, 4, 9, 49, 99, None)
LAST = "leaf"
_FIGURES = ("accuracy", "prediction_error", "fitness", "part_error")


@dataclasses.dataclass(frozen=True)
class MeasuredTree:
    """One network, its tree and their figures on the test images.

    Attributes:
        tree: With the parts' names.
        scores: At every depth.
        part_coverage: Effective number of parts that the named filters follow.
        named: Share of the filters with a name.
    """

    tree: DecisionTree
    scores: DecisionTreeScores
    part_coverage: float
    named: float


def measure_tree(known: TreeTask, network: ReadNetwork, seed: int) -> MeasuredTree:
    """Grow a tree on the training images and measure it on the test images.

    Args:
        known: Task and inputs.
        network: Trained on it.
        seed: Of the tree.
    """
    task, modes, names = known.task, network.modes, network.names
    train, labels = task.is_train, task.targets
    # Parts without a filter have nothing to add and nothing to lose.
    used = np.unique(names.part[names.part >= 0])
    places = np.searchsorted(used, names.part)
    parts = np.where(names.part >= 0, places, -1)
    words = [names.part_names[one] for one in used]
    effects = None
    if len(used):
        effects = graphs.part_effects(
            network.model,
            known.values[~train],
            known.layer,
            parts,
            len(used),
            batch_size=64,
        )
    tree = DecisionTree(known.layer, 0, seed=seed)
    tree.fit_modes(modes.take(train), labels[train])
    tree.name_parts(parts, words)
    scores = tree.measure(
        modes.take(~train),
        labels[~train],
        DEPTHS,
        part_effects=effects,
        constant=float(modes.scores[train].mean()),
    )
    return MeasuredTree(
        tree, scores, metrics.part_coverage(parts), float(np.mean(parts >= 0))
    )


def add_rows(results: Results, place: str, measured: Sequence[MeasuredTree]) -> None:
    """Add the figures of one kind of network on one task.

    Args:
        results: Where to.
        place: Backbone and category, and the kind of network where there are several.
        measured: One a seed.
    """
    first = measured[0].scores
    accuracy = [one.scores.network_accuracy for one in measured]
    cnn = f"cnn/{place}"
    results.add("tree", cnn, "accuracy", accuracy, n=first.n, **_baselines(measured, 0))
    for metric in ("part_coverage", "named"):
        values = [getattr(one, metric) for one in measured]
        results.add("tree", cnn, metric, values, n=None)
    for at, depth in enumerate(DEPTHS):
        name = LAST if depth is None else str(depth)
        row = f"tree@{name}/{place}"
        for number, metric in enumerate(_FIGURES):
            results.add(
                "tree",
                row,
                metric,
                [getattr(one.scores, metric)[at] for one in measured],
                n=first.n,
                **_baselines(measured, number),
            )
        nodes = [float(one.scores.nodes[at]) for one in measured]
        results.add("tree", row, "nodes", nodes, n=first.n)


def _baselines(
    measured: Sequence[MeasuredTree], figure: int
) -> dict[str, float | None]:
    """What is reached without a tree, on average over the seeds."""
    name = _FIGURES[figure]
    known = [one.scores.baselines.get(name) for one in measured]
    found = [one for one in known if one is not None]
    if not found:
        return {}
    return {
        "baseline_constant": float(np.mean([one.constant for one in found])),
        "baseline_random": float(np.mean([one.random for one in found])),
    }


def draw_tree(
    known: TreeTask,
    network: ReadNetwork,
    measured: MeasuredTree,
    folder: Path,
    name: str,
) -> None:
    """Write the tree, and the way of a test image through it.

    Args:
        known: Task and inputs.
        network: That was read.
        measured: Its tree.
        folder: Where to; made where it is missing.
        name: What the names of the files begin with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    task, tree = known.task, measured.tree
    images = task.dataset.images
    axes = plotting.decision_tree(tree, images[task.is_train])
    _save(axes, folder / f"{name}_tree.png")
    # The test object of median score: no chosen example.
    rows = np.flatnonzero(~task.is_train & (task.targets > 0))
    rows = rows[np.argsort(network.modes.scores[rows], kind="stable")]
    row = rows[len(rows) // 2]
    parse = tree.parse(network.modes.take([row]))
    axes = plotting.parse_path(parse, images[row])
    _save(axes, folder / f"{name}_parse.png")


def _save(axes: Any, path: Path) -> None:
    axes.figure.savefig(path, dpi=100)
