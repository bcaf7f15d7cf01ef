"""Published weight files, layer names and colour order translated to the backbones'."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from keras_interp.models.matconvnet import name_by_order
from keras_interp.models.preprocessing import PREPARATIONS

FULLY_CONNECTED = ("fc6", "fc7", "fc8")
CNN_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", *FULLY_CONNECTED)


def _deep_layers(*counts: int) -> tuple[str, ...]:
    blocks = enumerate(counts, 1)
    pairs = [(block, number + 1) for block, count in blocks for number in range(count)]
    return (*(f"conv{block}_{number}" for block, number in pairs), *FULLY_CONNECTED)


# Layers with weights of the MatConvNet files, in their order.
CHAINS = {
    "alexnet": CNN_LAYERS,
    "vgg_m": CNN_LAYERS,
    "vgg_s": CNN_LAYERS,
    "vgg16": _deep_layers(2, 2, 3, 3, 3),
    "vgg19": _deep_layers(2, 2, 4, 4, 4),
}
# Layers of `keras.applications.VGG16` and `VGG19` that have other names here.
KERAS_NAMES = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def translate_names(
    stored: dict[str, list[np.ndarray]], path: Path, backbone: str
) -> dict[str, list[np.ndarray]]:
    """Arrays of a published file under the names, and for the colours, of a backbone.

    Args:
        stored: arrays by layer name, as read from the file.
        path: the file; its ending tells where it comes from.
        backbone: short name of the network, a key of `PREPARATIONS`.

    Returns:
        The same arrays by the backbone's layer names. In a MatConvNet file the first
        filters read red first; they are turned for a backbone that reads blue first.
    """
    if path.suffix == ".mat":
        stored = name_by_order(stored, CHAINS.get(backbone, ()))
        _, blue_first = PREPARATIONS[backbone]
        return _turn_colours(stored) if blue_first else stored
    if "block1_conv1" in stored:
        return {_from_keras_name(name): arrays for name, arrays in stored.items()}
    return stored


def _turn_colours(stored: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    first, *others = stored
    filters, *biases = stored[first]
    turned = [filters[:, :, ::-1], *biases]
    return {first: turned, **{name: stored[name] for name in others}}


def _from_keras_name(name: str) -> str:
    name = KERAS_NAMES.get(name, name)
    return re.sub(r"^block(\d)_conv(\d)$", r"conv\1_\2", name)
