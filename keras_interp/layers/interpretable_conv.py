"""A convolution whose filters each mean one object part."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_interp.layers.interpretable_mask import MASK_ARGUMENTS, InterpretableMask


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableConv(keras.layers.Conv2D):
    """2D convolution with ReLU, part mask and filter loss.

    A `keras.layers.Conv2D` in every argument. Its maps pass a ReLU; the first
    `round(fraction * filters)` of them are masked around their peaks, and in training a
    filter loss pushes each of these filters to one object part of one category. No part
    annotation is needed, and in the default mode no label either.

    Example:

    ```python
    model = keras.Sequential([
        keras.Input((64, 64, 3)),
        keras.layers.Conv2D(32, 5, strides=2, activation="relu"),
        ki.InterpretableConv(64, 3, padding="same"),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, epochs=5)
    ```

    Args:
        filters: Number of filters.
        kernel_size: Side of the kernel. Defaults to 3.
        fraction: Share of interpretable filters. Defaults to 0.5; the paper's is 1.
        beta: Slope of the templates. Defaults to 4.
        norm: `"l1"` (default) or `"l2"`.
        peak: `"argmax"` (default) or `"centroid"`.
        filter_loss: `"posterior"` (default), `"exact"`, `"running"`, `"approx"`,
            `"authors"` or None; see `InterpretableMask`.
        filter_loss_weight: Weight of the filter loss; None (default) takes the mode's.
        scale: `"peak"` (default) or `"paper"`; see `InterpretableMask`.
        mask: Whether maps are masked. Defaults to True.
        num_categories: Number of categories of the labels, filled in by
            `InterpretableModel` where None (default).
        weight_schedule: `"constant"`, `"inverse_epoch"`, or None (default): the
            constant one with `scale="peak"`, the paper's with `scale="paper"`.
        mask_warmup_epochs: Epochs over which the mask is blended in. Defaults to 0.
        learn_beta: Whether each filter learns its slope (`"authors"` only).
        targets: `"labels"` (default) or `"response"`: which pictures a filter's part is
            looked for in; see `InterpretableMask`.
        monitor: Whether the training log shows the filter loss and its entropies.
        **kwargs: Arguments of `keras.layers.Conv2D`. `activation` can only be
            `"relu"`.

    Call arguments:
        inputs: Tensor `(batch, rows, columns, channels)`, channels last.
        training: Whether the filter loss is added.
        labels: Labels of the batch, for a training loop of your own.

    Attributes:
        interpretable_filters: How many of the leading filters are interpretable.
        filter_categories: Category of each interpretable filter, int array.
        interpretable_mask: The `InterpretableMask` inside.

    Raises:
        ValueError: For an unknown argument, another activation than ReLU, or
            `data_format="channels_first"`.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018.
    """

    activation: Any

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        *,
        fraction: float = 0.5,
        beta: float = 4.0,
        norm: str = "l1",
        peak: str = "argmax",
        filter_loss: str | None = "posterior",
        filter_loss_weight: float | None = None,
        scale: str = "peak",
        mask: bool = True,
        num_categories: int | None = None,
        weight_schedule: str | None = None,
        mask_warmup_epochs: int = 0,
        learn_beta: bool = False,
        targets: str = "labels",
        monitor: bool = True,
        **kwargs: Any,
    ):
        kwargs.setdefault("activation", "relu")
        super().__init__(filters, kernel_size, **kwargs)
        self._check_conv_arguments()
        self.interpretable_mask = InterpretableMask(
            fraction=fraction,
            beta=beta,
            norm=norm,
            peak=peak,
            filter_loss=filter_loss,
            filter_loss_weight=filter_loss_weight,
            scale=scale,
            mask=mask,
            num_categories=num_categories,
            weight_schedule=weight_schedule,
            mask_warmup_epochs=mask_warmup_epochs,
            learn_beta=learn_beta,
            targets=targets,
            monitor=monitor,
            # The log names the layer that the user made.
            name=self.name,
            dtype=self.dtype_policy,
        )

    def _check_conv_arguments(self) -> None:
        if self.data_format != "channels_last":
            raise ValueError(
                "InterpretableConv works on channels-last maps (batch, rows, columns, "
                f"channels). Received: data_format={self.data_format!r}. Move the "
                "channels with keras.layers.Permute((2, 3, 1)) before the layer and "
                "pass data_format='channels_last'."
            )
        # The backend's own, such as tf.nn.relu, is the same function.
        name = getattr(self.activation, "__name__", self.activation)
        if name != "relu":
            raise ValueError(
                "InterpretableConv is a convolution with a ReLU, since templates are "
                "compared with activations that are not negative. Received: "
                f"activation={name}. For another activation use keras.layers.Conv2D "
                "and put keras_interp.layers.InterpretableMask after it."
            )
        self.activation = keras.activations.relu

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.interpretable_mask.build(super().compute_output_shape(input_shape))

    def feature_maps(self, inputs: Any) -> Any:
        """Activations after the ReLU and before the mask.

        Args:
            inputs: What the layer is called with.

        Returns:
            Tensor `(batch, rows, columns, filters)`.
        """
        return super().call(inputs)

    def call(
        self, inputs: Any, training: bool | None = None, labels: Any = None
    ) -> Any:
        feature_maps = super().call(inputs)
        return self.interpretable_mask(feature_maps, training=training, labels=labels)

    @property
    def interpretable_filters(self) -> int:
        """How many of the leading filters are interpretable."""
        return round(self.interpretable_mask.fraction * self.filters)

    @property
    def filter_categories(self) -> np.ndarray:
        """Category of each interpretable filter; -1 while no label has been seen."""
        return self.interpretable_mask.filter_categories

    def get_config(self) -> dict[str, Any]:
        mask_config = self.interpretable_mask.get_config()
        return {
            **super().get_config(),
            **{name: mask_config[name] for name in MASK_ARGUMENTS},
        }
