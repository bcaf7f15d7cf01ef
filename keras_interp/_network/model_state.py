"""What was traced and compiled of each model, for as long as the model lives."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from collections.abc import Callable
from typing import Any

from keras_interp._network.call_record import CallRecord
from keras_interp._network.layer_names import flattened_layers

# Held while something is traced or looked up.
lock = threading.RLock()


@dataclasses.dataclass
class Kept:
    """What is kept of one model: nothing that holds the model itself.

    Args:
        layers: identities of its layers and their activations.
        records: `CallRecord` by the inputs' shapes.
        compiled: functions by method, settings and shapes.
    """

    layers: tuple[Any, ...]
    records: dict[Any, CallRecord] = dataclasses.field(default_factory=dict)
    compiled: dict[Any, Callable[..., Any]] = dataclasses.field(default_factory=dict)


# Nothing that is kept may hold its model, or neither would ever be freed.
_kept: weakref.WeakKeyDictionary[Any, Kept] = weakref.WeakKeyDictionary()


def kept_of(model: Any) -> Kept:
    """What is kept of a model, forgotten when a layer or activation was exchanged."""
    layers = tuple(
        (
            id(layer),
            id(getattr(layer, "activation", None)),
            len(layer._trainable_variables),
        )
        for layer in flattened_layers(model)
    )
    with lock:
        kept = _kept.get(model)
        if kept is None or kept.layers != layers:
            kept = _kept[model] = Kept(layers)
        return kept
