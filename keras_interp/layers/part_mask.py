"""The part mask: keep what lies around each map's peak."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_interp.losses.part_templates import check_template_arguments, templates_at
from keras_interp.losses.peak_positions import check_peak, peak_positions


@keras.saving.register_keras_serializable(package="keras_interp")
class PartMask(keras.layers.Layer):
    """Multiplies each feature map with the template at its peak, `max(x o T, 0)`.

    The mask is 1 at the peak and falls to 0 at `n / beta` cells from it. It is a
    constant in the backward pass.

    Example:

    ```python
    masked = ki.layers.PartMask()(feature_maps)
    ```

    Args:
        beta: Slope of the mask. Defaults to the paper's 4.
        norm: `"l1"` (default) or `"l2"`: diamond or round.
        peak: `"argmax"` (default) or `"centroid"`.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: Tensor `(batch, height, width, filters)`, channels last.

    Returns:
        Tensor of the same shape, not negative.

    Raises:
        ValueError: For an unknown argument, or inputs that are not of rank 4.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
        section 3.1 and figure 4.
    """

    def __init__(
        self, beta: float = 4.0, norm: str = "l1", peak: str = "argmax", **kwargs: Any
    ):
        super().__init__(**kwargs)
        check_template_arguments(beta, norm)
        check_peak(peak)
        self.beta = beta
        self.norm = norm
        self.peak = peak

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        check_feature_map_shape(input_shape, self.name)

    def call(self, inputs: Any) -> Any:
        if inputs.shape[0] == 0:
            return inputs
        _, height, width, _ = ops.shape(inputs)
        # Positions in half precision would be wrong beyond 2048 cells.
        feature_maps = ops.cast(ops.stop_gradient(inputs), "float32")
        rows, columns = peak_positions(feature_maps, self.peak)
        templates = templates_at(rows, columns, height, width, self.beta, self.norm)
        mask = ops.cast(ops.stop_gradient(templates), inputs.dtype)
        return ops.relu(inputs * ops.relu(mask))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta": self.beta,
            "norm": self.norm,
            "peak": self.peak,
        }


def check_feature_map_shape(shape: Any, layer_name: str) -> None:
    """Refuse anything but channels-last maps with a known number of filters."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"Layer '{layer_name}' expects feature maps of shape (batch, height, "
            "width, filters) with the number of filters known. Received: "
            f"shape={shape}"
        )
