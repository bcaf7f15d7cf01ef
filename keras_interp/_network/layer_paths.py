"""Names of layers, those inside nested models included."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import keras

LayerPath = tuple[str, ...]


def layer_paths(model: keras.Model) -> dict[LayerPath, Any]:
    """Every layer of a model under its path, such as `("backbone", "conv5")`.

    Args:
        model: whose layers are wanted; models among them are entered.

    Returns:
        Layers by path, in the order of the model.
    """
    found: dict[LayerPath, Any] = {}
    for layer in model.layers:
        found[(layer.name,)] = layer
        if isinstance(layer, keras.Model):
            for path, inner in layer_paths(layer).items():
                found[(layer.name, *path)] = inner
    return found


def match_path(layer_name: str, paths: Iterable[LayerPath]) -> LayerPath:
    """The one path that ends with the name or path asked for.

    Args:
        layer_name: name of a layer, or path with slashes such as `"backbone/conv5"`.
        paths: to choose from.

    Returns:
        The path that is meant: the one that equals the name, or else the only one that
        ends with it.

    Raises:
        ValueError: if no path or more than one ends with it.
    """
    paths = list(paths)
    asked = tuple(str(layer_name).split("/"))
    if asked in paths:
        return asked
    matches = [path for path in paths if path[-len(asked) :] == asked]
    if len(matches) == 1:
        return matches[0]
    names = ["/".join(path) for path in matches or paths]
    if matches:
        raise ValueError(
            f"Layer name {layer_name!r} is not unique; pass one of {names}."
        )
    close = difflib.get_close_matches(str(layer_name), names, n=5) or names[:20]
    raise ValueError(
        f"The model has no layer {layer_name!r}; it has {', '.join(close)}"
        f"{' and others' if len(names) > len(close) else ''}."
    )
