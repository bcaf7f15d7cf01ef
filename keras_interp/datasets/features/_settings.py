"""What features depend on: the network, its weights, the images and the options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp._network.graph import graph_of, nodes_of
from keras_interp._network.layer_names import find_layer
from keras_interp.datasets.features._image_stream import Identity, ImageBatch


def feature_network(model: Any, layer_name: str | None) -> keras.Model:
    """Cuts a model off after a layer.

    Args:
        model: a built Keras model with one input.
        layer_name: the layer wanted, by its name or its path through inner models, or
            None for the model's own output.

    Returns:
        A model with one input and one output that shares the weights.

    Raises:
        ValueError: if `model` is no built Keras model, has several inputs or outputs,
            or has no such layer.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"Expected model as a Keras model. Received: {type(model).__name__}. Pass "
            "a keras.Model."
        )
    if not model.built:
        raise ValueError(
            "Expected a model with weights. Received: one that has no weights yet. "
            "Call it on an image first."
        )
    if layer_name is not None:
        place = find_layer(model, layer_name)
        model = _ending_at(place.models, place.layer)
    for what in ("inputs", "outputs"):
        # A class of its own does not tell; then its first answer is looked at.
        tensors = getattr(model, what, None) or [None]
        if len(tensors) != 1:
            raise ValueError(
                f"the model has {len(tensors)} {what}, expected one; name a layer with "
                "layer_name, or pass a model with one"
            )
    return model


def _ending_at(models: Sequence[Any], layer: Any) -> keras.Model:
    """The graph of the outermost model up to a layer, which may lie in inner models."""
    graph = graph_of(models[0])
    following = models[1] if len(models) > 1 else layer
    nodes = [] if graph is None else nodes_of(graph)
    called = [node for node in nodes if node.operation is following]
    if not called:
        raise ValueError(
            f"Expected a functional or Sequential model around {layer.name!r}. "
            f"Received: {type(models[0]).__name__} {models[0].name!r} with a `call` of "
            "its own. Leave layer_name out, or pass a functional model that ends there."
        )
    # Of a layer that is called several times, its first call is meant.
    if len(models) == 1:
        outputs = called[0].outputs
    else:
        inside = _ending_at(models[1:], layer)
        outputs = keras.tree.flatten(inside(list(called[0].inputs)))
    return keras.Model(graph.inputs, outputs if len(outputs) > 1 else outputs[0])


# What a configuration has besides what the network computes.
_BESIDES = ("build_config", "compile_config", "shared_object_id", "trainable")


def model_fingerprint(model: keras.Model) -> str:
    """A digest of architecture and weights.

    The names of layers do not count: Keras numbers them anew whenever a model is built
    a second time.

    Args:
        model: a built model.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(_architecture(model).encode())
    for weight in model.weights:
        # NumPy warns of TensorFlow's tensors in `convert_to_numpy`.
        array = np.ascontiguousarray(weight.numpy())
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _architecture(model: keras.Model) -> str:
    try:
        config = json.loads(model.to_json())
    except (NotImplementedError, TypeError):  # a class of its own without get_config
        return " ".join(type(layer).__name__ for layer in (model, *model.layers))
    numbers = {name: f"layer {i}" for i, name in enumerate(_names(config))}
    return json.dumps(_renamed(config, numbers), sort_keys=True)


def _names(config: Any) -> dict[str, None]:
    """Names of layers and operations in the order of the configuration."""
    found: dict[str, None] = {}
    if isinstance(config, dict):
        own = config.get("config")
        # A policy for types has a name, too, and that one does count.
        is_policy = str(config.get("class_name")).endswith("Policy")
        if isinstance(own, dict) and "name" in own and not is_policy:
            found[own["name"]] = None
    if isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            found |= _names(value)
    return found


def _renamed(config: Any, numbers: dict[str, str]) -> Any:
    if isinstance(config, dict):
        return {
            key: _renamed(value, numbers)
            for key, value in config.items()
            if key not in _BESIDES
        }
    if isinstance(config, list):
        return [_renamed(value, numbers) for value in config]
    return numbers.get(config, config) if isinstance(config, str) else config


_MOST_IMAGES = 1024  # in a shard: so much work is lost when the process is killed
_SHARD_BYTES = 1 << 26  # and so much memory is used

_WHAT = {
    "model": "the model or the layer",
    "first_picture": "the dataset: its first image",
    "preprocess": "what preprocess makes of the first image",
    "shape": "the shape of an image's features",
    "dtype": "dtype",
    "shard_size": "shard_size",
}


class InputDigest:
    """A digest of images and ids that does not depend on how they are batched."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self._ids: list[Identity] = []

    def add(self, batch: ImageBatch) -> None:
        """Takes in further images."""
        if not self._ids:
            kind = f"{batch.images.dtype} {batch.images.shape[1:]}"
            self._digest.update(kind.encode())
        self._digest.update(np.ascontiguousarray(batch.images).data)
        self._ids += batch.ids

    def hexdigest(self) -> str:
        """32 hexadecimal digits."""
        digest = self._digest.copy()
        digest.update(json.dumps(self._ids).encode())
        return digest.hexdigest()


def default_shard_size(features: np.ndarray) -> int:
    """Images in a shard of 64 MiB, a power of two up to 1,024.

    Args:
        features: of some images.
    """
    bytes_of_one = max(1, features[:1].nbytes)
    fitting = max(1, _SHARD_BYTES // bytes_of_one)
    return min(_MOST_IMAGES, 1 << (fitting.bit_length() - 1))


def prepared(images: np.ndarray, preprocess: Callable | None) -> Any:
    """The network's input for a batch of images."""
    if preprocess is None:
        return images.astype("float32")
    # Some functions write into the array that they are given.
    values = preprocess(images.copy())
    if len(values) != len(images):
        raise ValueError(
            f"preprocess gave {len(values)} images for {len(images)}; it must give "
            "one for each"
        )
    return values


def digest_of(batch: ImageBatch) -> str:
    """The digest of one batch."""
    digest = InputDigest()
    digest.add(batch)
    return digest.hexdigest()


def check_same_settings(
    folder: Path, earlier: dict[str, Any], now: dict[str, Any]
) -> None:
    """Refuses to mix features that were computed differently.

    Raises:
        ValueError: if a setting differs; the message says which.
    """
    for name, words in _WHAT.items():
        if earlier.get(name) != now[name]:
            raise ValueError(
                f"{folder} has features that were computed differently. What differs "
                f"is {words} (there {earlier.get(name)}, here {now[name]}). Choose "
                "another folder, or pass resume=False to delete these features."
            )
