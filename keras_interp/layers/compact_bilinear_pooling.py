"""Compact bilinear pooling: which channels fire together, in a vector of any length."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

METHODS = ("auto", "outer_product", "fft")
DATA_FORMATS = ("channels_last", "channels_first")
_SMALLEST_SQUARED_LENGTH = 1e-12


@keras.saving.register_keras_serializable(package="keras_interp")
class CompactBilinearPooling(keras.layers.Layer):
    """Pools maps into a short sketch of the products of all pairs of channels.

    The outer product of each position's descriptor with itself, summed over the
    positions, says which channels fire together; its `channels ** 2` numbers are hashed
    to `output_dim` of them, each with a sign: the Tensor Sketch. In the mean over
    hashes the inner product of two such vectors is the sum over pairs of positions of
    the squared inner product of their descriptors. By default each number is then
    replaced by its signed square root and the vector divided by its length.

    Example:

    ```python
    trunk = keras.Sequential([
        keras.Input((64, 64, 3)),
        keras.layers.Conv2D(32, 3, activation="relu"),
    ])
    model = keras.Sequential([
        trunk,
        ki.layers.CompactBilinearPooling(output_dim=512),
        keras.layers.Dense(10, activation="softmax"),
    ])
    ```

    Args:
        output_dim: Length of the vector. Defaults to 8192, the paper's.
        seed: Integer that the hashes and signs are drawn from; the same on every
            backend. They are weights that no training moves, and are saved with the
            model. Defaults to 0.
        signed_sqrt: Whether `x` becomes `sign(x) sqrt(|x|)`. Defaults to `True`.
        normalize: Whether the vector is divided by its Euclidean length; one of zeros
            alone stays. Defaults to `True`.
        sqrt_constant: What is added to `sqrt(|x|)` in the gradient of the square root,
            `0.5 / (sqrt(|x|) + constant)`, which else has no bound near 0. The
            published code adds 0.1; with 0 it is the derivative itself, taken as 0 at
            0. Defaults to 1e-3.
        method: How the sums are computed, all exactly: `"outer_product"` sums the outer
            products and then hashes them; `"fft"` hashes the descriptors, multiplies
            their Fourier transforms and sums over positions before the inverse
            transform; `"auto"` takes what needs less memory. Defaults to `"auto"`.
        data_format: `"channels_last"` or `"channels_first"`; `None` takes Keras's
            setting.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Tensor `(batch, ..., channels)` with any number of axes of positions,
            also none, or `(batch, channels, ...)` with `channels_first`.

    Returns:
        Tensor `(batch, output_dim)`, computed in float32 under any policy.

    Raises:
        ValueError: For an argument out of its range, or inputs without channels.

    Reference:
        Gao, Beijbom, Zhang, Darrell, "Compact Bilinear Pooling", CVPR 2016, algorithm 2
        (Tensor Sketch) and section 3.1; Barratt, "InterpNET", 2017, section 2.3.
    """

    def __init__(
        self,
        output_dim: int = 8192,
        seed: int = 0,
        *,
        signed_sqrt: bool = True,
        normalize: bool = True,
        sqrt_constant: float = 1e-3,
        method: str = "auto",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(output_dim, bool) or int(output_dim) != output_dim:
            raise _refused("an integer", output_dim=output_dim)
        if output_dim < 1:
            raise _refused("1 or more", output_dim=output_dim)
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise _refused("an integer of 0 or more", seed=seed)
        if not 0.0 <= sqrt_constant < float("inf"):
            raise _refused("0 or more", sqrt_constant=sqrt_constant)
        if method not in METHODS:
            raise _refused(f"one of {METHODS}", method=method)
        self.output_dim = int(output_dim)
        self.seed = int(seed)
        self.signed_sqrt = bool(signed_sqrt)
        self.normalize = bool(normalize)
        self.sqrt_constant = float(sqrt_constant)
        self.method = method
        self.data_format = data_format or keras.config.image_data_format()
        if self.data_format not in DATA_FORMATS:
            raise _refused(f"one of {DATA_FORMATS}", data_format=data_format)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = self._channels(input_shape)
        # One generator of NumPy: Keras's own draw other numbers on each backend.
        drawn = np.random.default_rng(self.seed)
        hashes = drawn.integers(0, self.output_dim, (2, channels))
        signs = 2 * drawn.integers(0, 2, (2, channels)) - 1
        self.hashes = self.add_weight(
            name="hashes",
            shape=(2, channels),
            initializer=lambda shape, dtype: ops.convert_to_tensor(hashes, dtype),
            dtype="int32",
            trainable=False,
            autocast=False,
        )
        self.signs = self.add_weight(
            name="signs",
            shape=(2, channels),
            initializer=lambda shape, dtype: ops.convert_to_tensor(signs, dtype),
            dtype="float32",
            trainable=False,
            autocast=False,
        )

    def call(self, inputs: Any) -> Any:
        descriptors = ops.cast(self._descriptors(inputs), "float32")
        if self._sums_outer_products(descriptors.shape):
            pooled = self._of_outer_products(descriptors)
        else:
            pooled = self._of_transforms(descriptors)
        if self.signed_sqrt:
            pooled = self._signed_root(pooled)
        if self.normalize:
            squared = ops.sum(ops.square(pooled), axis=-1, keepdims=True)
            pooled = pooled * ops.rsqrt(ops.maximum(squared, _SMALLEST_SQUARED_LENGTH))
        return ops.cast(pooled, self.compute_dtype)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, int]:
        self._channels(input_shape)
        return input_shape[0], self.output_dim

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_dim": self.output_dim,
            "seed": self.seed,
            "signed_sqrt": self.signed_sqrt,
            "normalize": self.normalize,
            "sqrt_constant": self.sqrt_constant,
            "method": self.method,
            "data_format": self.data_format,
        }

    def _channels(self, shape: tuple[int | None, ...]) -> int:
        last = self.data_format == "channels_last"
        channels = shape[-1 if last else 1] if len(shape) > 1 else None
        if channels is None:
            raise ValueError(
                "Expected inputs of shape (batch, ..., channels) with a known number "
                f"of channels, {self.data_format}. Received: inputs of shape "
                f"{tuple(shape)}. Say how many channels the maps have."
            )
        return channels

    def _descriptors(self, inputs: Any) -> Any:
        """The inputs as `(batch, positions, channels)`."""
        if self.data_format == "channels_first":
            inputs = ops.moveaxis(inputs, 1, -1)
        return ops.reshape(inputs, (ops.shape(inputs)[0], -1, inputs.shape[-1]))

    def _sums_outer_products(self, shape: tuple[int | None, ...]) -> bool:
        if self.method != "auto":
            return self.method == "outer_product"
        positions, channels = shape[1:]
        # Two sketches and their transforms, real and imaginary, of each position.
        if positions is None or channels is None:
            return True
        return channels**2 <= 4 * positions * self.output_dim

    def _of_outer_products(self, descriptors: Any) -> Any:
        """Entry (j, k) of the summed outer product goes where both hashes lead it.

        The circular convolution of two sketches, written out.
        """
        products = ops.matmul(ops.transpose(descriptors, (0, 2, 1)), descriptors)
        signs = self.signs[0][:, None] * self.signs[1][None, :]
        places = ops.mod(
            self.hashes[0][:, None] + self.hashes[1][None], self.output_dim
        )
        return self._hashed(products * signs, places)

    def _of_transforms(self, descriptors: Any) -> Any:
        """The product of two Fourier transforms is that of the convolution."""
        shape = ops.shape(descriptors)
        # A sketch is linear, so that each can be one sum over channels.
        parts = []
        for number in (0, 1):
            rows = ops.reshape(descriptors * self.signs[number], (-1, shape[-1]))
            sketch = self._hashed(rows, self.hashes[number])
            parts.append(ops.rfft(sketch))
        (real, imaginary), (other_real, other_imaginary) = parts

        def summed(values: Any) -> Any:
            by_position = (shape[0], shape[1], self.output_dim // 2 + 1)
            return ops.sum(ops.reshape(values, by_position), axis=1)

        return ops.irfft(
            (
                summed(real * other_real - imaginary * other_imaginary),
                summed(real * other_imaginary + imaginary * other_real),
            ),
            fft_length=self.output_dim,
        )

    def _hashed(self, values: Any, places: Any) -> Any:
        """Sums `(rows, ...)` of what has the same place, as `(rows, output_dim)`."""
        places = ops.reshape(places, (-1,))
        flat = ops.reshape(values, (ops.shape(values)[0], places.shape[0]))
        summed = ops.segment_sum(ops.transpose(flat), places, self.output_dim)
        return ops.transpose(summed)

    def _signed_root(self, values: Any) -> Any:
        root = ops.sqrt(ops.abs(values))
        divisor = root + self.sqrt_constant
        slope = ops.where(divisor > 0, 0.5 / ops.where(divisor > 0, divisor, 1.0), 0.0)
        exact = ops.stop_gradient(ops.sign(values) * root)
        # A term of value 0 that carries the slope.
        return exact + ops.stop_gradient(slope) * (values - ops.stop_gradient(values))


def _refused(expected: str, **received: Any) -> ValueError:
    ((name, value),) = received.items()
    return ValueError(
        f"Expected `{name}` as {expected}. Received: {name}={value!r}. Leave it out to "
        "take the usual."
    )
