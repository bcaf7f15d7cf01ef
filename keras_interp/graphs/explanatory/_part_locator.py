"""Finds parts in pictures by nodes, from a few annotated pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from keras_interp.graphs.explanatory._inferred_nodes import InferredNodes
from keras_interp.metrics._peaks import check_landmarks

_STEPS_PER_WIDTH = 4
# Of the best filter's; what lies below changes no place.
_LEAST_WEIGHT = 0.01


class PartLocator(BaseEstimator):
    """Locates parts by the nodes that lie near them in a few annotated pictures.

    A filter is of use for a part if its nodes near the part hold a larger share of its
    strength than nodes of all filters do: by how much is its weight. In a new picture
    its nodes vote, with their strengths, for the place that lies from them as the part
    did, and the part is where most votes come together. With `focus` it is the mean of
    all places, each with a power of its votes as its weight: votes that agree decide
    alone, and votes that do not leave the part in their middle.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> rng = np.random.default_rng(0)
    >>> places = rng.integers(3, 11, (12, 2))
    >>> maps = np.zeros((12, 14, 14, 1), "float32")
    >>> maps[np.arange(12), places[:, 1], places[:, 0]] = 1.0
    >>> field = ki.ReceptiveField(size=32, stride=8, start=4)
    >>> graph = ki.graphs.ExplanatoryGraph(iterations=5)
    >>> graph = graph.fit_maps({"conv": maps}, {"conv": field}, 112, verbose=0)
    >>> landmarks = field.pixels(places[:, None, ::-1])
    >>> locator = ki.graphs.PartLocator().fit(
    ...     graph.infer_maps({"conv": maps[:3]}), landmarks[:3]
    ... )
    >>> found = locator.predict(graph.infer_maps({"conv": maps}))
    >>> bool(np.abs(found - landmarks).max() < 16)
    True

    Args:
        radius: how near a node must be to a part, as a share of the diagonal: the
            weight of nodes falls off as a Gaussian of half that width. Defaults to
            0.12.
        width: standard deviation of a vote, as a share of the diagonal. Defaults to
            0.05.
        sharpness: power of the weights of the filters; the higher, the more the best
            filters decide. Defaults to 2.
        focus: power of the votes of a place; the higher, the nearer is the part to the
            place of most votes. Defaults to None, that place itself; 4 was best on
            held-back birds.

    Raises:
        ValueError: if an argument is not positive.

    Reference:
        A measure of this library; the paper localises parts with an And-Or graph on
        the nodes, of which no code and no formula is at hand.
    """

    def __init__(
        self,
        radius: float = 0.12,
        width: float = 0.05,
        sharpness: float = 2.0,
        focus: float | None = None,
    ) -> None:
        for name, value in (
            ("radius", radius),
            ("width", width),
            ("sharpness", sharpness),
            ("focus", 1.0 if focus is None else focus),
        ):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(
                    f"Expected {name} as a positive number. Received: {name}="
                    f"{value!r}. Leave it out for the usual one."
                )
        self.radius = radius
        self.width = width
        self.sharpness = sharpness
        self.focus = focus
        self._weights = np.empty((0, 0))

    def fit(self, nodes: InferredNodes, landmarks: Any) -> PartLocator:
        """Learns which filters lie near each part, and how the part lies from them.

        Args:
            nodes: of the annotated pictures; one is enough.
            landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.

        Returns:
            The locator itself.

        Raises:
            ValueError: if landmarks and pictures differ in number, or a part is shown
                in none of the pictures.
        """
        positions, strengths = _several(nodes)
        places = check_landmarks(landmarks, len(positions))
        known = np.isfinite(places).all(axis=-1)
        if not known.any(axis=0).all():
            absent = np.flatnonzero(~known.any(axis=0)).tolist()
            raise ValueError(
                "Expected landmarks with every part in at least one picture. Received: "
                f"landmarks {absent} in none of {len(places)}. Annotate another "
                "picture, or leave these landmarks out."
            )
        self._keys = [*zip(nodes.layers.tolist(), nodes.filters.tolist(), strict=True)]
        filters = _filter_table(nodes)
        self._scales = _layer_scales(nodes, strengths)
        strengths = strengths / self._scales
        diagonal = float(np.hypot(*nodes.image_size))
        offsets = places[:, None] - positions[:, :, None]
        square = (offsets**2).sum(axis=-1) / (0.5 * self.radius * diagonal) ** 2
        near = np.exp(-0.5 * square) * strengths[..., None]
        near = np.where(known[:, None], near, 0.0)
        shown = strengths.T @ known.astype("float64")
        chance = near.sum(axis=(0, 1)) / np.maximum(shown.sum(axis=0), 1e-12)
        close, total = filters @ near.sum(axis=0), filters @ shown
        gain = close / np.maximum(total * chance, 1e-12) - 1.0
        self._weights = np.maximum(gain, 0.0) ** self.sharpness
        moved = (near[..., None] * np.nan_to_num(offsets)).sum(axis=0)
        count = filters.shape[0]
        summed = (filters @ moved.reshape(len(self._keys), -1)).reshape(count, -1, 2)
        self._offsets = summed / np.maximum(close, 1e-12)[..., None]
        self._of_node = filters.argmax(axis=0).A1
        return self

    def predict(self, nodes: InferredNodes) -> np.ndarray:
        """Where the parts are.

        Args:
            nodes: of one or several pictures, of the same graph.

        Returns:
            float `(K, 2)` for one picture or `(N, K, 2)`, (x, y) in pixels; NaN where
            no node votes.

        Raises:
            ValueError: before `fit`, or if the nodes are of another graph.
        """
        if not self._weights.size:
            raise ValueError(
                "Expected a locator that has learnt. Received: a PartLocator before "
                "fit. Call fit with annotated pictures first."
            )
        keys = [*zip(nodes.layers.tolist(), nodes.filters.tolist(), strict=True)]
        if keys != self._keys:
            raise ValueError(
                f"Expected nodes of the graph that the locator learnt from, with "
                f"{len(self._keys)} nodes. Received: {len(keys)} nodes of another "
                "graph. Fit the locator again."
            )
        positions, strengths = _several(nodes)
        found = np.stack(
            [
                self._place_of_part(part, positions, strengths, nodes.image_size)
                for part in range(self._weights.shape[1])
            ],
            axis=1,
        )
        return found if nodes.positions.ndim == 3 else found[0]

    def _place_of_part(
        self,
        part: int,
        positions: np.ndarray,
        strengths: np.ndarray,
        image_size: tuple[int, int],
    ) -> np.ndarray:
        """The place `(N, 2)` where most votes for one part come together."""
        weights = self._weights[self._of_node, part]
        voters = np.flatnonzero(weights > _LEAST_WEIGHT * weights.max())
        aims = positions[:, voters] + self._offsets[self._of_node[voters], part]
        votes = strengths[:, voters] * (weights / self._scales)[voters]
        step = self.width * float(np.hypot(*image_size)) / _STEPS_PER_WIDTH
        heat = _heat(aims, votes, image_size, step)
        most = heat.max(axis=(1, 2), keepdims=True)
        places = _places(heat / np.where(most > 0, most, 1.0), self.focus) * step
        return np.where(most[:, 0] > 0, places, np.nan)


def _heat(
    aims: np.ndarray, votes: np.ndarray, image_size: tuple[int, int], step: float
) -> np.ndarray:
    """Votes `(N, rows, columns)` at steps over the image, spread by a Gaussian.

    Votes fall into the cells of a grid with a frame, since a vote just outside the
    image speaks for places inside.
    """
    from scipy.ndimage import gaussian_filter1d

    frame = 3 * _STEPS_PER_WIDTH
    rows, columns = (int(side / step) + 1 + 2 * frame for side in image_size)
    cells = np.rint(aims / step).astype("int64") + frame
    inside = (cells >= 0).all(-1) & (cells[..., 0] < columns) & (cells[..., 1] < rows)
    picture = np.arange(len(aims))[:, None]
    place = (picture * rows + cells[..., 1]) * columns + cells[..., 0]
    count = len(aims) * rows * columns
    heat = np.bincount(place[inside], votes[inside], count).reshape(-1, rows, columns)
    for axis in (1, 2):
        heat = gaussian_filter1d(
            heat, _STEPS_PER_WIDTH, axis=axis, mode="constant", truncate=3.0
        )
    return heat[:, frame:-frame, frame:-frame]


def _places(heat: np.ndarray, focus: float | None) -> np.ndarray:
    """The cell (x, y) of the maximum, or the mean of all by a power of their heat."""
    if focus is None:
        row, column = np.divmod(
            heat.reshape(len(heat), -1).argmax(axis=1), heat.shape[2]
        )
        return np.stack([column, row], axis=-1)
    weights = heat**focus
    by_axis = [weights.sum(axis=axis) for axis in (1, 2)]
    moments = [one @ np.arange(one.shape[1], dtype="float64") for one in by_axis]
    total = np.maximum(weights.sum(axis=(1, 2)), 1e-12)
    return np.stack(moments, axis=-1) / total[:, None]


def _several(nodes: InferredNodes) -> tuple[np.ndarray, np.ndarray]:
    """Positions and strengths with an axis of pictures."""
    if nodes.positions.ndim == 3:
        return nodes.positions, nodes.strengths
    return nodes.positions[None], nodes.strengths[None]


def _filter_table(nodes: InferredNodes) -> Any:
    """Sparse `(filters, nodes)`, 1 where a node belongs to a filter of a layer."""
    from scipy.sparse import csr_matrix

    pairs = np.stack([np.unique(nodes.layers, return_inverse=True)[1], nodes.filters])
    _, filters = np.unique(pairs, axis=1, return_inverse=True)
    filters = np.ravel(filters)
    ones = np.ones(len(filters))
    return csr_matrix((ones, (filters, np.arange(len(filters)))))


def _layer_scales(nodes: InferredNodes, strengths: np.ndarray) -> np.ndarray:
    """Mean strength of each node's layer, so that layers have the same say."""
    _, layer = np.unique(nodes.layers, return_inverse=True)
    sums = np.bincount(layer, strengths.mean(axis=0)) / np.bincount(layer)
    return np.where(sums > 0, sums, 1.0)[layer]
