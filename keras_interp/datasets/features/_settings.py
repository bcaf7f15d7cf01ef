"""What features depend on: the network, its weights, the images and the options."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp._network.layer_names import find_layer, layer_places
from keras_interp._network.layer_outputs import feature_maps
from keras_interp.datasets.features._image_stream import Identity, ImageBatch


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """The frozen network from images to the features of one layer.

    Args:
        model: a built Keras model with one input.
        layer_name: the layer wanted, by its name or its path through inner models, or
            None for the model's own output.

    Raises:
        ValueError: if `model` is no built Keras model, has several inputs or outputs,
            or has no such layer.
    """

    model: keras.Model
    layer_name: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, keras.Model):
            raise ValueError(
                f"Expected model as a Keras model. Received: "
                f"{type(self.model).__name__}. Pass a keras.Model."
            )
        if not self.model.built:
            raise ValueError(
                "Expected a model with weights. Received: one that has no weights yet. "
                "Call it on an image first."
            )
        if self.layer_name is not None:
            find_layer(self.model, self.layer_name)
        for what in ("inputs", "outputs") if self.layer_name is None else ("inputs",):
            # A class of its own does not tell; then its first answer is looked at.
            tensors = getattr(self.model, what, None) or [None]
            if len(tensors) != 1:
                raise ValueError(
                    f"Expected a model with one of its {what}. Received: one that has "
                    f"{len(tensors)} {what}. Name a layer with layer_name, or pass a "
                    "model with one."
                )

    def __call__(self, values: Any) -> Any:
        """The features of a batch, as arrays."""
        if self.layer_name is None:
            return self.model.predict_on_batch(values)
        values = keras.ops.convert_to_numpy(values)
        return feature_maps(self.model, values, self.layer_name, len(values))

    def fingerprint(self) -> str:
        """A text that two networks share only if they compute the same."""
        digest = model_fingerprint(self.model)
        if self.layer_name is None:
            return digest
        # By its position: Keras numbers names anew.
        wanted = find_layer(self.model, self.layer_name).layer
        layers = [place.layer for place in layer_places(self.model)]
        position = next(i for i, layer in enumerate(layers) if layer is wanted)
        return f"{digest} layer {position}"


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
