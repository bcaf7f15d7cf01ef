"""A dictionary of part patterns over several layers of a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from sklearn.base import BaseEstimator

from keras_interp.graphs.explanatory._graph_arguments import (
    check_counts,
    check_params,
    checked_layers,
    layer_names,
    maps_of_layers,
)
from keras_interp.graphs.explanatory._graph_files import (
    FORMAT,
    layers_as_arrays,
    layers_from_arrays,
    read_arrays,
    write_arrays,
)
from keras_interp.graphs.explanatory._graph_layers import (
    GraphLayer,
    check_order,
    checked_maps,
    find_in_layers,
)
from keras_interp.graphs.explanatory._inferred_nodes import InferredNodes
from keras_interp.graphs.explanatory._layer_by_layer import GraphSettings, learn_graph
from keras_interp.graphs.explanatory._learning import Recipe
from keras_interp.graphs.explanatory._node_table import NodeTable
from keras_interp.metrics import FilterNames, name_filters
from keras_interp.metrics._peaks import height_width, to_numpy
from keras_interp.metrics._progress import announce
from keras_interp.receptive_fields import ReceptiveField, receptive_field

if TYPE_CHECKING:
    import networkx

    from keras_interp.datasets import PartsDataset

_IMAGES_AT_ONCE = 64


class ExplanatoryGraph(BaseEstimator):
    """Part patterns that the filters of several layers of a network mix.

    A filter of an ordinary network fires on several parts. The graph gives each filter
    several nodes, each a pattern with a mean position, and joins a node to those of the
    next higher layer that move together with it. It is learnt without annotations, by
    expectation and maximisation from the top layer down: the units of a map vote for
    nodes, a node's place in a picture follows from the places of its parents, and
    nodes move to where their votes are. All positions are pixels of the image, so that
    layers of different strides fit.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> rng = np.random.default_rng(0)
    >>> maps = np.zeros((20, 14, 14, 1), "float32")
    >>> rows, columns = rng.integers(0, 3, (2, 20))
    >>> maps[np.arange(20), 2 + rows, 2 + columns] = 1.0
    >>> maps[np.arange(20), 9 + rows, 9 + columns] = 1.0
    >>> field = ki.ReceptiveField(size=32, stride=8, start=4)
    >>> graph = ki.graphs.ExplanatoryGraph(iterations=5)
    >>> graph.fit_maps({"conv": maps}, {"conv": field}, image_size=112, verbose=0)
    ExplanatoryGraph of 20 nodes: conv 20
    >>> found = graph.infer_maps({"conv": maps[:1]}).picture(0)
    >>> found.positions[found.strongest(1)].shape
    (1, 2)

    Args:
        filters: most filters of a layer that get nodes: those with the highest mean
            peak. Filters that never fire get none. None takes all that fire. Defaults
            to 256.
        density: nodes of a filter for each unit of its map, above 0 and at most 1.
            Defaults to None, 1.4 over the side of the map: the paper's 0.05, 0.1 and
            0.2 for maps of 28, 14 and 7 units a side.
        parents: nodes of the next higher layer that each node is joined to. Defaults
            to 15.
        parent_candidates: how many nodes of the next higher layer, the strongest that
            move and are not at the edge, are looked at as parents. Defaults to 600.
        iterations: of expectation and maximisation, for each layer. Defaults to 20.
        background: density of the background that the votes of a unit may go to, as a
            share of the mean density of a filter's nodes. Defaults to 0.1.
        filters_at_once: filters that are computed together, which bounds memory and
            changes no result. Defaults to None, as many as need some hundred
            megabytes.
        seed: of the first positions of the nodes. Defaults to 0.
        top_search: half side of the window in which nodes of the top layer look, which
            no parents lead, as a share of the map's side, at most 0.5. Defaults to
            0.15, the released code's; 0.45 finds parts that move far.

    Raises:
        ValueError: if an argument is out of range.

    Reference:
        Zhang, Cao, Shi, Wu and Zhu, Interpreting CNN Knowledge via an Explanatory
        Graph, AAAI 2018.
    """

    def __init__(
        self,
        filters: int | None = 256,
        density: float | None = None,
        parents: int = 15,
        parent_candidates: int = 600,
        iterations: int = 20,
        background: float = 0.1,
        filters_at_once: int | None = None,
        seed: int = 0,
        top_search: float = 0.15,
    ) -> None:
        self.filters = filters
        self.density = density
        self.parents = parents
        self.parent_candidates = parent_candidates
        self.iterations = iterations
        self.background = background
        self.filters_at_once = filters_at_once
        self.seed = seed
        self.top_search = top_search
        check_params(self.get_params())
        self._layers: list[GraphLayer] = []
        self._image_size: tuple[int, int] = (0, 0)
        self._parts: tuple[str, ...] | None = None
        self._model: Any = None
        self._preprocess: Callable[[Any], Any] | None = None

    def set_params(self, **params: Any) -> ExplanatoryGraph:
        """Changes arguments of the constructor, for the next fit.

        Args:
            **params: arguments of the constructor by name.

        Returns:
            The graph itself.

        Raises:
            ValueError: for an unknown name or a value out of range.
        """
        known = self.get_params()
        unknown = sorted(set(params) - set(known))
        if unknown:
            raise ValueError(
                f"Expected arguments out of {sorted(known)}. Received: {unknown}. "
                "Leave the others out."
            )
        ExplanatoryGraph(**(known | params))
        return super().set_params(**params)

    def fit(
        self,
        model: keras.Model,
        layers: Sequence[str],
        images: Any,
        *,
        preprocess: Callable[[Any], Any] | None = None,
        batch_size: int = 32,
        checkpoint: str | os.PathLike[str] | None = None,
        verbose: int = 1,
    ) -> ExplanatoryGraph:
        """Learns the nodes of some layers of a network.

        Args:
            model: functional or Sequential Keras model; nothing of it is changed.
            layers: names or paths of layers with maps, from the lowest to the highest.
            images: `(N, height, width, channels)`, pictures of one kind of object that
                fills them, in values that `model` or `preprocess` takes.
            preprocess: applied to the images before the model. Defaults to None, images
                as they are.
            batch_size: images that the network computes at once.
            checkpoint: path of an `.npz` file that is written after each iteration. If
                it is there, of the same settings, layers and images, learning goes on
                where it stopped. Defaults to None, none.
            verbose: 1 says what is done, 0 nothing.

        Returns:
            The graph itself.

        Raises:
            ValueError: if a layer is none or has no maps, the layers are in the wrong
                order, an image or map holds NaN, no filter of a layer fires, or the
                checkpoint is of another run.
        """
        names = layer_names(layers)
        pictures = to_numpy(images)
        if pictures.ndim != 4 or not len(pictures):
            raise ValueError(
                "Expected images of shape (images, height, width, channels), at least "
                f"one. Received: images of shape {pictures.shape}. Put several "
                "pictures of one kind of object into one array."
            )
        size = pictures.shape[1], pictures.shape[2]
        fields = {name: receptive_field(model, name, size) for name in names}
        check_order(names, fields)
        announce(f"Maps of {', '.join(names)} on {len(pictures):,} images", verbose)
        prepared = pictures if preprocess is None else preprocess(pictures)
        maps = maps_of_layers(model, prepared, names, batch_size)
        self.fit_maps(maps, fields, size, checkpoint=checkpoint, verbose=verbose)
        self._model, self._preprocess = model, preprocess
        return self

    def fit_maps(
        self,
        maps: Mapping[str, Any],
        fields: Mapping[str, ReceptiveField],
        image_size: int | tuple[int, int],
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        verbose: int = 1,
    ) -> ExplanatoryGraph:
        """Learns the nodes of layers whose maps were computed already.

        Args:
            maps: float `(N, H, W, F)` of the same images for each layer by its name,
                channels last, from the lowest layer to the highest. Values below 0
                count as 0.
            fields: receptive field of each layer by its name.
            image_size: side of the images, or `(height, width)`, in pixels.
            checkpoint: path of an `.npz` file that is written after each iteration. If
                it is there, of the same settings, layers and maps, learning goes on
                where it stopped. Defaults to None, none.
            verbose: 1 says what is done, 0 nothing.

        Returns:
            The graph itself.

        Raises:
            ValueError: if maps and fields are of different layers, images or order, a
                map holds NaN, no filter of a layer fires, or the checkpoint is of
                another run.
        """
        check_params(self.get_params())
        height, width = height_width(image_size)
        names, arrays = checked_layers(maps, fields)
        layers = learn_graph(
            arrays,
            {name: fields[name] for name in names},
            self._settings(),
            None if checkpoint is None else Path(checkpoint),
            verbose,
        )
        return self._finished(layers, (int(height), int(width)))

    def infer(
        self,
        image: Any,
        *,
        model: keras.Model | None = None,
        preprocess: Callable[[Any], Any] | None = None,
        batch_size: int = 32,
    ) -> InferredNodes:
        """Finds the nodes in a picture, or in several.

        Args:
            image: `(height, width, channels)`, or `(N, height, width, channels)`, of
                the size and in the values of the images that were learnt from.
            model: the network. Defaults to None, the one that `fit` was given; needed
                after `load` and `fit_maps`.
            preprocess: applied to the images before the model, where `model` is given.
                Defaults to None, images as they are.
            batch_size: images that the network computes at once.

        Returns:
            `InferredNodes`, without an axis of pictures for one picture.

        Raises:
            ValueError: if nothing was learnt yet, there is no model, or the picture is
                of another size.
        """
        self._check_fitted()
        pictures = to_numpy(image)
        if pictures.ndim not in (3, 4) or pictures.shape[-3:-1] != self._image_size:
            raise ValueError(
                f"Expected a picture of {self._image_size} pixels, as those that the "
                f"graph was learnt from. Received: image of shape {pictures.shape}. "
                "Resize it first."
            )
        network, prepare = (
            (self._model, self._preprocess) if model is None else (model, preprocess)
        )
        if network is None:
            raise ValueError(
                "Expected the network whose layers the graph is of. Received: "
                "model=None, and the graph was loaded or learnt from maps. Pass "
                "model=, or the maps to infer_maps."
            )
        batch = pictures if pictures.ndim == 4 else pictures[None]
        names = list(self.layers)
        parts = []
        for start in range(0, len(batch), _IMAGES_AT_ONCE):
            chunk = batch[start : start + _IMAGES_AT_ONCE]
            prepared = chunk if prepare is None else prepare(chunk)
            maps = maps_of_layers(network, prepared, names, batch_size)
            parts.append(find_in_layers(self._layers, maps, self.filters_at_once))
        nodes = self._as_nodes(parts)
        return nodes if pictures.ndim == 4 else nodes.picture(0)

    def infer_maps(self, maps: Mapping[str, Any]) -> InferredNodes:
        """Finds the nodes in pictures whose maps were computed already.

        Args:
            maps: float `(N, H, W, F)` for each layer of the graph by its name, all
                filters of the layer.

        Returns:
            `InferredNodes` of the N pictures.

        Raises:
            ValueError: if nothing was learnt yet, a layer is missing, or maps have
                another shape or hold NaN.
        """
        self._check_fitted()
        missing = [name for name in self.layers if name not in maps]
        if missing:
            raise ValueError(
                f"Expected maps of the layers {list(self.layers)}. Received: none of "
                f"{missing}. Compute the maps of all layers of the graph."
            )
        arrays = {name: checked_maps(name, maps[name]) for name in self.layers}
        check_counts(arrays)
        count = len(next(iter(arrays.values())))
        parts = []
        for start in range(0, count, _IMAGES_AT_ONCE):
            part = slice(start, start + _IMAGES_AT_ONCE)
            chunk = {name: arrays[name][part] for name in arrays}
            parts.append(find_in_layers(self._layers, chunk, self.filters_at_once))
        return self._as_nodes(parts)

    def name_parts(
        self,
        dataset: PartsDataset,
        nodes: InferredNodes | None = None,
        *,
        landmark_groups: Mapping[str, Any] | None = None,
        radius: float = 0.1,
        least_confidence: float = 0.1,
    ) -> FilterNames:
        """Names the nodes after the parts of annotated pictures that they follow.

        The names then stand in what `infer` and `to_networkx` give, and are saved with
        the graph. Nothing else of the graph changes.

        Args:
            dataset: annotated pictures, in the values that `fit` was given.
            nodes: the nodes in those very pictures. Defaults to None: they are
                inferred.
            landmark_groups: landmarks that count as one part, see
                `keras_interp.metrics.name_filters`. Defaults to None: each landmark is
                a part.
            radius: greatest distance of a hit, as a share of the diagonal.
            least_confidence: nodes with less confidence get no name.

        Returns:
            What `keras_interp.metrics.name_filters` gives, with the nodes as filters.

        Raises:
            ValueError: if nothing was learnt yet, or nodes and dataset are not of the
                same pictures.
        """
        found = self.infer(dataset.images) if nodes is None else nodes
        names = name_filters(
            found.located,
            found.strengths,
            dataset,
            landmark_groups=landmark_groups,
            radius=radius,
            least_confidence=least_confidence,
        )
        self._parts = tuple(names.names)
        return names

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, from the lowest to the highest."""
        return tuple(layer.name for layer in reversed(self._layers))

    @property
    def nodes(self) -> NodeTable:
        """Every node of the graph, layer by layer from the lowest."""
        self._check_fitted()
        return NodeTable.of(self._layers, self._parts)

    def to_networkx(self) -> networkx.DiGraph:
        """The graph for networkx: an edge goes from each parent to its child.

        Returns:
            `networkx.DiGraph`. Its nodes are the places in `nodes`, with the attributes
            `layer`, `filter`, `x` and `y` (mean position in pixels), `sigma` (spread in
            pixels), `strength` (mean over the pictures learnt from) and `part`.

        Raises:
            ValueError: if nothing was learnt yet.
        """
        return self.nodes.to_networkx()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Saves the graph, without the network, as one npz file of arrays and JSON.

        Args:
            path: of the file, as it is given.

        Raises:
            ValueError: if nothing was learnt yet.
        """
        self._check_fitted()
        layers, arrays = layers_as_arrays(self._layers)
        about: dict[str, Any] = {"format": FORMAT, "layers": layers}
        about |= {"image_size": self._image_size, "parts": self._parts}
        about["params"] = self.get_params()
        write_arrays(Path(path), about, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ExplanatoryGraph:
        """Loads a graph that `save` wrote.

        Args:
            path: of the file.

        Returns:
            The graph; give the network to its `infer`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is another kind of file, or damaged.
        """
        about, arrays = read_arrays(path)
        if "params" not in about:
            raise ValueError(
                f"Expected a file that ExplanatoryGraph.save wrote. Received: {path}, "
                "a checkpoint. Give it to fit as checkpoint=."
            )
        graph = cls(**about["params"])
        layers = layers_from_arrays(about["layers"], arrays)
        graph._finished(layers, tuple(about["image_size"]))
        graph._parts = None if about["parts"] is None else tuple(about["parts"])
        return graph

    def __repr__(self) -> str:
        if not self._layers:
            return "ExplanatoryGraph, which has learnt nothing yet"
        counts = [
            f"{layer.name} {layer.nodes.sigmas.size}" for layer in self._layers[::-1]
        ]
        total = sum(layer.nodes.sigmas.size for layer in self._layers)
        return f"ExplanatoryGraph of {total} nodes: {', '.join(counts)}"

    def _settings(self) -> GraphSettings:
        recipe = Recipe(
            self.density,
            self.iterations,
            self.parents,
            self.parent_candidates,
            self.background,
            self.top_search,
        )
        return GraphSettings(recipe, self.filters, self.seed, self.filters_at_once)

    def _finished(
        self, layers: list[GraphLayer], image_size: tuple[int, int]
    ) -> ExplanatoryGraph:
        self._layers, self._image_size = layers, image_size
        self._parts, self._model, self._preprocess = None, None, None
        return self

    def _as_nodes(self, parts: list[tuple[np.ndarray, np.ndarray]]) -> InferredNodes:
        table = self.nodes
        return InferredNodes(
            np.concatenate([positions for positions, _ in parts]),
            np.concatenate([strengths for _, strengths in parts]),
            table.layers,
            table.filters,
            table.parts,
            self._image_size,
        )

    def _check_fitted(self) -> None:
        if not self._layers:
            raise ValueError(
                "Expected a graph that has learnt. Received: an ExplanatoryGraph "
                "before fit. Call fit or fit_maps first."
            )
