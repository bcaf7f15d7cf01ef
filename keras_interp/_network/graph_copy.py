"""Copy a graph of layers with its weights, and insert layers on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from keras_interp._network.graph import functional_view, is_graph
from keras_interp._network.layer_names import flattened_layers


def copy_with_insertions(
    model: keras.Model, insertions: dict[int, Callable[[Any], Any]]
) -> keras.Model:
    """Copy a functional or Sequential model, inner models included.

    Args:
        model: the model; it stays as it is.
        insertions: for the `id` of a layer (or operation), a function from its output
            to what the layers above shall see in place of it.

    Returns:
        A functional model of new layers that have the same names, configurations and
        weights. A layer that was used several times is one layer there, too.

    Raises:
        ValueError: if a layer cannot be copied; the message names it.
    """
    copy = GraphCopy(insertions)
    copied = copy.graph(model)
    copy.transfer_weights()
    return copied


class GraphCopy:
    """The copies of layers, made once each.

    Args:
        insertions: as in `copy_with_insertions`.
    """

    def __init__(self, insertions: dict[int, Callable[[Any], Any]]):
        self.insertions = insertions
        # Originals are kept too, so that their ids stay theirs.
        self.pairs: dict[int, tuple[Any, Any]] = {}
        self.originals: dict[int, int] = {}

    def graph(self, model: keras.Model) -> keras.Model:
        return keras.models.clone_model(
            functional_view(model),
            clone_function=self.operation,
            call_function=self.call,
        )

    def operation(self, operation: Any) -> Any:
        """The copy of a layer, an inner model or another operation."""
        if id(operation) not in self.pairs:
            inner = is_graph(operation)
            copy = self.graph(operation) if inner else copy_from_config(operation)
            self.pairs[id(operation)] = operation, copy
            self.originals[id(copy)] = id(operation)
        return self.pairs[id(operation)][1]

    def call(self, copy: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = copy(*args, **kwargs)
        insert = self.insertions.get(self.originals[id(copy)])
        return insert(outputs) if insert else outputs

    def transfer_weights(self) -> None:
        for original, copy in self.pairs.values():
            if not isinstance(original, keras.layers.Layer):
                continue
            if is_graph(original):
                self._freeze_like(original)
                continue
            _check_same_shapes(original, copy)
            copy.set_weights(original.get_weights())
            # Preprocessing layers compute with values derived from their weights.
            if hasattr(copy, "finalize_state"):
                copy.finalize_state()

    def _freeze_like(self, original: keras.Model) -> None:
        """The layers of a frozen inner model are frozen, those inserted are not."""
        if original.trainable:
            return
        for layer in original.layers:
            if id(layer) in self.pairs and not is_graph(layer):
                self.pairs[id(layer)][1].trainable = False


def _check_same_shapes(original: Any, copy: Any) -> None:
    expected = [tuple(variable.shape) for variable in original.weights]
    found = [tuple(variable.shape) for variable in copy.weights]
    if expected != found:
        raise ValueError(
            f"The layer {original.name!r} has weights of the shapes {expected}, but "
            f"with the added layer below it they would be {found}. Leave the number of "
            "maps and their size as they were: give no `filters`, `padding` or "
            "`strides`."
        )


def copy_from_config(operation: Any) -> Any:
    """A new, unbuilt layer or operation with the same configuration."""
    try:
        if type(operation) is keras.layers.Lambda:
            return _copy_lambda(operation)
        with keras.saving.custom_object_scope(_custom_objects(operation)):
            return type(operation).from_config(operation.get_config())
    except Exception as error:  # a user's own get_config may fail in any way
        raise ValueError(
            f"The layer {operation.name!r} of class {type(operation).__name__} cannot "
            f"be copied from its configuration: {error}. Give the class get_config() "
            "and, if its arguments are layers or functions, from_config()."
        ) from error


def _copy_lambda(layer: keras.layers.Lambda) -> keras.layers.Lambda:
    # Keras reads a stored function only in unsafe mode; here it is at hand.
    return keras.layers.Lambda(
        layer.function,
        output_shape=layer._output_shape,
        mask=layer.mask,
        arguments=layer.arguments,
        name=layer.name,
        dtype=layer.dtype_policy,
    )


def _custom_objects(operation: Any) -> dict[str, Any]:
    """Classes and functions of a layer and of the layers in it, by their names."""
    layers = [operation]
    if isinstance(operation, keras.layers.Layer):
        layers = flattened_layers(operation)
    objects = {}
    for layer in layers:
        objects[type(layer).__name__] = type(layer)
        for value in vars(layer).values():
            kind = value if callable(value) and hasattr(value, "__name__") else None
            kind = kind or type(value)
            if not str(kind.__module__).startswith(("keras.", "builtins")):
                objects[kind.__name__] = kind
    return objects
