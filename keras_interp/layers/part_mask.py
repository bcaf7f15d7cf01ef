"""The part mask: keep what lies around each map's peak; and the options of masks."""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import Any

import keras
from keras import ops

from keras_interp.losses import FILTER_LOSSES, PARTS
from keras_interp.losses._templates import (
    check_peak,
    check_template_arguments,
    peak_positions,
    templates_at,
)


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
        beta: Slope of the mask, per side of the map. Defaults to the paper's 4.
        norm: How distance in cells is measured: `"l1"` (default), which makes a
            diamond, or `"l2"`, which makes a disc.
        peak: Where the mask has its 1: `"argmax"` (default), the strongest cell, or
            `"centroid"`, the activation-weighted centre.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

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


def blended_in(templates: Any, epoch: Any, epochs: float) -> Any:
    """The mask of templates, which counts for more in each of the first epochs."""
    mask = ops.relu(templates)
    if not epochs:
        return mask
    share = ops.minimum((ops.convert_to_tensor(epoch) - 1.0) / epochs, 1.0)
    return 1.0 - share + share * mask


def check_feature_map_shape(shape: Any, layer_name: str) -> None:
    """Refuse anything but channels-last maps with a known number of filters."""
    if not isinstance(shape, (tuple, list)) or len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            "Expected feature maps of shape (batch, height, width, filters) with the "
            f"number of filters known at layer '{layer_name}'. Received: "
            f"shape={shape}. Put the layer after a convolution, channels last."
        )


def check_fixed_size(layer_name: str, height: Any, width: Any, what: str) -> None:
    """Refuse maps of an unknown size, or of one cell, where each cell has a number."""
    if height is None or width is None or max(height, width) < 2:
        raise ValueError(
            f"Expected maps of a known size, at least 2 cells on a side, at layer "
            f"'{layer_name}' with {what}, which keeps a number for each cell. "
            f"Received: maps of {height} x {width}. Give the model a fixed input "
            "size, or use filter_loss='posterior' or 'exact'."
        )


def check_mask_options(mask: Any) -> None:
    """Refuse a wrong argument of an `InterpretableMask` by name.

    Args:
        mask: The layer, its arguments set as attributes.

    Raises:
        ValueError: That says what was expected and what came.
    """
    check_template_arguments(mask.beta, mask.norm)
    check_peak(mask.peak)
    choices = {
        "filter_loss": (PARTS, *FILTER_LOSSES, None),
        "scale": ("peak", "paper"),
        "weight_schedule": ("inverse_epoch", "constant", None),
        "targets": ("labels", "response"),
    }
    for name, allowed in choices.items():
        if getattr(mask, name) not in allowed:
            raise ValueError(
                f"Expected `{name}` to be one of {allowed}. "
                f"Received: {name}={getattr(mask, name)!r}."
            )
    _check_number("fraction", mask.fraction, 0.0, 1.0)
    _check_number("mask_warmup_epochs", mask.mask_warmup_epochs, 0.0)
    if mask.filter_loss_weight is not None:
        _check_number("filter_loss_weight", mask.filter_loss_weight, 0.0)
    if mask.num_categories is not None and not (
        isinstance(mask.num_categories, Integral) and int(mask.num_categories) >= 1
    ):
        raise ValueError(
            "Expected `num_categories` to be None or a whole number, 1 for object "
            f"against background. Received: num_categories={mask.num_categories!r}."
        )
    if mask.parts is not None and not (
        isinstance(mask.parts, Integral) and int(mask.parts) >= 1
    ):
        raise ValueError(
            "Expected `parts` to be None or a whole number of places, at least 1. "
            f"Received: parts={mask.parts!r}."
        )
    if mask.filter_loss == PARTS and mask.scale == "paper":
        raise ValueError(
            "Expected a filter loss of the paper or of its released code with "
            f"scale='paper'. Received: filter_loss={mask.filter_loss!r}. Choose "
            "filter_loss='approx', 'running', 'exact', 'authors' or 'posterior'."
        )
    switches = {"mask": "", "learn_beta": "", "monitor": " or 'full'"}
    for name, other in switches.items():
        value = getattr(mask, name)
        if not isinstance(value, bool) and not (other and value == "full"):
            raise ValueError(
                f"Expected `{name}` to be True or False{other}. "
                f"Received: {name}={value!r}."
            )
    if mask.learn_beta and mask.filter_loss != "authors":
        raise ValueError(
            "Expected `filter_loss='authors'` with `learn_beta=True`, the only one "
            f"that learns a slope. Received: filter_loss={mask.filter_loss!r}."
        )
    if (
        mask.targets == "response"
        and FILTER_LOSSES.get(mask.filter_loss)
        and (FILTER_LOSSES[mask.filter_loss].needs_labels)
    ):
        raise ValueError(
            "Expected a filter loss that can do without labels with "
            f"`targets='response'`. Received: filter_loss={mask.filter_loss!r}. Choose "
            "filter_loss='posterior'."
        )


def _check_number(name: str, value: Any, least: float, most: float = inf) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not least <= value <= most or value == inf:
        bound = f"from {least} to {most}" if most != inf else f">= {least}"
        raise ValueError(
            f"Expected `{name}` to be a number {bound}. Received: {name}={value!r}."
        )
