"""Feature maps of one layer of any Keras model, a batch at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp._network.graph import (
    finishing_operation,
    graph_of,
    nodes_of,
    output_tensors,
)
from keras_interp._network.layer_names import LayerPlace, layer_places
from keras_interp._network.layer_names import find_layer as _network_layer
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
    has_mask = hasattr(layer, "interpretable_filters")
    before = _models_before(place, stop_at_inputs=has_mask)
    images = to_numpy(images)
    parts: list[tuple[np.ndarray, np.ndarray | None]] = []
    words = f"Feature maps of layer {place.path!r} for {len(images):,} images"
    for chunk in batches(len(images), batch_size, verbose, words):
        batch = images[chunk]
        values = batch if preprocess is None else preprocess(batch)
        for step in before:
            values = step.predict_on_batch(values)
        parts.append(_maps_of(layer, values) if has_mask else (to_numpy(values), None))
    if not parts:
        raise ValueError(
            f"Expected at least one image. Received: images of shape {images.shape}. "
            "Pass a batch of images."
        )
    maps = np.concatenate([maps for maps, _ in parts]).astype("float32", copy=False)
    if maps.ndim != 4:
        raise ValueError(
            "Expected layer_name as a layer with maps (height, width, filters). "
            f"Received: layer {place.path!r}, which gives values of shape "
            f"{maps.shape[1:]} for each image. Choose a convolution or what follows "
            "it."
        )
    if not has_mask:
        return LayerMaps(place.path, maps, None, None, 0)
    masked = np.concatenate([m for _, m in parts if m is not None]).astype("float32")
    categories = np.full(maps.shape[-1], -1)
    known = np.asarray(layer.filter_categories, dtype=int)
    categories[: len(known)] = known
    return LayerMaps(place.path, maps, masked, categories, layer.interpretable_filters)


def find_layer(model: keras.Model, layer_name: str | None) -> LayerPlace:
    """The layer of that name, or the one that a report looks at by itself."""
    if not getattr(model, "outputs", None):
        raise ValueError(
            "Expected a built functional or Sequential Keras model. Received: "
            f"{type(model).__name__} without outputs. Call model.build(...) first, or "
            "wrap a subclassed one: x = keras.Input(shape); keras.Model(x, model(x))."
        )
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


def _models_before(place: LayerPlace, stop_at_inputs: bool) -> list[keras.Model]:
    """Models which, one after the other, lead from the images to the layer."""
    steps = []
    for outer, inner in zip(place.models, place.models[1:], strict=False):
        steps.append(keras.Model(outer.inputs, _inputs_in(outer, inner)))
    last = place.models[-1]
    if stop_at_inputs:
        wanted = _inputs_in(last, place.layer)
    else:
        # Of convolution, batch norm and ReLU in a row the maps are those at the end.
        wanted = output_tensors(finishing_operation(place.layer, last), last)[0]
    steps.append(keras.Model(last.inputs, wanted))
    return steps


def _inputs_in(model: keras.Model, layer: Any) -> Any:
    """The tensors that a layer is first called with in a model."""
    calls = [node for node in nodes_of(graph_of(model)) if node.operation is layer]
    tensors = calls[0].inputs
    return tensors[0] if len(tensors) == 1 else tensors


def _maps_of(layer: Any, inputs: Any) -> tuple[np.ndarray, np.ndarray]:
    """Maps before and after the mask of an interpretable layer."""
    inputs = keras.ops.convert_to_tensor(inputs)
    # A mask alone is given the maps themselves.
    before = layer.feature_maps(inputs) if hasattr(layer, "feature_maps") else inputs
    return to_numpy(before), to_numpy(layer(inputs, training=False))
