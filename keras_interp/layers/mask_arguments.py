"""What an interpretable mask can be made with."""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import Any

from keras_interp.losses import FILTER_LOSSES
from keras_interp.losses.part_templates import check_template_arguments
from keras_interp.losses.peak_positions import check_peak


def check_mask_arguments(mask: Any) -> None:
    """Refuse a wrong argument of an `InterpretableMask` by name.

    Args:
        mask: The layer, its arguments set as attributes.

    Raises:
        ValueError: That says what was expected and what came.
    """
    check_template_arguments(mask.beta, mask.norm)
    check_peak(mask.peak)
    choices = {
        "filter_loss": (*FILTER_LOSSES, None),
        "scale": ("peak", "paper"),
        "weight_schedule": ("inverse_epoch", "constant", None),
        "targets": ("labels", "response"),
    }
    for name, allowed in choices.items():
        if getattr(mask, name) not in allowed:
            raise ValueError(
                f"`{name}` must be one of {allowed}. "
                f"Received: {name}={getattr(mask, name)!r}"
            )
    _check_number("fraction", mask.fraction, 0.0, 1.0)
    _check_number("mask_warmup_epochs", mask.mask_warmup_epochs, 0.0)
    if mask.filter_loss_weight is not None:
        _check_number("filter_loss_weight", mask.filter_loss_weight, 0.0)
    if mask.num_categories is not None and not (
        isinstance(mask.num_categories, Integral) and int(mask.num_categories) >= 1
    ):
        raise ValueError(
            "`num_categories` must be None or a whole number, 1 for object against "
            f"background. Received: num_categories={mask.num_categories!r}"
        )
    for name in ("mask", "learn_beta", "monitor"):
        if not isinstance(getattr(mask, name), bool):
            raise ValueError(
                f"`{name}` must be True or False. "
                f"Received: {name}={getattr(mask, name)!r}"
            )
    if mask.learn_beta and mask.filter_loss != "authors":
        raise ValueError(
            "`learn_beta=True` belongs to `filter_loss='authors'`. "
            f"Received: filter_loss={mask.filter_loss!r}"
        )
    if (
        mask.targets == "response"
        and FILTER_LOSSES.get(mask.filter_loss)
        and (FILTER_LOSSES[mask.filter_loss].needs_labels)
    ):
        raise ValueError(
            f"`targets='response'` cannot serve filter_loss={mask.filter_loss!r}, "
            "which goes by labels. Choose filter_loss='posterior'."
        )


def _check_number(name: str, value: Any, least: float, most: float = inf) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not least <= value <= most or value == inf:
        bound = f"from {least} to {most}" if most != inf else f">= {least}"
        raise ValueError(
            f"`{name}` must be a number {bound}. Received: {name}={value!r}"
        )
