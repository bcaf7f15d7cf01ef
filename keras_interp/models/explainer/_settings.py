"""Settings of an explainer: what is allowed, and what the paper may have used."""

from __future__ import annotations

from typing import Any

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
INITIALIZATIONS = ("identity", "paper")
OBJECTIVES = ("reconstruction", "classification")


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse a wrong argument before anything is built.

    Args:
        settings: Arguments of `Explainer` by name. Those of the masks and losses are
            checked by the layers themselves.
    """
    for name, allowed in (
        ("initialization", INITIALIZATIONS),
        ("objective", OBJECTIVES),
    ):
        if settings[name] not in allowed:
            raise ValueError(
                f"Expected `{name}` to be one of {allowed}. Received: "
                f"{name}={settings[name]!r}."
            )
    filters = settings["filters"]
    whole = isinstance(filters, int) and not isinstance(filters, bool)
    if filters is not None and (not whole or filters < 1):
        raise ValueError(
            "Expected `filters` to be a positive integer, or None for as many as the "
            f"performer's last maps have. Received: filters={filters!r}."
        )
    balance = settings["filter_loss_balance"]
    if balance is not None and balance < 0:
        raise ValueError(
            "Expected `filter_loss_balance` of 0 or more, or None for a constant "
            f"weight. Received: filter_loss_balance={balance!r}."
        )
    if balance is not None and settings["objective"] == "classification":
        raise ValueError(
            "Expected filter_loss_balance=None with objective='classification': there "
            "is no reconstruction to balance the filter loss with. Set "
            "`filter_loss_weight` instead."
        )
