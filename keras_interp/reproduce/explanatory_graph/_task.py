"""Pictures of one kind of object, and the maps that a graph is learnt from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import datasets, feature_maps, models
from keras_interp.datasets import AnnotatedImages, PartsDataset
from keras_interp.datasets._registry import find_root
from keras_interp.receptive_fields import ReceptiveField, receptive_field
from keras_interp.reproduce._tasks import (
    CUB_LANDMARKS,
    chosen_names,
    development_split,
)
from keras_interp.reproduce.explainer._task import synthetic_task
from keras_interp.reproduce.explainer._training import (
    TARGET_LAYER,
    TOP_LAYER,
    PerformerRecipe,
    train_performer,
)

SYNTHETIC = "synthetic_parts"
SQUEEZENET_LAYERS = ("fire6", "fire8", "fire9")
SMALL_LAYERS = (TARGET_LAYER, TOP_LAYER)
IMAGES = 300
QUICK_IMAGES = 80
_SIDE = 227


@dataclasses.dataclass(frozen=True)
class GraphTask:
    """One kind of object, seen by a network.

    Attributes:
        name: Such as `"bird"`.
        network: `"squeezenet"`, or `"small"` for the one of drawn images.
        dataset: Pictures that show the object; a graph is learnt from those whose split
            is not `"test"`, without their landmarks.
        maps: Maps of the layers on all of them, from the lowest to the highest.
        fields: Receptive fields of the layers.
        instability_landmarks: Places of the landmarks of location instability.
    """

    name: str
    network: str
    dataset: PartsDataset
    maps: dict[str, np.ndarray]
    fields: dict[str, ReceptiveField]
    instability_landmarks: tuple[int, ...]

    @property
    def learns(self) -> np.ndarray:
        """Bool, the pictures that the graph is learnt from."""
        return np.asarray(self.dataset.split) != "test"


@dataclasses.dataclass(frozen=True)
class GraphPlan:
    """What a run will do: names of the tasks, and a way to get them one by one."""

    names: list[str]
    tasks: Callable[[], Iterator[GraphTask]]


def plan_graphs(
    data: str,
    root: Path | None,
    weights: str | None,
    categories: tuple[str, ...] | None,
    *,
    epochs: int | None,
    quick: bool,
    development: bool,
    seed: int,
) -> GraphPlan:
    """Find the tasks without reading a picture.

    Raises:
        ValueError: For an unknown task.
        FileNotFoundError: Where files are missing.
    """
    if data == SYNTHETIC:
        names = chosen_names(["bird"], categories)
        return GraphPlan(
            names, lambda: iter([_drawn(epochs, quick, development, seed)])
        )
    folder = find_root(data, root)
    if data == "cub":
        every = datasets.open_cub(folder)
        names = chosen_names(["bird"], categories)
    else:
        every = datasets.open_animal_part(folder)
        names = chosen_names(
            [name for name in every.class_names if name != "background"], categories
        )
    path = weights or str(models.find_weights("squeezenet"))
    most = QUICK_IMAGES if quick else IMAGES

    def tasks() -> Iterator[GraphTask]:
        network = models.SqueezeNet(weights=path, include_top=False)
        for name in names:
            whole = data == "cub"
            images = every if whole else every.take_classes([name])
            yield _photographs(name, images, network, most, development)

    return GraphPlan(names, tasks)


def _photographs(
    name: str,
    images: AnnotatedImages,
    network: keras.Model,
    most: int,
    development: bool,
) -> GraphTask:
    is_test = np.asarray(images.split) == "test"
    sides = [np.flatnonzero(~is_test)] if development else []
    sides = sides or [np.flatnonzero(~is_test), np.flatnonzero(is_test)]
    most = 2 * most if development else most
    rows = np.sort(np.concatenate([_spread(side, most) for side in sides]))
    dataset = images.take(rows).load(_SIDE)
    if development:
        dataset = development_split(dataset)
    dataset = _with_landmarks(dataset)
    prepared = models.preprocess_input(dataset.images)
    known = [one for one in CUB_LANDMARKS if one in dataset.landmark_names]
    chosen = known or list(dataset.landmark_names)
    return GraphTask(
        name,
        "squeezenet",
        dataset,
        _maps(network, prepared, SQUEEZENET_LAYERS),
        {layer: receptive_field(network, layer) for layer in SQUEEZENET_LAYERS},
        tuple(dataset.landmark_names.index(one) for one in chosen),
    )


def _drawn(epochs: int | None, quick: bool, development: bool, seed: int) -> GraphTask:
    """Drawn birds, seen by a small network that tells them from background."""
    explained = synthetic_task(quick=quick, development=development, seed=seed)
    explained = dataclasses.replace(
        explained, epochs=(epochs or explained.epochs[0], 1)
    )
    network = train_performer(explained, PerformerRecipe(), seed)
    shown = explained.task.objects()
    learns = explained.task.is_train[shown]
    most = QUICK_IMAGES if quick else IMAGES
    sides = [shown[learns], shown[~learns]]
    rows = np.sort(np.concatenate([_spread(side, most) for side in sides]))
    dataset = explained.task.dataset.subset(rows)
    maps = _maps(network, explained.values[rows], SMALL_LAYERS)
    return GraphTask(
        "bird",
        "small",
        dataset,
        maps,
        {layer: receptive_field(network, layer) for layer in SMALL_LAYERS},
        tuple(range(len(dataset.landmark_names))),
    )


def _maps(
    network: keras.Model, prepared: np.ndarray, layers: tuple[str, ...]
) -> dict[str, np.ndarray]:
    maps: Any = feature_maps(network, prepared, list(layers))
    return {name: maps[name] for name in layers}


def _with_landmarks(dataset: PartsDataset) -> PartsDataset:
    """The pictures that show a landmark."""
    return dataset.subset(np.isfinite(dataset.landmarks).all(axis=-1).any(axis=-1))


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]
