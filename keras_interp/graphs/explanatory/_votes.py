"""The E step: which node a unit votes for, and where a node lies in a picture."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.graphs.explanatory._gaussian_product import Expectation


@dataclasses.dataclass(frozen=True)
class UnitGrid:
    """Places of the units of a map in pixels.

    Args:
        rows: float32 `(H,)`, y of the rows of units.
        columns: float32 `(W,)`, x of the columns of units.
        stride: float32 `(2,)`, pixels between units, along y and along x.
    """

    rows: np.ndarray
    columns: np.ndarray
    stride: np.ndarray

    @property
    def side(self) -> float:
        """Side in pixels of the square that has the area of the map."""
        area = len(self.rows) * len(self.columns) * np.prod(self.stride)
        return float(np.sqrt(area))

    @property
    def cell(self) -> float:
        """Pixels between units, the mean of both axes."""
        return float(np.sqrt(np.prod(self.stride)))

    def clip(self, places: np.ndarray) -> np.ndarray:
        """Places (x, y) moved to the nearest place on the map."""
        least = np.array([self.columns[0], self.rows[0]], "float32")
        most = np.array([self.columns[-1], self.rows[-1]], "float32")
        return np.clip(places, least, most)


@dataclasses.dataclass
class Nodes:
    """The nodes of one layer: for each filter the same number.

    Args:
        means: float32 `(F, V, 2)`, mean positions, (x, y) in pixels.
        sigmas: float32 `(F, V)`, spreads in pixels.
    """

    means: np.ndarray
    sigmas: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return self.sigmas.shape


def half_windows(grid: UnitGrid, sigmas: np.ndarray, search: float) -> np.ndarray:
    """How far from its centre a node looks, in pixels.

    Three sigmas, but no more than a share of the map's side, and always as far as
    the nearest unit.

    Args:
        grid: places of the units.
        sigmas: width of each node's Gaussian in pixels.
        search: the share.
    """
    most = np.minimum(search * grid.side, 3 * sigmas)
    return np.maximum(most, 0.5 * float(grid.stride.max())).astype("float32")


@dataclasses.dataclass
class Votes:
    """Sums of one E step over all pictures, for some of the filters.

    Args:
        moves: float64 `(F, V, 2)`, mean offset of the units that vote for a node.
        sigmas: float64 `(F, V)`, root of the second moment of what a node covers, in
            pixels; NaN where it covers nothing.
        strengths: float32 `(N, F, V)`, what a node covers in each picture.
        log_likelihood: float64 `(N,)`, of the pictures under the mixture.
    """

    moves: np.ndarray
    sigmas: np.ndarray
    strengths: np.ndarray
    log_likelihood: np.ndarray


def _densities(
    grid: UnitGrid, centers: np.ndarray, sigmas: np.ndarray, search: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Offsets `(F, N, V, H | W)` of the units along both axes, and 1-D densities.

    The Gaussian of a node and the square in which it looks are products of a factor
    along y and one along x, so that sums over the units of a map are matrix products.
    """
    half = half_windows(grid, sigmas, search)[:, None, :, None]
    width = sigmas[:, None, :, None]
    found = []
    for axis, places in ((1, grid.rows), (0, grid.columns)):
        offsets = places - centers[..., axis, None]
        density = np.exp(-0.5 * np.square(offsets / width))
        density *= grid.stride[1 - axis] / (np.sqrt(2 * np.pi) * width)
        density *= np.abs(offsets) <= half
        found += [offsets, density]
    return tuple(found)


def cast_votes(
    responses: np.ndarray,
    grid: UnitGrid,
    means: np.ndarray,
    expected: Expectation,
    *,
    background: float,
) -> Votes:
    """One E step of some filters, on all pictures at once.

    A unit votes as often as it responds. Its votes go to the nodes of its filter by
    their densities at its place, and to the uniform background.

    Args:
        responses: float32 `(F, N, H, W)`, responses of the units, 0 or more.
        grid: places of the units.
        means: float32 `(F, V, 2)`, mean positions of the nodes.
        expected: of the same nodes, filter by filter.
        background: density of the background, as a share of the mean density of all
            nodes of a filter.

    Returns:
        `Votes`.
    """
    filters, nodes = means.shape[:2]
    images = responses.shape[1]
    shape = images, filters, nodes
    shifts = expected.shifts.reshape(*shape, 2).transpose(1, 0, 2, 3)
    scales = np.exp(expected.log_scales.reshape(shape)).transpose(1, 0, 2)
    sigmas = expected.sigmas.reshape(filters, nodes)
    down, vertical, right, horizontal = _densities(
        grid, means[:, None] + shifts, sigmas, expected.search
    )
    vertical *= scales[..., None]
    mixture = np.swapaxes(vertical, -1, -2) @ horizontal
    share = background * mixture.mean(axis=(1, 2, 3), keepdims=True)
    # A filter whose windows hold no unit has no density at all.
    mixture += np.maximum(share, np.finfo("float32").tiny)
    votes = responses / mixture
    log_likelihood = (responses * np.log(mixture)).sum(axis=(0, 2, 3), dtype="float64")

    on_rows = np.concatenate([vertical, vertical * down], axis=2) @ votes
    weight = (on_rows[:, :, :nodes] * horizontal).sum(axis=(1, 3), dtype="float64")
    moves = np.stack(
        [
            (on_rows[:, :, :nodes] * (horizontal * right)).sum((1, 3), dtype="float64"),
            (on_rows[:, :, nodes:] * horizontal).sum((1, 3), dtype="float64"),
        ],
        axis=-1,
    )
    covered = np.concatenate([vertical, vertical * down**2], axis=2) @ responses
    here = covered[:, :, :nodes] * horizontal
    strengths = here.sum(axis=3)
    second = (here * right**2).sum((1, 3), dtype="float64")
    second += (covered[:, :, nodes:] * horizontal).sum((1, 3), dtype="float64")
    total = strengths.sum(axis=1, dtype="float64")
    with np.errstate(invalid="ignore", divide="ignore"):
        spreads = np.sqrt(second / total)
    return Votes(
        moves / np.maximum(weight, 1e-8)[..., None],
        np.where(total > 0, spreads, np.nan),
        strengths.transpose(1, 0, 2),
        log_likelihood,
    )


@dataclasses.dataclass
class FoundNodes:
    """Where nodes lie in each picture.

    Args:
        positions: float32 `(N, F, V, 2)`, (x, y) in pixels.
        scores: float32 `(N, F, V)`, density times response at the best unit.
        strengths: float32 `(N, F, V)`, their sum over the window; 0 where the filter
            does not respond there.
    """

    positions: np.ndarray
    scores: np.ndarray
    strengths: np.ndarray


def find_nodes(
    responses: np.ndarray,
    grid: UnitGrid,
    means: np.ndarray,
    expected: Expectation,
) -> FoundNodes:
    """The most probable place of each node of some filters, on all pictures at once.

    The best unit of a node's window, moved to the centre of mass of the unit and its
    eight neighbours, so that places are finer than the units. A node whose window
    holds no response lies at its centre with the score 0.

    Args:
        responses: float32 `(F, N, H, W)`, responses of the units, 0 or more.
        grid: places of the units.
        means: float32 `(F, V, 2)`, mean positions of the nodes.
        expected: of the same nodes, filter by filter.

    Returns:
        `FoundNodes`.
    """
    filters, nodes = means.shape[:2]
    images, height, width = responses.shape[1:]
    shape = images, filters, nodes
    shifts = expected.shifts.reshape(*shape, 2).transpose(1, 0, 2, 3)
    scales = np.exp(expected.log_scales.reshape(shape)).transpose(1, 0, 2)
    sigmas = expected.sigmas.reshape(filters, nodes)
    half = half_windows(grid, sigmas, expected.search)
    centers = means[:, None] + shifts
    reach = np.ceil(float(half.max()) / grid.stride - 0.5).astype(int)
    # A frame of zeros: no window ends outside.
    framed = np.pad(responses, [(0, 0), (0, 0), *[(2 * n, 2 * n) for n in reach]])
    row, vertical = _window(
        centers[..., 1], grid.rows, grid.stride[0], reach[0], sigmas, half
    )
    column, horizontal = _window(
        centers[..., 0], grid.columns, grid.stride[1], reach[1], sigmas, half
    )
    vertical *= scales[..., None]
    wide = width + 4 * reach[1]
    first = row * wide + column
    inside = np.arange(2 * reach[0] + 1)[:, None] * wide + np.arange(2 * reach[1] + 1)
    flat = framed.reshape(filters, images, 1, -1)
    places = (first[..., None] + inside.ravel()).reshape(filters, images, 1, -1)
    heat = np.take_along_axis(flat, places, axis=-1)
    heat = heat.reshape(*first.shape, *inside.shape)
    heat *= vertical[..., :, None]
    heat *= horizontal[..., None, :]
    strengths = heat.sum(axis=(-2, -1))
    best, scores, offsets = _best_units(heat)
    # From the frame's cells to pixels.
    unit_row = row - 2 * reach[0] + best[0] + offsets[0]
    unit_column = column - 2 * reach[1] + best[1] + offsets[1]
    positions = np.stack(
        [
            grid.columns[0] + unit_column * grid.stride[1],
            grid.rows[0] + unit_row * grid.stride[0],
        ],
        axis=-1,
    ).astype("float32")
    found = scores > 0
    positions = np.where(found[..., None], positions, grid.clip(centers))
    order = (1, 0, 2)
    return FoundNodes(
        positions.transpose(1, 0, 2, 3),
        scores.transpose(order),
        strengths.transpose(order),
    )


def _window(
    centers: np.ndarray,
    places: np.ndarray,
    stride: float,
    reach: int,
    sigmas: np.ndarray,
    half: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """First cell of each node's window in the framed map, and the densities in it."""
    nearest = np.rint((centers - places[0]) / stride).astype("int32")
    # Centres off the map look at the frame's zeros.
    nearest = np.clip(nearest, -reach, len(places) - 1 + reach)
    steps = np.arange(-reach, reach + 1, dtype="float32") * stride
    offsets = (places[0] + nearest * stride - centers)[..., None] + steps
    width = sigmas[:, None, :, None]
    density = np.exp(-0.5 * np.square(offsets / width))
    density *= stride / (np.sqrt(2 * np.pi) * width)
    density *= np.abs(offsets) <= half[:, None, :, None]
    return nearest + reach, density.astype("float32")


def _best_units(
    heat: np.ndarray,
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Place and value of the maximum of each window, and where its mass lies."""
    shape, (high, wide) = heat.shape[:-2], heat.shape[-2:]
    cells = heat.reshape(-1, high * wide)
    best = cells.argmax(axis=-1)
    scores = np.take_along_axis(cells, best[:, None], axis=-1)[:, 0]
    row, column = np.divmod(best, wide)
    total = np.zeros_like(scores)
    moments = np.zeros((2, *scores.shape), heat.dtype)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = row + down, column + right
            known = (r >= 0) & (r < high) & (c >= 0) & (c < wide)
            cell = np.where(known, r * wide + c, 0)
            value = np.take_along_axis(cells, cell[:, None], axis=-1)[:, 0] * known
            total += value
            moments[0] += down * value
            moments[1] += right * value
    moments /= np.maximum(total, np.finfo(heat.dtype).tiny)
    return (
        (row.reshape(shape), column.reshape(shape)),
        scores.reshape(shape),
        (moments[0].reshape(shape), moments[1].reshape(shape)),
    )
