"""Nodes beside filters, and parts found by nodes beside fixed places."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from keras_interp.graphs import (
    ExplanatoryGraph,
    InferredNodes,
    PartLocator,
    node_instability,
)
from keras_interp.graphs.explanatory._node_instability import strongest_nodes
from keras_interp.metrics import (
    hit_gain,
    location_instability,
    positions_and_scores,
    tracking,
)
from keras_interp.reproduce.explanatory_graph._task import GraphTask

SHOTS = (1, 2, 3)
# Draws of annotated pictures, so that the figure is not one of lucky ones.
DRAWS = 5
# A landmark of fewer test pictures has no figure.
_LEAST_IMAGES = 10


@dataclasses.dataclass(frozen=True)
class UnitFigures:
    """What was measured on the strongest filters, or nodes, of a layer.

    Attributes:
        values: Figure by the name of the metric.
        constant: What the best constant place scores, by metric.
        random: What random places score, by metric.
        n: Pictures that were scored.
    """

    values: dict[str, float]
    constant: dict[str, float]
    random: dict[str, float]
    n: int


def measure_layers(
    task: GraphTask, nodes: InferredNodes
) -> dict[str, dict[str, UnitFigures]]:
    """Figures of `"filters"` and `"nodes"` of each layer.

    Args:
        task: Pictures and maps.
        nodes: The graph's nodes in all pictures of the task.
    """
    found: dict[str, dict[str, UnitFigures]] = {"filters": {}, "nodes": {}}
    for name, maps in task.maps.items():
        positions, scores = positions_and_scores(maps, task.fields[name])
        found["filters"][name] = _figures(task, positions, scores)
        own = nodes.of_layer(name)
        found["nodes"][name] = _figures(
            task, nodes.located[:, own], nodes.strengths[:, own]
        )
    return found


def random_places(task: GraphTask, seed: int) -> UnitFigures:
    """The same figures of filters that fire at random places."""
    rng = np.random.default_rng(seed)
    height, width = task.dataset.image_size
    positions = rng.uniform(0, (width, height), (len(task.dataset), 32, 2))
    return _figures(task, positions, rng.random(positions.shape[:2]))


def _figures(task: GraphTask, positions: np.ndarray, scores: np.ndarray) -> UnitFigures:
    """Units are chosen by their strength where the graph is learnt."""
    learns, size = task.learns, task.dataset.image_size
    kept = strongest_nodes(scores[learns])
    positions, scores = positions[:, kept], scores[:, kept]
    landmarks = task.dataset.landmarks
    stable = landmarks[:, task.instability_landmarks][~learns]
    tested = positions[~learns], scores[~learns]
    top20 = node_instability(*tested, stable, size)
    usual = location_instability(*tested, stable, size)
    followed = tracking(positions, scores, landmarks, size, choose_on=learns)
    hits = hit_gain(positions, scores, landmarks, size, choose_on=learns)
    return UnitFigures(
        {
            "location_instability": usual.value,
            "location_instability_top20": top20.value,
            "tracking": followed.value,
            "hit_gain": hits.value,
            "part_detectors": float(
                ((followed.per_filter > 0.2) & (hits.per_filter > 0.1)).mean()
            ),
        },
        {
            "location_instability": usual.baseline_constant,
            "location_instability_top20": top20.baseline_constant,
            "tracking": 0.0,
            "hit_gain": 0.0,
        },
        {
            "location_instability": usual.baseline_random,
            "location_instability_top20": top20.baseline_random,
        },
        int((~learns).sum()),
    )


@dataclasses.dataclass(frozen=True)
class LocalizationFigures:
    """Mean error of part localisation, as a share of the diagonal.

    Attributes:
        part: Name of the landmark.
        errors: By number of annotated pictures, one of each draw.
        mean_errors: The same of the mean place of the annotated pictures.
        best_mean: Error of the mean place of all pictures that are no test pictures.
        random: Error of random places.
        n: Test pictures that show the part.
    """

    part: str
    errors: dict[int, list[float]]
    mean_errors: dict[int, list[float]]
    best_mean: float
    random: float
    n: int


def measure_localization(
    task: GraphTask, nodes: InferredNodes, seed: int, focus: float | None = None
) -> list[LocalizationFigures]:
    """Errors of parts found by nodes, from one to three annotated pictures.

    Each draw takes annotated pictures that show the part out of those the graph is
    learnt from; errors are on the test pictures that show it.
    """
    rng = np.random.default_rng(seed)
    landmarks, diagonal = task.dataset.landmarks, np.hypot(*task.dataset.image_size)
    known = np.isfinite(landmarks).all(axis=-1)
    found = []
    for part, name in enumerate(task.dataset.landmark_names):
        places = landmarks[:, part].astype("float64")
        usable = np.flatnonzero(known[:, part] & task.learns)
        tested = np.flatnonzero(known[:, part] & ~task.learns)
        if len(tested) < _LEAST_IMAGES or len(usable) < max(SHOTS):
            continue
        others, truth = _some(nodes, tested), places[tested]
        errors, means = {}, {}
        for shots in SHOTS:
            draws = [rng.choice(usable, shots, replace=False) for _ in range(DRAWS)]
            guesses = [
                PartLocator(focus=focus)
                .fit(_some(nodes, draw), places[draw, None])
                .predict(others)[:, 0]
                for draw in draws
            ]
            errors[shots] = [_error(guess, truth, diagonal) for guess in guesses]
            means[shots] = [
                _error(places[draw].mean(axis=0), truth, diagonal) for draw in draws
            ]
        height, width = task.dataset.image_size
        anywhere = rng.uniform(0, (width, height), (len(tested), 2))
        found.append(
            LocalizationFigures(
                name,
                errors,
                means,
                _error(places[usable].mean(axis=0), truth, diagonal),
                _error(anywhere, truth, diagonal),
                len(tested),
            )
        )
    return found


def _error(guess: np.ndarray, truth: np.ndarray, diagonal: float) -> float:
    """Mean distance as a share of the diagonal."""
    return float(np.nanmean(np.linalg.norm(guess - truth, axis=-1)) / diagonal)


def learn(
    task: GraphTask, graph: ExplanatoryGraph, checkpoint: Path | None = None
) -> InferredNodes:
    """Learn a graph from the pictures that are no test pictures, and find it in all."""
    learns = task.learns
    maps = {name: array[learns] for name, array in task.maps.items()}
    graph.fit_maps(maps, task.fields, task.dataset.image_size, checkpoint=checkpoint)
    return graph.infer_maps(task.maps)


def _some(nodes: InferredNodes, rows: np.ndarray) -> InferredNodes:
    return dataclasses.replace(
        nodes, positions=nodes.positions[rows], strengths=nodes.strengths[rows]
    )
