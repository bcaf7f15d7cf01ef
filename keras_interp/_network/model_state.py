"""What was traced and compiled of a model, for as long as the model is what it was.

A trace holds what a layer computed then. So whoever keeps one asks at each call whether
the model is still the same: its layers, their classes, and everything that they keep in
Python, numbers in lists and arrays included. The values of variables are read anew at
each call and do not count.
"""

from __future__ import annotations

import contextlib
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
# Numbers and texts, which equal one another and nothing else.
_WITHOUT_PARTS = {bool, bytes, complex, float, int, str, type(None)}
# What is never a tensor, and not asked whether it is one.
_CONTAINERS = {dict, list, tuple, types.FunctionType, types.MethodType}
# Arguments of Keras's layers that matter when weights are made and trained.
_OF_BUILDING = ("_initializer", "_regularizer", "_constraint")
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
        told_by_identity: weak references to what the state names by its address, which
            says nothing any more once the object is gone.
        records: `CallRecord` by the inputs' shapes, and the outline of the graph.
        compiled: functions by method, settings and shapes.
    """

    state: tuple[Any, ...]
    told_by_identity: list[weakref.ref[Any]]
    records: dict[Any, Any] = dataclasses.field(default_factory=dict)
    compiled: dict[Any, Callable[..., Any]] = dataclasses.field(default_factory=dict)

    def is_of(self, state: tuple[Any, ...]) -> bool:
        """Whether the model that it was made of is the same as ever."""
        alive = all(reference() is not None for reference in self.told_by_identity)
        return alive and self.state == state


# Nothing that is kept may hold its model, or neither would ever be freed.
_kept: weakref.WeakKeyDictionary[Any, Kept] = weakref.WeakKeyDictionary()


def kept_of(model: Any) -> Kept:
    """What is kept of a model; nothing, if the model was changed since.

    Args:
        model: any Keras model.

    Returns:
        `Kept`, to be filled.
    """
    with lock:
        kept = _kept.get(model)
        if kept is None or not kept.is_of(model_state(model)):
            references: list[weakref.ref[Any]] = []
            state = model_state(model, references)
            kept = _kept[model] = Kept(state, references)
        return kept


def model_state(
    model: Any, references: list[weakref.ref[Any]] | None = None
) -> tuple[Any, ...]:
    """What decides what a model computes, but for the values of its variables.

    Args:
        model: any Keras model.
        references: is given a weak reference to each object that is told by identity.

    Returns:
        A tuple that equals that of the same model as long as nothing was exchanged: no
        layer, activation, or attribute of a layer, nor what is in a list, dict, array
        or object that is one. It keeps no layer alive.
    """
    states = _States(references)
    return tuple(_state_of_layer(layer, states) for layer in flattened_layers(model))


def _state_of_layer(layer: Any, states: _States) -> tuple[Any, ...]:
    kind = type(layer)
    known = _names_of_keras(isinstance(layer, keras.Model))
    of_keras = kind.__module__.startswith("keras.")
    own = [
        (name, states.of(value))
        for name, value in vars(layer).items()
        if name not in known and not (of_keras and name.endswith(_OF_BUILDING))
    ]
    identities = map(states.identity, (layer, kind, kind.call))
    return (*identities, layer.compute_dtype, own)


@functools.cache
def _names_of_keras(of_model: bool) -> frozenset[str]:
    """Attributes that every layer or model has and that say nothing of what it does."""
    # Names of their own, so that the user's next layers are numbered as ever.
    inputs = keras.Input((1,), name="state_input")
    layer = keras.layers.Identity(name="state_layer")
    names = set(vars(layer))
    model = keras.Model(inputs, layer(inputs), name="state_model")
    names |= set(vars(layer))
    if of_model:
        model.compile(keras.optimizers.SGD(name="state_optimizer"), loss="mse")
        chain = keras.Sequential([inputs, layer], name="state_chain")
        names |= set(vars(model)) | set(vars(chain)) | _OF_TRAINING
    return frozenset(names)


class _States:
    """The states of values that belong together, which may hold one another.

    Args:
        references: as for `model_state`.
    """

    def __init__(self, references: list[weakref.ref[Any]] | None):
        self._references = references
        self._around: set[int] = set()

    def identity(self, value: Any) -> int:
        """The address of an object."""
        if self._references is not None:
            # What cannot be referred to weakly is a function of C, say, and stays.
            with contextlib.suppress(TypeError):
                self._references.append(weakref.ref(value))
        return id(value)

    def of(self, value: Any) -> Any:
        """Something that is equal as long as the value is."""
        kind = type(value)
        if kind in _WITHOUT_PARTS:
            # A NaN does not equal itself; its text does.
            return (kind, value) if value == value else (kind, "nan")
        if isinstance(value, (keras.Variable, keras.Operation, type, types.ModuleType)):
            # The layers of a model are looked into one by one.
            return self.identity(value)
        if kind not in _CONTAINERS:
            told = self._of_numbers(value)
            if told is not None:
                return told
        if id(value) in self._around or len(self._around) > DEEPEST:
            return self.identity(value)
        self._around.add(id(value))
        try:
            return self._of_parts(value)
        finally:
            self._around.discard(id(value))

    def _of_numbers(self, value: Any) -> Any:
        """The state of an array or tensor, `None` for anything else."""
        if isinstance(value, np.generic):
            return type(value), repr(value)
        if isinstance(value, np.ndarray) and value.dtype != object:
            data = np.ascontiguousarray(value).view(np.uint8).tobytes()
            digest = hashlib.blake2b(data, digest_size=16).digest()
            return value.shape, value.dtype.str, digest
        if not ops.is_tensor(value):
            return None
        version = _backend.version_of(value)
        traced = _backend.is_traced(value)
        return ("traced",) if traced else (self.identity(value), version)

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
            return self.identity(value.__func__), self.of(value.__self__)
        if isinstance(value, functools.partial):
            return tuple(map(self.of, (value.func, value.args, value.keywords)))
        if isinstance(value, types.FunctionType):
            return self.identity(value), self.of(_held_by(value))
        own = getattr(value, "__dict__", None)
        if own is None:
            return self.identity(value)
        # An object of the same class with the same contents does the same.
        return self.identity(type(value)), self.of(dict(own))


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
