"""Divide each channel by its mean activation over all images."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_interp._backend.replicas import summed
from keras_interp.layers._filter_state import add_state

SMALLEST_MAGNITUDE = 1e-6


@keras.saving.register_keras_serializable(package="keras_interp")
class MagnitudeNorm(keras.layers.Layer):
    """Divides each channel by its running mean activation, the explainer's norm-layer.

    `x_k / alpha_k` with `alpha_k` the mean of `max(x_k, 0)` over positions and
    images: every channel then has the same magnitude, so that a weight in front of
    several such tracks is the true ratio of their contributions. There is no mean to
    subtract and nothing to learn. In training `alpha` is updated with each batch, and
    is a constant in the backward pass; in inference it stays.

    Example:

    ```python
    norm = ki.layers.MagnitudeNorm()
    maps = norm(keras.layers.MaxPooling2D()(maps))
    ```

    Args:
        momentum: Share of `alpha` that a batch leaves as it is. Defaults to 0.9.
        floor: Smallest `alpha_k` that is divided by, as a share of the mean `alpha`
            of all channels. Defaults to 0.1: without it a channel that dies in training
            is blown up without bound on the images where it still fires.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Tensor `(batch, ..., channels)`.
        training: Whether `alpha` is updated.
        weights: Tensor `(batch,)` of 0 and 1: images that `alpha` is estimated
            from. Default: all.

    Returns:
        Tensor of the same shape. Before the first training step the channels pass
        unchanged.

    Raises:
        ValueError: For a momentum outside 0 to 1, or a floor that is negative.

    Reference:
        Zhang, Yang, Wu, "Unsupervised Learning of Neural Networks to Explain Neural
        Networks", 2018, section 3.1 ("Norm-layer"). Momentum and floor are the
        library's.
    """

    def __init__(self, momentum: float = 0.9, floor: float = 0.1, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0.0 <= momentum < 1.0:
            raise ValueError(
                "Expected `momentum` from 0 to below 1. Received: "
                f"momentum={momentum!r}."
            )
        if floor < 0.0:
            raise ValueError(
                f"Expected `floor` of 0 or more. Received: floor={floor!r}."
            )
        self.momentum = momentum
        self.floor = floor

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.alpha = add_state(self, "alpha", (input_shape[-1],))

    def call(
        self, inputs: Any, training: bool | None = None, weights: Any = None
    ) -> Any:
        alpha = self.alpha
        if training and self.trainable:
            alpha = self.updated_alpha(inputs, weights)
            self.alpha.assign(alpha)
        return inputs / ops.cast(self.divisors(alpha), inputs.dtype)

    def updated_alpha(self, inputs: Any, weights: Any = None) -> Any:
        """Running mean activation after this batch, `(channels,)`."""
        activation = ops.relu(ops.cast(ops.stop_gradient(inputs), "float32"))
        positions = tuple(range(1, len(inputs.shape) - 1))
        if positions:
            activation = ops.mean(activation, axis=positions)
        if weights is None:
            weights = ops.ones_like(activation[:, 0])
        weights = ops.cast(weights, "float32")
        count = summed(ops.sum(weights))
        batch = summed(ops.sum(activation * weights[:, None], axis=0))
        batch = batch / ops.maximum(count, 1.0)
        old = ops.convert_to_tensor(self.alpha)
        # The first batch counts whole: nothing has been seen before it.
        known = ops.any(old > 0)
        moved = self.momentum * old + (1.0 - self.momentum) * batch
        new = ops.where(known, moved, batch)
        # A batch without such a image, or with a NaN map, leaves it as it is.
        return ops.where((count > 0) & ops.isfinite(batch), new, old)

    def divisors(self, alpha: Any = None) -> Any:
        """What the channels are divided by, float32 `(channels,)`, positive.

        Args:
            alpha: Mean activations. Default: the layer's own.
        """
        alpha = ops.convert_to_tensor(self.alpha if alpha is None else alpha)
        floor = ops.maximum(self.floor * ops.mean(alpha), SMALLEST_MAGNITUDE)
        floored = ops.maximum(alpha, floor)
        return ops.where(ops.any(alpha > 0), floored, ops.ones_like(alpha))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "floor": self.floor,
        }


@keras.saving.register_keras_serializable(package="keras_interp")
class MagnitudeRestore(keras.layers.Layer):
    """Multiplies each channel by the running mean of a reference channel.

    The inverse of `MagnitudeNorm`, for features that no dense layer scales afterwards.

    Example:

    ```python
    rebuilt = ki.layers.MagnitudeRestore()([normalised, performer_features])
    ```

    Args:
        momentum: Share of the running mean that a batch leaves. Defaults to 0.9.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

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
        if training and self.trainable:
            alpha = self.norm.updated_alpha(reference)
            self.norm.alpha.assign(alpha)
        return values * keras.ops.cast(self.norm.divisors(alpha), values.dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}
