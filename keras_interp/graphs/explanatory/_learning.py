"""Learns the nodes of one layer: E step, M step and parents in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from keras_interp.graphs.explanatory._gaussian_product import (
    SEARCH,
    Expectation,
    expectation_of_parents,
    without_parents,
)
from keras_interp.graphs.explanatory._parents import candidate_parents, choose_parents
from keras_interp.graphs.explanatory._votes import (
    FoundNodes,
    Nodes,
    UnitGrid,
    Votes,
    cast_votes,
    find_nodes,
)

# As shares of the map's side, in the released code.
FIRST_SIGMA = 0.15
BLUR = 0.025
_NUMBERS_AT_ONCE = 24_000_000


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How nodes are learnt, see `keras_interp.graphs.ExplanatoryGraph`."""

    density: float | None = None
    iterations: int = 20
    parents: int = 15
    candidates: int = 600
    background: float = 0.1
    top_search: float = SEARCH

    def density_of(self, grid: UnitGrid) -> float:
        """Nodes a filter for each unit of the map."""
        units = len(grid.rows) * len(grid.columns)
        if self.density is not None:
            return self.density
        # .05, .1 and .2 for maps of 28, 14 and 7 units a side.
        return min(1.0, 1.4 / float(np.sqrt(units)))

    def nodes_per_filter(self, grid: UnitGrid) -> int:
        units = len(grid.rows) * len(grid.columns)
        return int(np.ceil(units * self.density_of(grid) - 1e-9))

    def sigma_limits(self, grid: UnitGrid) -> tuple[float, float]:
        """Least and greatest spread of a node in pixels."""
        most = grid.cell / float(np.sqrt(self.density_of(grid)))
        return most / 10, most


@dataclasses.dataclass(frozen=True)
class LayerAbove:
    """What a layer needs of the finished layer above it.

    Args:
        displacements: float32 `(N, nodes, 2)`, from their mean positions in pixels.
        sigmas: float32 `(nodes,)`, spreads in pixels.
        candidates: int `(count,)`, the nodes that may be parents.
    """

    displacements: np.ndarray
    sigmas: np.ndarray
    candidates: np.ndarray

    @classmethod
    def of(
        cls,
        nodes: Nodes,
        strengths: np.ndarray,
        positions: np.ndarray,
        rest: np.ndarray,
        grid: UnitGrid,
        count: int,
    ) -> LayerAbove:
        """What the layer below needs.

        Args:
            nodes: of the finished layer.
            strengths: float `(N, nodes)`.
            positions: float `(N, nodes, 2)`, (x, y) in pixels.
            rest: float `(nodes, 2)`, their means over the pictures.
            grid: places of the units.
            count: most nodes that may be parents.
        """
        limits = (
            np.array([grid.columns[0], grid.rows[0]]),
            np.array([grid.columns[-1], grid.rows[-1]]),
        )
        return cls(
            positions - rest,
            nodes.sigmas.ravel(),
            candidate_parents(positions, strengths, limits, count),
        )


@dataclasses.dataclass
class LayerState:
    """A layer while it is learnt.

    Args:
        nodes: mean positions and spreads.
        parents: int `(nodes, M)`, places in the layer above; `(nodes, 0)` before they
            are chosen, and in the top layer.
        iteration: how many are done.
        log_likelihoods: of each iteration.
    """

    nodes: Nodes
    parents: np.ndarray
    iteration: int = 0
    log_likelihoods: list[float] = dataclasses.field(default_factory=list)


def first_state(
    grid: UnitGrid, filters: int, recipe: Recipe, rng: np.random.Generator
) -> LayerState:
    """Nodes at different random units of the map, for each filter."""
    count = recipe.nodes_per_filter(grid)
    height, width = len(grid.rows), len(grid.columns)
    order = rng.random((filters, height * width)).argsort(axis=1)[:, :count]
    rows, columns = np.divmod(order, width)
    means = np.stack([grid.columns[columns], grid.rows[rows]], axis=-1)
    sigmas = np.full((filters, count), FIRST_SIGMA * grid.side, "float32")
    parents = np.empty((filters * count, 0), "int64")
    return LayerState(Nodes(means.astype("float32"), sigmas), parents)


def blurred(maps: np.ndarray) -> np.ndarray:
    """Responses `(F, N, H, W)` for the E step: 0 or more, and slightly blurred."""
    from scipy.ndimage import gaussian_filter1d

    height, width = maps.shape[2:]
    for axis, side in ((2, height), (3, width)):
        maps = gaussian_filter1d(maps, BLUR * side, axis=axis, mode="constant")
    return maps


def learn_layer(
    state: LayerState,
    responses: np.ndarray,
    grid: UnitGrid,
    above: LayerAbove | None,
    recipe: Recipe,
    filters_at_once: int | None = None,
) -> Iterator[LayerState]:
    """Runs the iterations that are left, and gives the state after each.

    Args:
        state: where to go on.
        responses: float32 `(F, N, H, W)`, 0 or more.
        grid: places of the units.
        above: the finished layer above; None at the top.
        recipe: how to learn.
        filters_at_once: how many filters are computed together. Default: as many as
            fit into some hundred megabytes.

    Yields:
        The state after each iteration.
    """
    while state.iteration < recipe.iterations:
        step = state.iteration + 1
        if above is not None and _renews_parents(step):
            state.parents = _new_parents(
                state, responses, grid, above, recipe, filters_at_once
            )
        expected = expectation(state, grid, above, responses.shape[1], recipe)
        votes = _all_votes(state, responses, grid, expected, recipe, filters_at_once)
        _update(state.nodes, votes, grid, recipe, step)
        state.log_likelihoods.append(float(votes.log_likelihood.sum()))
        state.iteration = step
        yield state


def _renews_parents(step: int) -> bool:
    """At iterations 2, 3, 5, 9, 17: parents change less and less."""
    return step >= 2 and (step - 1) & (step - 2) == 0


def expectation(
    state: LayerState,
    grid: UnitGrid,
    above: LayerAbove | None,
    images: int,
    recipe: Recipe,
) -> Expectation:
    """Where the nodes are expected: at their means until they have parents."""
    if above is None or not state.parents.shape[1]:
        return without_parents(
            images,
            len(state.parents),
            FIRST_SIGMA * grid.side,
            recipe.top_search if above is None else SEARCH,
        )
    return expectation_of_parents(above.displacements, above.sigmas, state.parents)


def _update(
    nodes: Nodes, votes: Votes, grid: UnitGrid, recipe: Recipe, step: int
) -> None:
    """The M step. Steps of the mean positions shrink with the root of the iteration."""
    moved = nodes.means + votes.moves / np.sqrt(step)
    nodes.means = grid.clip(moved).astype("float32")
    least, most = recipe.sigma_limits(grid)
    known = np.where(np.isnan(votes.sigmas), most, votes.sigmas)
    nodes.sigmas = np.clip(known, least, most).astype("float32")


def _chunks(
    responses: np.ndarray, nodes: int, numbers: int, filters_at_once: int | None
) -> Iterator[slice]:
    """Filters in chunks that bound the memory of an E step."""
    filters, images = responses.shape[:2]
    if filters_at_once is None:
        filters_at_once = max(1, _NUMBERS_AT_ONCE // (images * nodes * numbers))
    for start in range(0, filters, filters_at_once):
        yield slice(start, min(start + filters_at_once, filters))


def _nodes_of(filters: slice, count: int) -> slice:
    return slice(filters.start * count, filters.stop * count)


def _all_votes(
    state: LayerState,
    responses: np.ndarray,
    grid: UnitGrid,
    expected: Expectation,
    recipe: Recipe,
    filters_at_once: int | None,
) -> Votes:
    filters, count = state.nodes.shape
    numbers = 6 * (len(grid.rows) + len(grid.columns))
    parts = [
        cast_votes(
            responses[part],
            grid,
            state.nodes.means[part],
            expected.part(_nodes_of(part, count)),
            background=recipe.background,
        )
        for part in _chunks(responses, count, numbers, filters_at_once)
    ]
    return Votes(
        np.concatenate([part.moves for part in parts]),
        np.concatenate([part.sigmas for part in parts]),
        np.concatenate([part.strengths for part in parts], axis=1),
        np.sum([part.log_likelihood for part in parts], axis=0),
    )


def find_all_nodes(
    nodes: Nodes,
    responses: np.ndarray,
    grid: UnitGrid,
    expected: Expectation,
    filters_at_once: int | None = None,
) -> FoundNodes:
    """The nodes of a layer in all pictures, in chunks of filters."""
    count = nodes.shape[1]
    window = 2 * np.ceil(expected.search * grid.side / grid.cell) + 1
    numbers = int(3 * window**2)
    parts = [
        find_nodes(
            responses[part],
            grid,
            nodes.means[part],
            expected.part(_nodes_of(part, count)),
        )
        for part in _chunks(responses, count, numbers, filters_at_once)
    ]
    return FoundNodes(
        np.concatenate([part.positions for part in parts], axis=1),
        np.concatenate([part.scores for part in parts], axis=1),
        np.concatenate([part.strengths for part in parts], axis=1),
    )


def _new_parents(
    state: LayerState,
    responses: np.ndarray,
    grid: UnitGrid,
    above: LayerAbove,
    recipe: Recipe,
    filters_at_once: int | None,
) -> np.ndarray:
    expected = expectation(state, grid, above, responses.shape[1], recipe)
    found = find_all_nodes(state.nodes, responses, grid, expected, filters_at_once)
    positions = found.positions.reshape(len(found.positions), -1, 2)
    scores = found.scores.reshape(len(positions), -1)
    count = min(recipe.parents, len(above.candidates))
    places = choose_parents(
        positions - positions.mean(axis=0),
        scores,
        above.displacements[:, above.candidates],
        count,
    )
    return above.candidates[places]
