"""The autoencoder whose few inner units stand for a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_interp")
class SRAEBlock(keras.layers.Layer):
    """Embeds a layer's features into a few x-features, and rebuilds them from these.

    The encoder has a dense layer of each of `hidden_units` and one of the x-features,
    the decoder the same sizes backwards. A ReLU follows each layer, that of the
    x-features and the rebuilt features too. Trained with
    `keras_interp.losses.sparse_reconstruction_loss`, it is the Sparse Reconstruction
    Autoencoder (SRAE); `keras_interp.models.ExplanationModule` does that.

    With `modules=K` it is K such autoencoders on the same features, which are computed
    and trained at once.

    Example:

    ```python
    block = ki.layers.SRAEBlock(num_features=5, hidden_units=(64, 16))
    x_features, rebuilt = block(np.random.rand(8, 100))
    print(x_features.shape, rebuilt.shape)  # (8, 5) (8, 100)
    ```

    Args:
        num_features: number of x-features. Defaults to 5.
        hidden_units: units of the encoder's layers before the x-features, first to
            last. Defaults to `(800, 100)`.
        dropout: share of the first encoder layer's units that is dropped in training.
            Defaults to 0.02.
        feature_bias: bias that the x-features start with, in units of the features.
            Above 0, fewer of them die early in the training. Defaults to 0.5; the
            paper's code starts with 0.
        modules: number of autoencoders. None (default) is one, without an axis for it.
        seed: of the initial weights and of the dropout. None (default) follows
            `keras.utils.set_random_seed`.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`, zero or positive, as after a ReLU.
        training: whether units are dropped.

    Returns:
        Two tensors: x-features `(batch, num_features)` and rebuilt features `(batch,
        features)`. With `modules=K` they are `(batch, K, num_features)` and `(batch, K,
        features)`.

    Raises:
        ValueError: for a number of units, features or modules that is no positive
            integer, a dropout that is not in [0, 1), or inputs that are no vectors.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, section 2;
        sizes, dropout and the ReLU at the end are those of the released code.
    """

    def __init__(
        self,
        num_features: int = 5,
        hidden_units: Sequence[int] = (800, 100),
        *,
        dropout: float = 0.02,
        feature_bias: float = 0.5,
        modules: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        _check_whole(num_features, "num_features", "5")
        listed = isinstance(hidden_units, list | tuple)
        for units in hidden_units if listed else [hidden_units]:
            _check_whole(units if listed else None, "hidden_units", "(800, 100)")
        if modules is not None:
            _check_whole(modules, "modules", "None for one")
        number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout < 1:
            raise ValueError(
                "Expected dropout as a number from 0 and below 1. Received: "
                f"dropout={dropout!r}. Choose 0.02, say."
            )
        self.num_features = num_features
        self.hidden_units = tuple(hidden_units)
        self.dropout = dropout
        self.feature_bias = feature_bias
        self.modules = modules
        self.seed = seed
        self._initializers: dict[str, Any] = {}
        self._seeds = keras.random.SeedGenerator(seed)
        self._drop = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Makes the weights of both halves, one slice a module."""
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                "Expected features (batch, features) of a known number. Received: "
                f"shape {tuple(input_shape)}. Flatten or pool feature maps."
            )
        encoder = [input_shape[-1], *self.hidden_units, self.num_features]
        self.encoder_kernels, self.encoder_biases = self._dense(encoder, "encoder")
        self.decoder_kernels, self.decoder_biases = self._dense(
            encoder[::-1], "decoder"
        )

    def _add(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        self._initializers[name] = initializer
        return self.add_weight(shape=shape, initializer=initializer, name=name)

    def _dense(self, sizes: list[int], name: str) -> tuple[list[Any], list[Any]]:
        count = self.modules or 1
        kernels, biases = [], []
        for number, (inputs, units) in enumerate(
            zip(sizes[:-1], sizes[1:], strict=True)
        ):
            # Keras takes the axis of the modules for that of a filter's cells.
            scale = keras.initializers.VarianceScaling(
                float(count), "fan_avg", "uniform", seed=self._seeds
            )
            shape = (count, inputs, units)
            kernels.append(self._add(f"{name}_kernel_{number}", shape, scale))
            is_x = name == "encoder" and number == len(sizes) - 2
            start = self.feature_bias if is_x else 0.0
            constant = keras.initializers.Constant(start)
            biases.append(
                self._add(f"{name}_bias_{number}", (count, 1, units), constant)
            )
        return kernels, biases

    def call(self, inputs: Any, training: bool | None = None) -> tuple[Any, Any]:
        # The modules come first inside: their products are then one batch of products.
        x_features = inputs[None]
        for number in range(len(self.encoder_kernels)):
            x_features = self._encoded(x_features, number)
            if number == 0 and self.hidden_units:
                x_features = self._drop(x_features, training=training)
        rebuilt = x_features
        for kernel, bias in zip(self.decoder_kernels, self.decoder_biases, strict=True):
            rebuilt = ops.relu(ops.matmul(rebuilt, kernel) + bias)
        return self._batch_first(x_features), self._batch_first(rebuilt)

    def encoder_activations(self, inputs: Any, module: int | None = None) -> list[Any]:
        """What each encoder layer puts out, from the inputs to the x-features.

        Args:
            inputs: `(batch, features)`.
            module: number of a single module to compute; None (default) is all.

        Returns:
            The inputs as `(1, batch, features)`, then a tensor `(modules, batch,
            units)` for each layer.
        """
        found = [ops.cast(inputs, self.compute_dtype)[None]]
        for number in range(len(self.encoder_kernels)):
            found.append(self._encoded(found[-1], number, module))
        return found

    def layerwise_errors(self, inputs: Any) -> Any:
        """Error of each encoder layer alone with its counterpart in the decoder.

        Each pair of layers rebuilds what goes into it, which is held constant: the
        greedy training of one-layer autoencoders.

        Args:
            inputs: `(batch, features)`.

        Returns:
            float32 `(modules,)`, the sum over the layers of mean squared errors.
        """
        activations = self.encoder_activations(inputs)
        last = len(self.encoder_kernels) - 1
        errors = 0.0
        for number, below in enumerate(activations[:-1]):
            below = ops.stop_gradient(below)
            above = self._encoded(below, number)
            kernel = self.decoder_kernels[last - number]
            bias = self.decoder_biases[last - number]
            rebuilt = ops.relu(ops.matmul(above, kernel) + bias)
            difference = ops.cast(rebuilt, "float32") - ops.cast(below, "float32")
            errors = errors + ops.mean(ops.square(difference), axis=(1, 2))
        return errors

    def reset_weights(self) -> None:
        """Draws all weights anew, as at the start."""
        variables = [
            *self.encoder_kernels,
            *self.encoder_biases,
            *self.decoder_kernels,
            *self.decoder_biases,
        ]
        for variable in variables:
            start = self._initializers[variable.name]
            variable.assign(start(variable.shape, variable.dtype))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, Any]:
        """Shapes of the x-features and of the rebuilt features."""
        middle = () if self.modules is None else (self.modules,)
        batch, features = input_shape
        return (batch, *middle, self.num_features), (batch, *middle, features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_features": self.num_features,
            "hidden_units": list(self.hidden_units),
            "dropout": self.dropout,
            "feature_bias": self.feature_bias,
            "modules": self.modules,
            "seed": self.seed,
        }

    def _encoded(self, inputs: Any, number: int, module: int | None = None) -> Any:
        kernel = ops.cast(self.encoder_kernels[number], self.compute_dtype)
        bias = ops.cast(self.encoder_biases[number], self.compute_dtype)
        if module is not None:
            kernel, bias = kernel[module : module + 1], bias[module : module + 1]
        return ops.relu(ops.matmul(inputs, kernel) + bias)

    def _batch_first(self, tensor: Any) -> Any:
        if self.modules is None:
            return ops.squeeze(tensor, axis=0)
        return ops.transpose(tensor, (1, 0, 2))


def _check_whole(value: Any, name: str, example: str) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(
            f"Expected {name} as positive integers. Received: {name}={value!r}. "
            f"Choose {example}."
        )
