"""Give normalised channels the magnitude of the features that they stand for."""

from __future__ import annotations

from typing import Any

import keras

from keras_interp.layers.magnitude_norm import MagnitudeNorm


@keras.saving.register_keras_serializable(package="keras_interp")
class MagnitudeRestore(keras.layers.Layer):
    """Multiplies each channel with the running mean of a reference channel.

    The inverse of `MagnitudeNorm`, for features that no dense layer scales afterwards.

    Example:

    ```python
    rebuilt = ki.layers.MagnitudeRestore()([normalised, performer_features])
    ```

    Args:
        momentum: Share of the running mean that a batch leaves. Defaults to 0.9.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: Two tensors `(batch, ..., channels)`: to be scaled, and the reference.
        training: Whether the running mean is updated.

    Returns:
        Tensor of the first input's shape.

    Raises:
        ValueError: For a momentum outside 0 to 1.
    """

    def __init__(self, momentum: float = 0.9, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.norm = MagnitudeNorm(momentum, floor=0.0, name="reference")

    def build(self, input_shape: Any) -> None:
        self.norm.build(input_shape[1])

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        values, reference = inputs
        alpha = self.norm.alpha
        if training:
            alpha = self.norm.updated_alpha(reference)
            self.norm.alpha.assign(alpha)
        return values * keras.ops.cast(self.norm.divisors(alpha), values.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}
