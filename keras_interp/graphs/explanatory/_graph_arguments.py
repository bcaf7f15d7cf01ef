"""Checks of what an explanatory graph is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_interp._network.layer_outputs import feature_maps
from keras_interp.graphs.explanatory._graph_layers import check_order, checked_maps
from keras_interp.receptive_fields import ReceptiveField


def check_params(params: Mapping[str, Any]) -> None:
    """Refuses arguments of a graph that are out of range."""
    for name in ("parents", "parent_candidates", "iterations"):
        _check_count(name, params[name])
    for name in ("filters", "filters_at_once"):
        if params[name] is not None:
            _check_count(name, params[name])
    density, background = params["density"], params["background"]
    top_search = params["top_search"]
    if density is not None and not 0 < density <= 1:
        raise ValueError(
            "Expected density above 0 and at most 1. Received: "
            f"density={density!r}. Leave it out for the paper's."
        )
    if not (background > 0 and np.isfinite(background)):
        raise ValueError(
            "Expected background as a positive number. Received: "
            f"background={background!r}. Leave it out for 0.1."
        )
    if not 0 < top_search <= 0.5:
        raise ValueError(
            "Expected top_search above 0 and at most 0.5. Received: "
            f"top_search={top_search!r}. Leave it out for the released code's 0.15."
        )


def _check_count(name: str, value: Any) -> None:
    """Refuses what is no whole number of at least 1."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(
            f"Expected {name} as a whole number of at least 1. Received: "
            f"{name}={value!r}. Leave it out for the usual number."
        )


def layer_names(layers: Any) -> list[str]:
    """Names of layers as a list, each once."""
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names or len(set(names)) != len(names):
        raise ValueError(
            "Expected layers as different names, from the lowest layer to the highest. "
            f"Received: layers={names}. Name each layer once."
        )
    return names


def checked_layers(
    maps: Mapping[str, Any], fields: Mapping[str, ReceptiveField]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names and maps of the layers of a graph, refused where they do not fit."""
    names = layer_names(list(maps))
    missing = [name for name in names if name not in fields]
    if missing:
        raise ValueError(
            f"Expected fields with a receptive field for each layer of maps, {names}. "
            f"Received: none for {missing}. Get it from ki.receptive_field."
        )
    check_order(names, fields)
    arrays = {name: checked_maps(name, maps[name]) for name in names}
    check_counts(arrays)
    return names, arrays


def check_counts(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses maps of different numbers of images."""
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            "Expected maps of the same images in each layer. Received: maps of "
            f"{counts} images. Compute all layers on the same images."
        )


def maps_of_layers(
    model: keras.Model, images: Any, names: list[str], batch_size: int
) -> dict[str, np.ndarray]:
    """Maps of several layers by their names."""
    maps = feature_maps(model, images, names, batch_size)
    assert isinstance(maps, dict)  # of a list of names
    return maps
