"""Layers of a finished graph, and the responses of their units."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_interp.graphs.explanatory._gaussian_product import (
    SEARCH,
    Expectation,
    expectation_of_parents,
    without_parents,
)
from keras_interp.graphs.explanatory._learning import (
    FIRST_SIGMA,
    blurred,
    find_all_nodes,
)
from keras_interp.graphs.explanatory._votes import FoundNodes, Nodes, UnitGrid
from keras_interp.metrics._peaks import check_feature_maps
from keras_interp.receptive_fields import ReceptiveField


@dataclasses.dataclass
class GraphLayer:
    """One layer of a finished graph.

    Args:
        name: of the layer of the network.
        field: its receptive field.
        map_size: (height, width) of its maps.
        filters: int `(F,)`, the filters that have nodes.
        scales: float32 `(F,)`, what each filter's responses are divided by.
        nodes: mean positions and spreads, in pixels.
        parents: int `(F V, M)`, places among the nodes of the layer above.
        rest: float32 `(F V, 2)`, mean over the pictures learnt from of where each node
            was found, in pixels.
        mean_strengths: float32 `(F V,)`, mean strength on those pictures.
        top_search: how far nodes without parents look, as a share of the map's side.
    """

    name: str
    field: ReceptiveField
    map_size: tuple[int, int]
    filters: np.ndarray
    scales: np.ndarray
    nodes: Nodes
    parents: np.ndarray
    rest: np.ndarray
    mean_strengths: np.ndarray
    top_search: float = SEARCH

    @property
    def grid(self) -> UnitGrid:
        return unit_grid(self.field, self.map_size)

    def responses(self, maps: Any) -> np.ndarray:
        """Responses `(F, N, H, W)` of the filters that have nodes."""
        checked = checked_maps(self.name, maps)
        most = int(self.filters.max()) + 1
        if checked.shape[1:3] != self.map_size or checked.shape[3] < most:
            raise ValueError(
                f"Expected maps of {self.name!r} of shape (images, "
                f"{self.map_size[0]}, {self.map_size[1]}, filters) with at least "
                f"{most} filters. Received: maps of shape {checked.shape}. Pass maps "
                "of the network and the size of images that the graph was learnt from."
            )
        return scaled_responses(checked, self.filters, self.scales)

    def find(
        self,
        responses: np.ndarray,
        displacements: np.ndarray | None,
        above: GraphLayer | None,
        filters_at_once: int | None,
    ) -> FoundNodes:
        """Where the nodes of this layer lie, from those of the layer above."""
        expected = self.expectation(responses.shape[1], displacements, above)
        return find_all_nodes(
            self.nodes, responses, self.grid, expected, filters_at_once
        )

    def expectation(
        self, images: int, displacements: np.ndarray | None, above: GraphLayer | None
    ) -> Expectation:
        """Where the parents put the nodes in each picture."""
        if above is None or displacements is None or not self.parents.shape[1]:
            return without_parents(
                images, len(self.parents), FIRST_SIGMA * self.grid.side, self.top_search
            )
        sigmas = above.nodes.sigmas.ravel()
        return expectation_of_parents(displacements, sigmas, self.parents)


def unit_grid(field: ReceptiveField, map_size: tuple[int, int]) -> UnitGrid:
    """Places in pixels of the units of a map."""
    centers = field.centers(*map_size).astype("float32")
    stride = np.broadcast_to(np.asarray(field.stride, "float32"), 2)
    return UnitGrid(centers[:, 0, 1], centers[0, :, 0], stride)


def checked_maps(name: str, maps: Any) -> np.ndarray:
    """Maps of one layer, refused with its name where they are none."""
    try:
        checked = check_feature_maps(maps)
    except ValueError as error:
        raise ValueError(f"Layer {name!r}: {error}") from None
    if not len(checked):
        raise ValueError(
            f"Expected maps of at least one image. Received: no maps of {name!r}. "
            "Pass the images that the graph is to be learnt from."
        )
    return checked


def strongest_filters(name: str, maps: np.ndarray, most: int | None) -> np.ndarray:
    """Places of the filters that fire, the strongest of them where that is too many.

    Strength is the mean over the pictures of a map's maximum.
    """
    peaks = np.maximum(maps.max(axis=(1, 2)), 0).mean(axis=0, dtype="float64")
    fires = np.flatnonzero(peaks > 0)
    if not len(fires):
        raise ValueError(
            f"Expected a layer with filters that fire. Received: layer {name!r}, none "
            f"of whose {len(peaks)} filters is above 0 on these {len(maps)} images. "
            "Choose another layer, or images that are prepared as the network takes "
            "them."
        )
    order = fires[np.argsort(-peaks[fires], kind="stable")]
    return np.sort(order[:most])


def response_scales(maps: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Root of the mean square of each filter's responses."""
    return np.array(
        [
            np.sqrt(np.square(np.maximum(maps[..., one], 0), dtype="float64").mean())
            for one in filters
        ],
        dtype="float32",
    )


def scaled_responses(
    maps: np.ndarray, filters: np.ndarray, scales: np.ndarray
) -> np.ndarray:
    """Responses `(F, N, H, W)`: 0 or more, of one scale, slightly blurred."""
    chosen = np.moveaxis(maps[..., filters], -1, 0).astype("float32")
    np.maximum(chosen, 0, out=chosen)
    chosen /= scales[:, None, None, None]
    return blurred(chosen)


def check_order(layers: Sequence[str], fields: Mapping[str, ReceptiveField]) -> None:
    """Refuses layers that do not go from the lowest to the highest."""
    sizes = [float(np.max(fields[name].size)) for name in layers]
    strides = [float(np.max(fields[name].stride)) for name in layers]
    for low, (name, higher) in enumerate(zip(layers, layers[1:], strict=False)):
        if sizes[low] > sizes[low + 1] or strides[low] > strides[low + 1]:
            raise ValueError(
                "Expected layers from the lowest to the highest, whose units see more "
                f"and more. Received: layers={list(layers)}, where units of {name!r} "
                f"see {sizes[low]:g} pixels at a stride of {strides[low]:g}, and those "
                f"of {higher!r} {sizes[low + 1]:g} at {strides[low + 1]:g}. Turn the "
                "order round."
            )


def find_in_layers(
    layers: Sequence[GraphLayer],
    maps: Mapping[str, Any],
    filters_at_once: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions `(N, nodes, 2)` and strengths of all nodes, the lowest layer first.

    Args:
        layers: from the highest to the lowest.
        maps: of each layer by its name.
        filters_at_once: filters that are computed together.
    """
    positions: list[np.ndarray] = []
    strengths: list[np.ndarray] = []
    above, displacements = None, None
    for layer in layers:
        responses = layer.responses(maps[layer.name])
        found = layer.find(responses, displacements, above, filters_at_once)
        positions.append(found.positions.reshape(len(found.positions), -1, 2))
        strengths.append(found.strengths.reshape(len(found.positions), -1))
        displacements, above = positions[-1] - layer.rest, layer
    return (
        np.concatenate(positions[::-1], axis=1),
        np.concatenate(strengths[::-1], axis=1),
    )
