"""The initial weights of InterpNet's dense layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_interp")
class NormalizedColumns(keras.initializers.Initializer):
    """Normal weights, those of each output unit rescaled to one length ("normc").

    Args:
        length: L2 norm of the weights of a unit. Defaults to 1.0.
        seed: of the weights. None (default) follows `keras.utils.set_random_seed`.
    """

    def __init__(self, length: float = 1.0, seed: int | None = None):
        self.length = length
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Weights of a shape whose last axis is that of the units."""
        weights = keras.random.normal(shape, dtype="float32", seed=self.seed)
        axes = tuple(range(len(shape) - 1))
        squares = ops.sum(ops.square(weights), axis=axes, keepdims=True)
        scaled = weights * self.length / ops.sqrt(ops.maximum(squares, 1e-30))
        return ops.cast(scaled, dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Length and seed."""
        return {"length": self.length, "seed": self.seed}
