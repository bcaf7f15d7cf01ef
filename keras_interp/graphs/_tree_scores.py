"""How well a decision tree stands for its network, at several depths."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.graphs._mode_vectors import ModeVectors
from keras_interp.graphs._parse_tree import by_named_part, membership
from keras_interp.graphs._tree_structure import TreeStructure
from keras_interp.metrics._peaks import to_numpy


@dataclasses.dataclass(frozen=True)
class Baselines:
    """What is reached without a tree.

    Args:
        constant: by an answer that is the same for all: the commoner class, the mean
            score, or equal shares of the predicted score for all filters.
        random: by answers of other images, or of other filters.
    """

    constant: float
    random: float


@dataclasses.dataclass(frozen=True)
class DecisionTreeScores:
    """Result of `DecisionTree.measure`; an entry for each depth, NaN where unknown.

    Attributes:
        depths: steps from the root; `None` is the end.
        nodes: int, different nodes that the images end in.
        accuracy: share of the images whose sign of h is that of their label.
        network_accuracy: of the network's score, a number.
        prediction_error: `E|h(x_i) - y_i| / (max y - min y)`, in units of the score.
        fitness: mean over images of `sum_d min(rho_d, |t_d|) / sum_d max(rho_d, |t_d|)`
            with t = g o x and rho that of the node where it has the sign of t, else 0.
        part_error: `E|rho_m - rho*_m| / E[y]` over images and parts, rho* what the
            score loses without the part's filters; `E[y]` is over images of the class.
        baselines: by the name of a figure its `Baselines`.
        n: images.
    """

    depths: tuple[int | None, ...]
    nodes: np.ndarray
    accuracy: np.ndarray
    network_accuracy: float
    prediction_error: np.ndarray
    fitness: np.ndarray
    part_error: np.ndarray
    baselines: dict[str, Baselines]
    n: int

    def table(self) -> str:
        """The figures as a Markdown table, the baselines in the last rows."""
        names = ("accuracy", "prediction_error", "fitness", "part_error")
        words = [name.replace("_", " ") for name in names]
        lines = ["| depth | nodes | " + " | ".join(words) + " |", "|---|" + "---:|" * 5]
        for row, depth in enumerate(self.depths):
            cells = [_cell(getattr(self, name)[row]) for name in names]
            place = "end" if depth is None else str(depth)
            lines.append(f"| {place} | {self.nodes[row]} | " + " | ".join(cells) + " |")
        network = [_cell(self.network_accuracy), _cell(0.0), _cell(1.0), ""]
        lines.append("| network | | " + " | ".join(network) + " |")
        for kind in ("constant", "random"):
            cells = [
                _cell(getattr(self.baselines[name], kind))
                if name in self.baselines
                else ""
                for name in names
            ]
            lines.append(f"| {kind} | | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def _cell(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""


def last_nodes(
    structure: TreeStructure,
    known: ModeVectors,
    depth: int | None,
    nodes: int | None = None,
) -> np.ndarray:
    """int `(N,)`, the node that each image comes to."""
    path = structure.descend(known.gradients, depth, nodes)
    last = (path >= 0).sum(axis=1) - 1
    return path[np.arange(len(path)), last]


def heights(
    structure: TreeStructure, known: ModeVectors, nodes: np.ndarray
) -> np.ndarray:
    """h of each image at its node, in units of the score; NaN without a gradient."""
    found = np.einsum("nf,nf->n", known.vectors, structure.weights[nodes])
    found = (found + structure.bias[nodes]) * known.lengths
    return np.where(known.lengths > 0.0, found, np.nan)


def tree_scores(
    structure: TreeStructure,
    known: ModeVectors,
    scores: np.ndarray,
    depths: Sequence[int | None],
    *,
    positive: np.ndarray | None,
    part_effects: Any,
    filter_parts: np.ndarray | None,
    part_names: Sequence[str],
    constant: float | None,
    seed: int,
) -> DecisionTreeScores:
    """See `DecisionTree.measure`, whose arguments these are."""
    random = np.random.default_rng(seed)
    effects = _check_effects(part_effects, len(scores), filter_parts, part_names)
    usable = known.lengths > 0.0
    truth = known.vectors * known.gradients * known.lengths[:, None]
    spread = max(float(np.ptp(scores)), 1e-12)
    unit = float(np.mean(scores[positive] if positive is not None else scores))
    figures: dict[str, list[float]] = {name: [] for name in _FIGURES}
    numbers = []
    rho = np.zeros_like(truth)
    for depth in depths:
        at = last_nodes(structure, known, depth)
        numbers.append(len(np.unique(at[usable])))
        h = heights(structure, known, at)
        rho = structure.weights[at] * known.vectors * known.lengths[:, None]
        figures["accuracy"].append(
            np.nan if positive is None else float(np.mean((h > 0) == positive))
        )
        error = np.abs(h - scores)[usable]
        figures["prediction_error"].append(float(error.mean()) / spread)
        figures["fitness"].append(fitness(rho[usable], truth[usable]))
        if effects is not None:
            parts = by_named_part(rho, filter_parts, part_names)[1][:, :-1]
            error = np.abs(parts - effects)[usable]
            figures["part_error"].append(float(error.mean()) / unit)
        else:
            figures["part_error"].append(np.nan)
    baselines = {
        "prediction_error": Baselines(
            float(np.mean(np.abs(scores - _or_mean(constant, scores)))) / spread,
            float(np.mean(np.abs(scores - random.permutation(scores)))) / spread,
        ),
        "fitness": Baselines(
            fitness(_equal_shares(truth)[usable], truth[usable]),
            fitness(random.permutation(rho, axis=1)[usable], truth[usable]),
        ),
    }
    if positive is not None:
        share = float(np.mean(positive))
        drawn = random.permutation(positive)
        baselines["accuracy"] = Baselines(
            max(share, 1 - share), float(np.mean(drawn == positive))
        )
    if effects is not None and filter_parts is not None:
        members = membership(filter_parts, len(part_names))[:, :-1]
        equal = scores[:, None] * members.mean(axis=0)
        drawn = random.permutation(rho, axis=1) @ members
        baselines["part_error"] = Baselines(
            float(np.abs(equal - effects)[usable].mean()) / unit,
            float(np.abs(drawn - effects)[usable].mean()) / unit,
        )
    return DecisionTreeScores(
        depths=tuple(depths),
        nodes=np.array(numbers),
        network_accuracy=np.nan
        if positive is None
        else float(np.mean((scores > 0) == positive)),
        baselines=baselines,
        n=int(usable.sum()),
        **{name: np.array(values) for name, values in figures.items()},
    )


_FIGURES = ("accuracy", "prediction_error", "fitness", "part_error")


def fitness(contributions: np.ndarray, truth: np.ndarray) -> float:
    """Mean over images of the shared size of contributions over their joint size."""
    size = np.abs(truth)
    same = np.maximum(contributions * np.sign(truth), 0.0)
    union = np.maximum(same, size).sum(axis=1)
    shared = np.minimum(same, size).sum(axis=1)
    # Two images without a contribution agree.
    return float(
        np.where(union > 0.0, shared / np.where(union > 0, union, 1), 1).mean()
    )


def _equal_shares(truth: np.ndarray) -> np.ndarray:
    """The sum of all contributions, divided evenly among the filters."""
    return np.broadcast_to(truth.mean(axis=1, keepdims=True), truth.shape)


def _or_mean(constant: float | None, scores: np.ndarray) -> float:
    return float(scores.mean()) if constant is None else float(constant)


def _check_effects(
    effects: Any,
    count: int,
    filter_parts: np.ndarray | None,
    part_names: Sequence[str],
) -> np.ndarray | None:
    if effects is None:
        return None
    if filter_parts is None:
        raise ValueError(
            "Expected filters with names of parts. Received: part_effects without. "
            "Call tree.name_parts first."
        )
    found = to_numpy(effects).astype("float64")
    if found.shape != (count, len(part_names)) or not np.isfinite(found).all():
        raise ValueError(
            f"Expected part_effects of shape {(count, len(part_names))}, finite. "
            f"Received: part_effects of shape {found.shape}. Pass what "
            "ki.graphs.part_effects gives for the same images."
        )
    return found
