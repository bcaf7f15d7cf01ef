"""What was traced and compiled of a model, for as long as the model is what it was.

A trace holds what a layer computed then. So whoever keeps one asks at each call whether
the model is still the same: its layers, their classes, and everything that they keep in
Python, numbers in lists and arrays included. The values of variables are read anew at
each call and do not count.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import threading
import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp import _backend
from keras_interp._network.layer_names import flattened_layers

# Held while something is traced or looked up.
lock = threading.RLock()
# So deep the objects that a layer holds are looked into; the rest is told by identity.
DEEPEST = 8
# Set while a model is trained or run; none of it is part of what the model computes.
_OF_TRAINING = {
    "_eval_epoch_iterator",
    "_jax_state",
    "history",
    "optimizer",
    "predict_function",
    "stop_evaluating",
    "stop_predicting",
    "stop_training",
    "test_function",
    "train_function",
}


@dataclasses.dataclass
class Kept:
    """What is kept of one model: nothing that holds the model itself.

    Args:
        state: of the model when it was traced.
        records: `CallRecord` by the inputs' shapes.
        compiled: functions by method, settings and shapes.
    """

    state: tuple[Any, ...]
    records: dict[Any, Any] = dataclasses.field(default_factory=dict)
    compiled: dict[Any, Callable[..., Any]] = dataclasses.field(default_factory=dict)


# Nothing that is kept may hold its model, or neither would ever be freed.
_kept: weakref.WeakKeyDictionary[Any, Kept] = weakref.WeakKeyDictionary()


def kept_of(model: Any) -> Kept:
    """What is kept of a model; nothing, if the model was changed since.

    Args:
        model: any Keras model.

    Returns:
        `Kept`, to be filled.
    """
    state = model_state(model)
    with lock:
        kept = _kept.get(model)
        if kept is None or kept.state != state:
            kept = _kept[model] = Kept(state)
        return kept


def model_state(model: Any) -> tuple[Any, ...]:
    """What decides what a model computes, but for the values of its variables.

    Args:
        model: any Keras model.

    Returns:
        A tuple that equals that of the same model as long as nothing was exchanged: no
        layer, activation, or attribute of a layer, nor what is in a list, dict, array
        or object that is one. It keeps no layer alive.
    """
    return tuple(_state_of_layer(layer) for layer in flattened_layers(model))


def _state_of_layer(layer: Any) -> tuple[Any, ...]:
    kind = type(layer)
    own = {
        name: value
        for name, value in vars(layer).items()
        if name not in _names_of_keras(isinstance(layer, keras.Model))
    }
    states = _States()
    return (
        _Identity(layer),
        _Identity(kind),
        _Identity(kind.call),
        layer.compute_dtype,
        tuple((name, states.of(value)) for name, value in own.items()),
    )


@functools.cache
def _names_of_keras(of_model: bool) -> frozenset[str]:
    """Attributes that every layer or model has and that say nothing of what it does."""
    inputs = keras.Input((1,))
    layer = keras.layers.Identity()
    names = set(vars(layer))
    model = keras.Model(inputs, layer(inputs))
    names |= set(vars(layer))
    if of_model:
        model.compile(loss="mse")
        names |= set(vars(model)) | set(vars(keras.Sequential([inputs, layer])))
        names |= _OF_TRAINING
    return frozenset(names)


class _Identity:
    """Equal to that of the same living object, and to nothing else."""

    def __init__(self, value: Any):
        try:
            self._value: Callable[[], Any] = weakref.ref(value)
        except TypeError:
            number = id(value)
            self._value = lambda: number

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Identity):
            return False
        value = self._value()
        return value is not None and _same(value, other._value())

    def __hash__(self) -> int:
        return 0


def _same(value: Any, other: Any) -> bool:
    # Identities of what cannot be referred to weakly are numbers.
    return value is other or (type(value) is int and value == other)


class _States:
    """The states of values that belong together, which may hold one another."""

    def __init__(self) -> None:
        self._around: set[int] = set()

    def of(self, value: Any) -> Any:
        """Something that is equal as long as the value is."""
        if value is None or isinstance(value, (bool, int, str, bytes)):
            return type(value), value
        if isinstance(value, (float, complex, np.generic)):
            # A NaN does not equal itself; its text does.
            return type(value), repr(value)
        if isinstance(value, np.ndarray) and value.dtype != object:
            data = np.ascontiguousarray(value).view(np.uint8).tobytes()
            digest = hashlib.blake2b(data, digest_size=16).digest()
            return value.shape, value.dtype.str, digest
        if isinstance(value, (keras.Variable, keras.Operation, type, types.ModuleType)):
            # The layers of a model are looked into one by one.
            return _Identity(value)
        if ops.is_tensor(value):
            version = _backend.version_of(value)
            return version if _backend.is_traced(value) else (_Identity(value), version)
        if id(value) in self._around or len(self._around) > DEEPEST:
            return _Identity(value)
        self._around.add(id(value))
        try:
            return self._of_parts(value)
        finally:
            self._around.discard(id(value))

    def _of_parts(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return type(value), tuple((repr(k), self.of(v)) for k, v in value.items())
        if isinstance(value, (list, tuple)):
            return type(value), tuple(map(self.of, value))
        if isinstance(value, (set, frozenset)):
            return type(value), frozenset(map(repr, value))
        if isinstance(value, np.ndarray):
            return value.shape, tuple(map(self.of, value.ravel().tolist()))
        if isinstance(value, types.MethodType):
            return _Identity(value.__func__), self.of(value.__self__)
        if isinstance(value, functools.partial):
            return tuple(map(self.of, (value.func, value.args, value.keywords)))
        if isinstance(value, types.FunctionType):
            return _Identity(value), self.of(_held_by(value))
        own = getattr(value, "__dict__", None)
        if own is None:
            return _Identity(value)
        # An object of the same class with the same contents does the same.
        return _Identity(type(value)), self.of(dict(own))


def _held_by(function: types.FunctionType) -> list[Any]:
    """What a function computes with besides its arguments."""
    cells = [cell for cell in function.__closure__ or () if _is_filled(cell)]
    contents = [cell.cell_contents for cell in cells]
    return [function.__code__, function.__defaults__, function.__kwdefaults__, contents]


def _is_filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
