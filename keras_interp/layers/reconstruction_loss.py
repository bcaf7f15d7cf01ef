"""How far rebuilt features are from the features they stand for."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_interp._backend.replicas import add_loss_of_all, summed
from keras_interp.layers._filter_state import add_state
from keras_interp.layers._labels import current_label_scope

MOMENTUM = 0.99
SMALLEST_NORM = 1e-6


@keras.saving.register_keras_serializable(package="keras_interp")
class ReconstructionLoss(keras.layers.Layer):
    """Hands features on, and adds their distance from the wanted ones to the loss.

    `weight * |x - x*|^2 / E|x*|^power`, a mean over the batch. The expectation is a
    running mean over the images of the training. With `power=2` the loss is the share
    of the wanted features that is missing, whatever their size.

    Example:

    ```python
    rebuilt = ki.layers.ReconstructionLoss()([rebuilt, wanted])
    ```

    Args:
        weight: Factor in front. Defaults to 0.5.
        power: 2 (default), or 1 for the paper's normalisation by `E|x*|`.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Two tensors `(batch, features)`: rebuilt and wanted. Nothing flows back
            into the wanted ones.
        training: Whether the loss is added and the running mean updated. The
            evaluation of a model that opens a label scope adds the loss alone.

    Returns:
        The rebuilt features, unchanged.

    Raises:
        ValueError: For a negative weight, or another power than 1 or 2.

    Reference:
        Zhang, Yang, Wu, "Unsupervised Learning of Neural Networks to Explain Neural
        Networks", 2018, equation 1, first term. The normalisation by the squared norm
        is the library's.
    """

    def __init__(self, weight: float = 0.5, power: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if weight < 0:
            raise ValueError(
                f"Expected `weight` of 0 or more. Received: weight={weight!r}."
            )
        if power not in (1, 2):
            raise ValueError(f"Expected `power` 1 or 2. Received: power={power!r}.")
        self.weight = weight
        self.power = power

    def build(self, input_shape: Any) -> None:
        self.mean_norm = add_state(self, "mean_norm", ())

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        rebuilt, wanted = inputs
        scope = current_label_scope()
        if self.trainable and (training or scope is not None):
            wanted = ops.cast(ops.stop_gradient(wanted), "float32")
            difference = ops.cast(rebuilt, "float32") - wanted
            distance = _mean_square(difference)
            squared_norm = _mean_square(wanted)
            if scope is not None:
                missing = distance / ops.maximum(squared_norm, SMALLEST_NORM)
                scope.findings[self] = {self.name: missing}
            if training:
                loss = self.weight * distance / self._updated_mean(wanted)
            else:
                loss = self.distance(rebuilt, wanted)
            add_loss_of_all(self, loss)
        return rebuilt

    def distance(self, rebuilt: Any, wanted: Any) -> Any:
        """The weighted loss of a batch; changes no state.

        Before training the batch itself says how large the features are.
        """
        wanted = ops.cast(wanted, "float32")
        known = ops.convert_to_tensor(self.mean_norm)
        mean_norm = ops.where(known > 0, known, _mean_norm(wanted, self.power))
        difference = ops.cast(rebuilt, "float32") - wanted
        mean_norm = ops.maximum(mean_norm, SMALLEST_NORM)
        return self.weight * _mean_square(difference) / mean_norm

    def _updated_mean(self, wanted: Any) -> Any:
        batch = _mean_norm(wanted, self.power)
        old = ops.convert_to_tensor(self.mean_norm)
        moved = ops.where(old > 0, MOMENTUM * old + (1.0 - MOMENTUM) * batch, batch)
        new = ops.where(ops.isfinite(batch), moved, old)
        self.mean_norm.assign(new)
        return ops.maximum(new, SMALLEST_NORM)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight, "power": self.power}


def _mean_square(vectors: Any) -> Any:
    """Mean squared length over the batch of all devices."""
    return summed(ops.sum(ops.square(vectors))) / ops.maximum(_images(vectors), 1.0)


def _mean_norm(features: Any, power: int) -> Any:
    norms = ops.sum(ops.square(features), axis=-1)
    norms = norms if power == 2 else ops.sqrt(norms)
    # Without an image it is no number.
    return summed(ops.sum(norms)) / _images(features)


def _images(vectors: Any) -> Any:
    """Number of images on all devices."""
    return summed(ops.cast(ops.shape(vectors)[0], "float32"))
