"""Finds parts in pictures by nodes, from a few annotated pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.graphs.explanatory._inferred_nodes import InferredNodes
from keras_interp.metrics._peaks import check_landmarks

_NUMBERS_AT_ONCE = 20_000_000
_GRID_STEPS_PER_WIDTH = 2.0


class PartLocator:
    """Locates parts by the nodes that lie near them in a few annotated pictures.

    A filter is of use for a part if its nodes near the part hold a larger share of its
    strength than nodes of all filters do: by how much is its weight. In a new picture
    its nodes vote, with their strengths, for the place that lies from them as the part
    did, and the part is where most votes come together.

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

    Raises:
        ValueError: if an argument is not positive.

    Reference:
        A measure of this library; the paper localises parts with an And-Or graph on
        the nodes, of which no code and no formula is at hand.
    """

    def __init__(
        self, radius: float = 0.12, width: float = 0.05, sharpness: float = 2.0
    ) -> None:
        for name, value in (
            ("radius", radius),
            ("width", width),
            ("sharpness", sharpness),
        ):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(
                    f"Expected {name} as a positive number. Received: {name}="
                    f"{value!r}. Leave it out for the usual one."
                )
        self.radius, self.width, self.sharpness = radius, width, sharpness
        self._weights = np.empty((0, 0))

    def get_params(self, deep: bool = True) -> dict[str, float]:
        """The arguments that the locator was made with.

        Args:
            deep: ignored; there for tools of scikit-learn.

        Returns:
            dict of the arguments of the constructor.
        """
        return {
            "radius": self.radius,
            "width": self.width,
            "sharpness": self.sharpness,
        }

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
        strengths = strengths / self._scales
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
        voters = np.flatnonzero(weights > 0)
        offsets = self._offsets[self._of_node[voters], part]
        width = self.width * float(np.hypot(*image_size))
        step = width / _GRID_STEPS_PER_WIDTH
        rows, columns = (np.arange(0, side, step) for side in image_size)
        found = np.full((len(positions), 2), np.nan)
        numbers = max(1, len(voters)) * (len(rows) + len(columns)) * 2
        at_once = max(1, _NUMBERS_AT_ONCE // numbers)
        for start in range(0, len(positions), at_once):
            some = slice(start, start + at_once)
            aims = (positions[some][:, voters] + offsets).astype("float32")
            votes = (strengths[some][:, voters] * weights[voters]).astype("float32")
            right = _bells(aims[..., 0], columns, width)
            down = _bells(aims[..., 1], rows, width) * votes[..., None]
            heat = (np.swapaxes(down, 1, 2) @ right).reshape(len(aims), -1)
            row, column = np.divmod(heat.argmax(axis=1), len(columns))
            places = np.stack([columns[column], rows[row]], axis=-1)
            found[some] = np.where(heat.max(axis=1)[:, None] > 0, places, np.nan)
        return found


def _bells(aims: np.ndarray, places: np.ndarray, width: float) -> np.ndarray:
    """Gaussians `(N, nodes, places)` around the aims."""
    apart = (places.astype("float32") - aims[..., None]) / np.float32(width)
    return np.exp(-0.5 * apart**2)


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
