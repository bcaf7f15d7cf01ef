"""A model whose weights are random, while the model itself keeps its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.attribution.call_record import CallRecord


@dataclasses.dataclass(frozen=True)
class WeightedLayer:
    """A layer and the variables that are its own, not those of a layer inside it.

    Args:
        name: path of names, with slashes.
        variables: of floating numbers.
    """

    name: str
    variables: list[Any]


def weighted_layers(record: CallRecord) -> list[WeightedLayer]:
    """The layers of a model that have weights, in the order of their last call.

    Args:
        record: of the model's calls.
    """
    found: dict[int, WeightedLayer] = {}
    for call in record.calls:
        layer = call.operation()
        if not isinstance(layer, keras.layers.Layer):
            continue
        inner = layer._flatten_layers(include_self=False)
        of_others = {id(v) for part in inner for v in part.variables}
        own = [
            variable
            for variable in layer.variables
            if id(variable) not in of_others
            and keras.backend.is_float_dtype(variable.dtype)
        ]
        if own:
            # Moved to the end where the layer is called again.
            found.pop(id(layer), None)
            found[id(layer)] = WeightedLayer(call.name, own)
    return list(found.values())


class RandomizedNetwork(keras.Model):
    """Calls a model with other values in place of some of its variables.

    Example:

    ```python
    network = RandomizedNetwork(model, layers)
    network.randomize(layers[:1], seed=0)
    maps = saliency(network, images, classes)
    ```

    Args:
        model: whose structure is used; it is not changed.
        layers: whose variables may get other values. They start with the model's.
    """

    def __init__(self, model: Any, layers: Sequence[WeightedLayer]):
        # Its own precision must not change the pictures, nor that of the model.
        super().__init__(dtype="float32", autocast=False, name="randomized_network")
        self.model = model
        self._parts = tuple(layers)
        # Copies: torch would share the memory of the model's own values.
        self._values = [
            keras.Variable(
                np.array(ops.convert_to_numpy(variable.value)),
                dtype=variable.dtype,
                trainable=False,
                name="random",
            )
            for variable in self._originals()
        ]
        self.built = True

    def randomize(self, layers: Sequence[WeightedLayer], seed: int) -> None:
        """Permute the values of each variable of some layers."""
        wanted = {id(variable) for layer in layers for variable in layer.variables}
        for index, (original, value) in enumerate(self._pairs()):
            if id(original) in wanted:
                random = np.random.default_rng((seed, index))
                numbers = ops.convert_to_numpy(original.value)
                value.assign(random.permutation(numbers.ravel()).reshape(numbers.shape))

    def restore(self) -> None:
        """Take the model's own values again."""
        for original, value in self._pairs():
            value.assign(original.value)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        others = {id(original): value for original, value in self._pairs()}
        # A scope hides the one around it, so that it must name every variable.
        state = [
            (variable, others.get(id(variable), variable).value)
            for variable in self.model.variables
        ]
        with keras.StatelessScope(state):
            return self.model(inputs, training=training)

    def _originals(self) -> list[Any]:
        return [variable for layer in self._parts for variable in layer.variables]

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        return zip(self._originals(), self._values, strict=True)
