"""Find a layer of a model, those of inner models included: one rule, one message."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import keras

LayerPath = tuple[str, ...]
# So many names a message lists of those that are nearest to a wrong one.
MOST_NAMES_LISTED = 8


@dataclasses.dataclass(frozen=True)
class LayerPlace:
    """A layer in a model that may lie inside other models.

    Attributes:
        models: the models around the layer, outermost first.
        layer: the layer itself.
    """

    models: tuple[Any, ...]
    layer: Any

    @property
    def names(self) -> LayerPath:
        """Names of the inner models and of the layer."""
        return (*(model.name for model in self.models[1:]), self.layer.name)

    @property
    def path(self) -> str:
        """The same with slashes between, such as `"backbone/conv5"`."""
        return "/".join(self.names)


def layer_places(model: Any, around: tuple[Any, ...] = ()) -> Iterator[LayerPlace]:
    """All the layers of a model, in order; a model comes before the layers inside it.

    Args:
        model: any Keras model.
        around: the models around it, outermost first.

    Yields:
        `LayerPlace`s.
    """
    around = (*around, model)
    for layer in model.layers:
        yield LayerPlace(around, layer)
        if isinstance(layer, keras.Model):
            yield from layer_places(layer, around)


def find_layer(model: Any, layer_name: str) -> LayerPlace:
    """The layer that is meant by a name.

    Example:

    ```python
    place = find_layer(model, "conv5")           # or "backbone/conv5"
    place.path, place.layer                      # "backbone/conv5", the layer
    ```

    Args:
        model: any Keras model.
        layer_name: name of a layer, wherever it lies, or its path through the inner
            models, or the end of that path.

    Returns:
        The place. A layer that is reached along several paths has the first.

    Raises:
        ValueError: if no layer, or several, are meant.
    """
    places: dict[int, LayerPlace] = {}
    for place in layer_places(model):
        places.setdefault(id(place.layer), place)
    by_names = {place.names: place for place in reversed(places.values())}
    paths = list(reversed(by_names))
    return by_names[match_path(layer_name, paths, model.name)]


def match_path(
    layer_name: str, paths: Iterable[LayerPath], model_name: str
) -> LayerPath:
    """The one path that is meant by a name.

    Args:
        layer_name: name of a layer, or path with slashes such as `"backbone/conv5"`.
        paths: to choose from.
        model_name: name of the model, for the message.

    Returns:
        The path that equals the name, or else the only one that ends with it.

    Raises:
        ValueError: if no path, or several, end with it.
    """
    # A name may hold slashes of its own, as TensorFlow's did.
    known = {"/".join(path): path for path in paths}
    if str(layer_name) in known:
        return known[str(layer_name)]
    matches = [name for name in known if name.endswith(f"/{layer_name}")]
    if len(matches) == 1:
        return known[matches[0]]
    if matches:
        raise ValueError(
            f"Expected layer_name as the name of one layer of model {model_name!r}. "
            f"Received: layer_name={layer_name!r}, which {len(matches)} layers have. "
            f"Pass one of their paths: {matches}."
        )
    raise ValueError(
        f"Expected layer_name as the name of a layer of model {model_name!r}, or its "
        f"path such as 'backbone/conv5'. Received: layer_name={layer_name!r}. Choose "
        f"from {_listed(_nearest(str(layer_name), list(known)), len(known))}."
    )


def _nearest(asked: str, names: list[str]) -> list[str]:
    """Paths whose last name, or whole, is most like what was asked for."""

    def likeness(name: str) -> float:
        ends = {name, name.rsplit("/", 1)[-1]}
        return max(difflib.SequenceMatcher(None, asked, end).ratio() for end in ends)

    return sorted(names, key=likeness, reverse=True)[:MOST_NAMES_LISTED]


def _listed(names: list[str], count: int) -> str:
    listed = ", ".join(map(repr, names)) or "none"
    return listed + (f" and {count - len(names)} others" if count > len(names) else "")


def flattened_layers(layer: Any, *, include_self: bool = True) -> list[Any]:
    """A layer and all layers inside it, models or not, in order.

    Args:
        layer: any Keras layer or model.
        include_self: whether the layer itself comes first.

    Returns:
        Layers.
    """
    # `Model.layers` has no layers inside layers that are no models, and no public name
    # has them.
    return list(layer._flatten_layers(include_self=include_self))


def inner_layers(layer: Any) -> list[Any]:
    """The layers that a layer holds itself, not those inside them."""
    # As above: only models have a public name for them.
    return list(layer._flatten_layers(include_self=False, recursive=False))
