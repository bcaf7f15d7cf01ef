"""A short text that two models share only if they compute the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import keras
import numpy as np

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
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
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
