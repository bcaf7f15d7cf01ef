"""Feature maps of one layer of any Keras model, a batch at a time."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp._network.calls import Interceptor
from keras_interp._network.explained_model import ObservedModel, check_model
from keras_interp._network.forward_pass import Forward
from keras_interp._network.graph import finishing_operation, graph_of
from keras_interp._network.layer_names import LayerPlace, layer_places
from keras_interp._network.layer_names import find_layer as _network_layer
from keras_interp._network.map_layouts import as_channels_last
from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._progress import batches


@dataclasses.dataclass(frozen=True)
class LayerMaps:
    """What a layer says about images.

    Args:
        layer_name: name or path of the layer.
        maps: float32 `(N, h, w, F)`, after the ReLU and before any mask.
        masked_maps: float32 `(N, h, w, F)`, after the mask; `None` for a layer without.
        categories: int `(F,)`, the category that the layer learnt for each filter, -1
            where none; `None` for an ordinary layer.
        interpretable: how many of the leading filters are interpretable; 0 for an
            ordinary layer.
    """

    layer_name: str
    maps: np.ndarray
    masked_maps: np.ndarray | None
    categories: np.ndarray | None
    interpretable: int


def read_feature_maps(
    model: keras.Model,
    images: Any,
    layer_name: str | None = None,
    *,
    batch_size: int = 64,
    preprocess: Callable[[np.ndarray], Any] | None = None,
    verbose: int = 0,
) -> LayerMaps:
    """Runs images through a model up to one layer.

    Example:

    ```python
    found = ki.reporting.read_feature_maps(model, dataset.images)
    field = ki.receptive_field(model, found.layer_name)
    ```

    Args:
        model: functional or Sequential model; the layer may lie in a model inside it.
        images: `(N, H, W, C)` in the range that `model` takes, or that `preprocess`
            takes.
        layer_name: name or path of a layer with maps `(h, w, F)`. Default: the last
            interpretable layer, or the last convolution where there is none.
        batch_size: images at a time.
        preprocess: applied to each batch of images before the model. Default: images
            go in as they are.
        verbose: 1 shows a progress bar, 0 nothing.

    Returns:
        `LayerMaps`.

    Raises:
        ValueError: if there is no such layer, or it has no maps.
    """
    place = find_layer(model, layer_name)
    layer = place.layer
    masks = _is_interpretable(layer)
    read = layer if masks else _finished(place)
    images = to_numpy(images)
    parts: list[list[np.ndarray]] = []
    words = f"Feature maps of layer {place.path!r} for {len(images):,} images"
    for chunk in batches(len(images), batch_size, verbose, words):
        batch = images[chunk]
        values = batch if preprocess is None else preprocess(batch)
        observed = ObservedModel(model, values)
        call = observed.find_call(place.path, 0)
        key = ("layer_maps", call.path, masks)
        body = _reading(weakref.ref(read), call.layout, masks)
        parts.append(observed.compute(key, body, batch_size=batch_size))
    if not parts:
        raise ValueError(
            f"Expected at least one image. Received: images of shape {images.shape}. "
            "Pass a batch of images."
        )
    maps, *masked_maps = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if maps.ndim != 4:
        raise ValueError(
            "Expected layer_name as a layer with maps (height, width, filters). "
            f"Received: layer {place.path!r}, which gives values of shape "
            f"{maps.shape[1:]} for each image. Choose a convolution or what follows "
            "it."
        )
    if not masks:
        return LayerMaps(place.path, maps, None, None, 0)
    categories = np.full(maps.shape[-1], -1)
    known = np.asarray(layer.filter_categories, dtype=int)
    categories[: len(known)] = known
    count = layer.interpretable_filters
    return LayerMaps(place.path, maps, masked_maps[0], categories, count)


def find_layer(model: keras.Model, layer_name: str | None) -> LayerPlace:
    """The layer of that name, or the one that a report looks at by itself."""
    check_model(model)
    if layer_name is not None:
        return _network_layer(model, layer_name)
    everything = list(layer_places(model))
    for wanted in (_is_interpretable, _is_convolution):
        matching = [place for place in everything if wanted(place.layer)]
        if matching:
            return matching[-1]
    raise ValueError(
        "Expected a model with an interpretable layer or a Conv2D to look at. "
        "Received: neither. Pass layer_name, one of "
        f"{[place.path for place in everything]}."
    )


def _is_interpretable(layer: Any) -> bool:
    return hasattr(layer, "interpretable_filters")


def _is_convolution(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Conv2D)


def _finished(place: LayerPlace) -> Any:
    """Of convolution, batch norm and ReLU in a row the one at the end."""
    model = place.models[-1]
    if graph_of(model) is None:
        return place.layer
    return finishing_operation(place.layer, model)


class _Reading(Interceptor):
    """Keeps what goes into the first call of a layer, and what comes out."""

    def __init__(self, operation: Any):
        self.operation = operation
        self.taken: Any = None
        self.given: Any = None

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        output = call(*args, **kwargs)
        if operation is self.operation and self.given is None:
            self.taken, self.given = args[0], output
        return output


def _reading(
    read: weakref.ref[Any], layout: str | None, masks: bool
) -> Callable[..., Any]:
    """Body that gives the maps of a layer, of an interpretable one also the masked."""

    def body(forward: Forward, images: Any) -> list[Any]:
        layer = read()
        # The mask of an interpretable convolution is a layer inside it.
        reading = _Reading(getattr(layer, "interpretable_mask", layer))
        forward.outputs(images, reading)
        tensors = [reading.taken, reading.given] if masks else [reading.given]
        return [
            keras.ops.cast(as_channels_last(tensor, layout), "float32")
            for tensor in tensors
        ]

    return body


def interpretable_maps(layer: LayerMaps) -> LayerMaps:
    """The interpretable filters of a layer; all filters of an ordinary one."""
    count = layer.interpretable
    if count in (0, layer.maps.shape[-1]):
        return layer
    return dataclasses.replace(
        layer,
        maps=layer.maps[..., :count],
        masked_maps=None
        if layer.masked_maps is None
        else layer.masked_maps[..., :count],
        categories=None if layer.categories is None else layer.categories[:count],
    )
