"""Put the arrays of a weight file into the layers of a model."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp.models._architectures import ARCHITECTURES
from keras_interp.models.weights._files import LayerWeights, read_weight_file
from keras_interp.models.weights._finding import imagenet_weights

logger = logging.getLogger(__name__)
NOT_IN_FILE = "is not in the file"
# Layers of `keras.applications.VGG16` and `VGG19` that have other names here.
KERAS_NAMES = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


@dataclasses.dataclass(frozen=True)
class LoadedWeights:
    """What `load_weights` did.

    Args:
        path: the file.
        loaded: names of the layers that took their weights from it.
        new: names of the layers that kept their new, random weights.
        unused: names of the layers in the file that the model has no place for.
    """

    path: Path
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{len(self.loaded)} layers loaded from {self.path.name}; new: "
            f"{', '.join(self.new) or 'none'}; not used: "
            f"{', '.join(self.unused) or 'none'}"
        )


def load_weights(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    head: Sequence[str] = (),
) -> LoadedWeights:
    """Load a weight file into the layers of a model that have the same names.

    Example:

    ```python
    model = ki.models.VGG_M(classes=6)
    report = ki.models.load_weights(
        model, "imagenet-vgg-m.mat", head=("fc6", "fc7", "fc8")
    )
    print(report)
    ```

    Args:
        model: a functional or sequential Keras model; its weights change.
        path: a Keras `.weights.h5`, `.keras` or legacy `.h5` file, an `.npz` whose
            arrays are `<layer>/w` and `<layer>/b`, or a MatConvNet `.mat` network. The
            arrays are taken as they are, but filters as large as the whole map become
            kernels of fully connected layers.
        head: names of layers that may stay new. They are loaded only when all of them
            are in the file with the right shapes, so that a head is never half old and
            half new.

    Returns:
        A `LoadedWeights`: which layers were loaded, which are new and what in the file
        was not used.

    Raises:
        ValueError: if the file is missing or damaged, or if it lacks a layer or holds
            it in another shape; nothing is loaded then.
    """
    return _load_arrays(model, read_weight_file(path), Path(path), head)


def load_backbone_weights(
    model: keras.Model,
    weights: str | os.PathLike | None,
    backbone: str,
    *,
    may_be_new: Sequence[str],
) -> None:
    """Load the argument `weights` of a backbone, `None` and `"imagenet"` included.

    Args:
        model: the network.
        weights: the argument.
        backbone: key of `ARCHITECTURES`.
        may_be_new: the `head` of `load_weights`; empty where the published one is
            wanted.
    """
    if weights is None:
        return
    if weights == "imagenet":
        weights = imagenet_weights(backbone, with_head=not may_be_new)
    path = Path(weights)
    stored = _translated(read_weight_file(path), path, backbone)
    report = _load_arrays(model, stored, path, may_be_new)
    logger.info("%s: %s", model.name, report)


def _translated(stored: LayerWeights, path: Path, backbone: str) -> LayerWeights:
    """Arrays of a published file under the names, and for the colours, of a backbone.

    In a MatConvNet file the first filters read red first; they are turned for a
    backbone that reads blue first.
    """
    table = ARCHITECTURES[backbone]
    if path.suffix == ".mat":
        stored = _named_by_order(stored, table.chain)
        return _turn_colours(stored) if table.blue_first else stored
    if "block1_conv1" in stored:
        return {_from_keras_name(name): arrays for name, arrays in stored.items()}
    return stored


def _named_by_order(layers: LayerWeights, names: Sequence[str]) -> LayerWeights:
    """Give the layers of a chain the wanted names, if their own are others.

    Files of one network differ in what they call a layer, never in the order.
    """
    if set(names) <= set(layers) or len(names) != len(layers):
        return layers
    return dict(zip(names, layers.values(), strict=True))


def _turn_colours(stored: LayerWeights) -> LayerWeights:
    first, *others = stored
    filters, *biases = stored[first]
    turned = [filters[:, :, ::-1], *biases]
    return {first: turned, **{name: stored[name] for name in others}}


def _from_keras_name(name: str) -> str:
    name = KERAS_NAMES.get(name, name)
    return re.sub(r"^block(\d)_conv(\d)$", r"conv\1_\2", name)


def _load_arrays(
    model: keras.Model, stored: LayerWeights, path: Path, head: Sequence[str]
) -> LoadedWeights:
    holders = _weight_holders(model)
    for name in set(holders) & set(stored):
        stored[name] = _flatten_filters(stored[name], _own_shapes(holders[name]))
    misfits = {
        name: reason
        for name, layer in holders.items()
        if (reason := _misfit(layer, stored.get(name)))
    }
    new = _new_layers(holders, misfits, head)
    refused = [f"{name}: {misfits[name]}" for name in misfits if name not in new]
    if refused:
        raise ValueError(
            f"The weight file {str(path)!r} does not fit the model {model.name!r}: "
            f"{'; '.join(refused)}. Choose the file of this network, or build the "
            "network with the file's sizes."
        )
    loaded = tuple(name for name in holders if name not in new)
    for name in loaded:
        arrays = {str(index): array for index, array in enumerate(stored[name])}
        holders[name].load_own_variables(arrays)
    unused = tuple(name for name in stored if name not in loaded)
    return LoadedWeights(path, loaded, tuple(new), unused)


def _flatten_filters(
    arrays: list[np.ndarray], expected: list[tuple[int, ...]]
) -> list[np.ndarray]:
    """Filters over the whole map as the kernel of a fully connected layer."""
    filters = arrays[0]
    if len(expected[0]) == 2 and filters.ndim == 4:
        # Channels-last maps are flattened in this same order of axes.
        return [filters.reshape(-1, filters.shape[-1]), *arrays[1:]]
    return arrays


def _weight_holders(layer: Any, path: str = "") -> dict[str, keras.layers.Layer]:
    """The layers that own variables, by name; inner ones as `"outer/inner"`.

    Layers of a model inside go by name, layers inside a layer by the attribute that
    holds them, which is how weight files tell them apart.
    """
    holders = {}
    if path and _own_shapes(layer):
        holders[path] = layer
    if isinstance(layer, keras.Model) and layer.layers:
        inner = {part.name: part for part in layer.layers}
    else:
        # On torch, layers do not lie in the `__dict__` of the layer around them.
        own = set(dir(layer)) - set(dir(type(layer)))
        parts = {key: getattr(layer, key) for key in sorted(own)}
        inner = {k: part for k, part in parts.items() if isinstance(part, keras.Layer)}
    for name, part in inner.items():
        holders.update(_weight_holders(part, f"{path}/{name}" if path else name))
    return holders


def _own_shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    """Shapes of what the layer itself writes into a weight file, in that order."""
    store: dict[str, keras.Variable] = {}
    layer.save_own_variables(store)
    return [tuple(np.shape(store[key])) for key in sorted(store, key=int)]


def _misfit(layer: keras.layers.Layer, arrays: list[np.ndarray] | None) -> str:
    """Why the arrays do not go into the layer, or an empty string."""
    expected = _own_shapes(layer)
    if arrays is None:
        return NOT_IN_FILE
    found = [array.shape for array in arrays]
    return "" if expected == found else f"expected shapes {expected}, got {found}"


def _new_layers(
    holders: dict[str, keras.layers.Layer],
    misfits: dict[str, str],
    head: Sequence[str],
) -> list[str]:
    """Layers that keep their new weights: the whole head if any of it does not fit.

    Layers without trainable weights, such as the running state of a mask, may be
    missing too.
    """
    outer = [name.partition("/")[0] for name in misfits]
    head_is_new = any(name in head for name in outer)
    return [
        name
        for name, layer in holders.items()
        if (head_is_new and name.partition("/")[0] in head)
        or (misfits.get(name) == NOT_IN_FILE and not layer.trainable_variables)
    ]
