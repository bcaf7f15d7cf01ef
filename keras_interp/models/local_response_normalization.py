"""Normalise each activation by its neighbours in other channels."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_interp")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide each activation by a power of the energy of its neighbouring channels.

    `y_c = x_c * (offset + alpha * sum of x_m ** 2) ** -beta`, where `m` runs over the
    `depth` channels around `c` (fewer at the two ends).

    Example:

    ```python
    maps = keras.layers.Conv2D(96, 7, strides=2, activation="relu")(images)
    maps = ki.models.LocalResponseNormalization(depth=5, offset=2.0)(maps)
    ```

    Args:
        depth: how many channels are summed, an odd integer.
        offset: added to the energy, above zero (`kappa` in MatConvNet, `k` in Caffe).
        alpha: weight of the energy. It is not divided by `depth`: Caffe's `alpha` is
            `depth` times this one.
        beta: the power.
        **kwargs: keywords of `keras.layers.Layer`.

    Raises:
        ValueError: for an argument out of range.

    Reference:
        Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional
        Neural Networks", NIPS 2012, section 3.3.
    """

    def __init__(
        self,
        depth: int = 5,
        offset: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(depth, bool) or not isinstance(depth, int) or depth % 2 != 1:
            raise ValueError(
                "Expected `depth` as a positive odd integer. Received: "
                f"depth={depth!r}. Choose 5, say."
            )
        numbers = {"offset": offset, "alpha": alpha, "beta": beta}
        real = all(
            isinstance(n, int | float) and math.isfinite(n) for n in numbers.values()
        )
        if not real or depth < 1 or not offset > 0 or alpha < 0:
            raise ValueError(
                "Expected depth >= 1, offset > 0, alpha >= 0 and a finite beta. "
                f"Received: {depth=}, {offset=}, {alpha=}, {beta=}. Choose the "
                "published 5, 2, 1e-4 and 0.75, say."
            )
        self.depth = depth
        self.offset = float(offset)
        self.alpha = float(alpha)
        self.beta = float(beta)

    def call(self, inputs: Any) -> Any:
        # The energy overflows in float16 long before the quotient does.
        double = self.compute_dtype == "float64"
        maps = ops.cast(inputs, "float64" if double else "float32")
        reach = self.depth // 2
        padding = [(0, 0)] * (len(maps.shape) - 1) + [(reach, reach)]
        squares = ops.pad(ops.square(maps), padding)
        channels = maps.shape[-1]
        energy = sum(squares[..., m : m + channels] for m in range(self.depth))
        scale = ops.power(self.offset + self.alpha * energy, -self.beta)
        return ops.cast(maps * scale, self.compute_dtype)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            depth=self.depth, offset=self.offset, alpha=self.alpha, beta=self.beta
        )
        return config
