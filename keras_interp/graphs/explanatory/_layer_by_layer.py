"""Learns all layers of a graph from the top down, and goes on where it stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp.graphs.explanatory._graph_files import (
    fingerprint,
    read_checkpoint,
    write_checkpoint,
)
from keras_interp.graphs.explanatory._graph_layers import (
    GraphLayer,
    response_scales,
    scaled_responses,
    strongest_filters,
    unit_grid,
)
from keras_interp.graphs.explanatory._learning import (
    LayerAbove,
    LayerState,
    Recipe,
    first_state,
    learn_layer,
)
from keras_interp.metrics._progress import announce
from keras_interp.receptive_fields import ReceptiveField


@dataclasses.dataclass(frozen=True)
class GraphSettings:
    """How a graph is learnt, see `keras_interp.graphs.ExplanatoryGraph`."""

    recipe: Recipe
    filters: int | None
    seed: int
    filters_at_once: int | None

    def that_matter(self) -> dict[str, Any]:
        """Those that change the result."""
        return dataclasses.asdict(self) | {"filters_at_once": None}


@dataclasses.dataclass
class _Run:
    """What is learnt so far, and the file that holds it."""

    path: Path | None
    mark: str
    done: list[GraphLayer]
    state: LayerState | None

    def write(self) -> None:
        if self.path is not None:
            write_checkpoint(self.path, self.mark, self.done, self.state)


def learn_graph(
    maps: Mapping[str, np.ndarray],
    fields: Mapping[str, ReceptiveField],
    settings: GraphSettings,
    checkpoint: Path | None,
    verbose: int,
) -> list[GraphLayer]:
    """Learns the layers one after another.

    Args:
        maps: float `(N, H, W, F)` of each layer, from the lowest to the highest.
        fields: receptive field of each layer.
        settings: how to learn.
        checkpoint: file that is written after each iteration, and read if it is there.
        verbose: 1 says what is done, 0 nothing.

    Returns:
        The layers, from the highest to the lowest.
    """
    run = _Run(checkpoint, "", [], None)
    if checkpoint is not None:
        run.mark = fingerprint(settings.that_matter(), list(maps), maps)
        if checkpoint.exists():
            run.done, run.state = read_checkpoint(checkpoint, run.mark)
            announce(f"Going on from {checkpoint.name}", verbose)
    above: LayerAbove | None = None
    for place, name in enumerate(reversed(list(maps))):
        higher = run.done[place - 1] if place else None
        learnt = place < len(run.done)
        if learnt:
            layer, responses = run.done[place], None
        else:
            layer, responses = _learnt(
                run, name, maps[name], fields[name], place, above, settings, verbose
            )
        if place == len(maps) - 1 and learnt:
            break
        if responses is None:
            responses = layer.responses(maps[name])
        found = layer.find(
            responses,
            None if above is None else above.displacements,
            higher,
            settings.filters_at_once,
        )
        positions = found.positions.reshape(len(found.positions), -1, 2)
        if not learnt:
            strengths = found.strengths.mean(axis=0, dtype="float64").ravel()
            layer.mean_strengths = strengths.astype("float32")
            layer.rest = positions.mean(axis=0, dtype="float64").astype("float32")
            run.done.append(layer)
            run.state = None
            run.write()
        above = LayerAbove.of(
            layer.nodes,
            found.strengths.reshape(len(positions), -1),
            positions,
            layer.rest,
            layer.grid,
            settings.recipe.candidates,
        )
    return run.done


def _learnt(
    run: _Run,
    name: str,
    maps: np.ndarray,
    field: ReceptiveField,
    place: int,
    above: LayerAbove | None,
    settings: GraphSettings,
    verbose: int,
) -> tuple[GraphLayer, np.ndarray]:
    """A layer after all iterations, and its responses."""
    filters = strongest_filters(name, maps, settings.filters)
    scales = response_scales(maps, filters)
    responses = scaled_responses(maps, filters, scales)
    size = maps.shape[1], maps.shape[2]
    grid, recipe = unit_grid(field, size), settings.recipe
    state = run.state
    if state is None:
        # Each layer has random numbers of its own, so that none depends on whether
        # the layers above were learnt now or read.
        rng = np.random.default_rng([settings.seed, place])
        state = first_state(grid, len(filters), recipe, rng)
    announce(
        f"Nodes of {name}: {recipe.nodes_per_filter(grid)} for each of "
        f"{len(filters)} filters",
        verbose,
    )
    bar = None
    if verbose:
        bar = keras.utils.Progbar(recipe.iterations, unit_name="iteration")
        bar.update(state.iteration)
    steps = learn_layer(state, responses, grid, above, recipe, settings.filters_at_once)
    for state in steps:
        run.state = state
        run.write()
        if bar is not None:
            bar.update(state.iteration)
    unknown = np.empty(0, "float32")
    layer = GraphLayer(
        name,
        field,
        size,
        filters,
        scales,
        state.nodes,
        state.parents,
        unknown,
        unknown,
        recipe.top_search,
    )
    return layer, responses
