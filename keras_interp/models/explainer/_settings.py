"""Settings of an explainer: what is allowed, and what the paper may have used."""

from __future__ import annotations

from math import inf, isfinite, nextafter
from numbers import Real
from typing import Any

from keras_interp.losses import FILTER_LOSSES, PARTS

# The paper's text has lost its constants. These are recollected and may be wrong; the
# defaults of `Explainer` are ratios that do not depend on the size of the features.
_PAPER = {
    "fraction": 1.0,
    "filter_loss": "approx",
    "scale": "paper",
    "filter_loss_balance": 2.0 / 3.0,
    "reconstruction_weight": 5e4,
    "reconstruction_power": 1,
    "initialization": "paper",
    "norm_floor": 0.0,
    "restore": None,
}
EXPLAINER_PAPER_SETTINGS: dict[str, dict[str, Any]] = {
    "alexnet": {**_PAPER, "ratio_reward": 1e6},
    "vgg_m": {**_PAPER, "ratio_reward": 1e6},
    "vgg_s": {**_PAPER, "ratio_reward": 1e6},
    "vgg16": {**_PAPER, "ratio_reward": 1.5e5},
}

# Arguments of `Explainer` that shape the network and its losses.
SETTINGS = (
    "filters",
    "fraction",
    "beta",
    "norm",
    "peak",
    "filter_loss",
    "filter_loss_weight",
    "scale",
    "weight_schedule",
    "targets",
    "filter_loss_balance",
    "on_mixture",
    "ratio_reward",
    "reconstruction_weight",
    "reconstruction_power",
    "initialization",
    "norm_momentum",
    "norm_floor",
    "restore",
    "objective",
)
CHOICES: dict[str, tuple[Any, ...]] = {
    "norm": ("l1", "l2"),
    "peak": ("argmax", "centroid"),
    "filter_loss": (*FILTER_LOSSES, PARTS, None),
    "scale": ("peak", "paper"),
    "weight_schedule": ("constant", "inverse_epoch", None),
    "targets": ("response", "labels", None),
    "on_mixture": (True, False),
    "reconstruction_power": (1, 2),
    "initialization": ("identity", "paper"),
    "restore": ("scalar", "channel", None),
    "objective": ("reconstruction", "classification"),
}
# Least and greatest value of each number.
RANGES = {
    "fraction": (0.0, 1.0),
    "beta": (0.0, inf),
    "filter_loss_weight": (0.0, inf),
    "filter_loss_balance": (0.0, inf),
    "ratio_reward": (0.0, inf),
    "reconstruction_weight": (0.0, inf),
    "norm_momentum": (0.0, nextafter(1.0, 0.0)),
    "norm_floor": (0.0, inf),
}


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse a wrong argument before anything is built.

    Args:
        settings: Arguments of `Explainer` by name.
    """
    for name, allowed in CHOICES.items():
        value = settings[name]
        if not any(
            value is one or (value == one and type(value) is type(one))
            for one in allowed
        ):
            raise ValueError(
                f"Expected `{name}` to be one of {allowed}. Received: "
                f"{name}={value!r}. Choose one of these."
            )
    for name, (least, most) in RANGES.items():
        value = settings[name]
        if name == "filter_loss_balance" and value is None:
            continue
        real = isinstance(value, Real) and not isinstance(value, bool)
        if not real or not isfinite(value) or not least <= value <= most:
            upper = "" if most == inf else f" and at most {most:g}"
            raise ValueError(
                f"Expected `{name}` to be a number of {least:g} or more{upper}. "
                f"Received: {name}={value!r}. Give such a number."
            )
    filters = settings["filters"]
    whole = isinstance(filters, int) and not isinstance(filters, bool)
    if filters is not None and (not whole or filters < 1):
        raise ValueError(
            "Expected `filters` to be a positive integer, or None for as many as the "
            f"performer's last maps have. Received: filters={filters!r}."
        )
    if settings["filter_loss"] == PARTS:
        _check_parts(settings)
    if (
        settings["filter_loss_balance"] is not None
        and settings["objective"] == "classification"
    ):
        raise ValueError(
            "Expected filter_loss_balance=None with objective='classification': there "
            "is no reconstruction to balance the filter loss with. Set "
            "`filter_loss_weight` instead."
        )


def _check_parts(settings: dict[str, Any]) -> None:
    for name, usual in (("filter_loss_balance", None), ("scale", "peak")):
        if settings[name] != usual:
            raise ValueError(
                f"Expected {name}={usual!r} with filter_loss='parts', which pulls "
                "filters to places in place of templates on the mixed tracks. "
                f"Received: {name}={settings[name]!r}. Leave it out, or choose "
                "filter_loss='posterior'."
            )
