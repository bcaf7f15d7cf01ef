"""Arguments of an explanation module: what they may be, and those of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, nextafter
from numbers import Real
from typing import Any

# Equation (1) as it stands, from random weights. The paper names neither beta nor q:
# both are those of its released code.
SRAE_PAPER_SETTINGS: dict[str, Any] = {
    "num_features": 5,
    "hidden_units": (800, 100),
    "reconstruction": "sparse",
    "reconstruction_weight": 10.0,
    "sparsity": 100.0,
    "pull_away": 0.0,
    "dropout": 0.02,
    "weight_decay": 1e-4,
    "standardize": False,
    "initialization": "paper",
    "pretraining": None,
}

SETTINGS = (
    "num_features",
    "hidden_units",
    "reconstruction",
    "reconstruction_weight",
    "sparsity",
    "pull_away",
    "pull_away_over",
    "dropout",
    "weight_decay",
    "standardize",
    "initialization",
    "pretraining",
    "pretraining_epochs",
    "rounds",
    "negative_activations",
    "seed",
)
CHOICES: dict[str, tuple[Any, ...]] = {
    "reconstruction": ("sparse", "mse", None),
    "pull_away_over": ("features", "images"),
    "standardize": (True, False),
    "initialization": ("alternating", "paper"),
    "pretraining": ("reconstruction", "layerwise", None),
    "negative_activations": ("refuse", "shift"),
}
# Least and greatest value of each number.
RANGES = {
    "reconstruction_weight": (0.0, inf),
    "sparsity": (nextafter(0.0, 1.0), inf),
    "pull_away": (0.0, inf),
    "weight_decay": (0.0, inf),
}
LEAST_WHOLE = {"pretraining_epochs": 0, "rounds": 1}


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse a wrong argument before anything is built.

    Args:
        settings: arguments of `ExplanationModule` by name.
    """
    for name, allowed in CHOICES.items():
        value = settings[name]
        if not any(value is one or _same(value, one) for one in allowed):
            raise ValueError(
                f"Expected {name} as one of {allowed}. Received: {name}={value!r}. "
                "Choose one of these."
            )
    for name, (least, most) in RANGES.items():
        value = settings[name]
        real = isinstance(value, Real) and not isinstance(value, bool)
        if not real or not isfinite(value) or not least <= value <= most:
            words = "a positive number" if least else "a number of 0 or more"
            raise ValueError(
                f"Expected {name} as {words}. Received: {name}={value!r}. Give such a "
                "number."
            )
    for name, first in LEAST_WHOLE.items():
        value = settings[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < first:
            raise ValueError(
                f"Expected {name} as an integer of {first} or more. Received: "
                f"{name}={value!r}. Give such a number."
            )


def check_classes(class_index: Any, choices: int | None) -> tuple[int, ...]:
    """The classes that are explained.

    Args:
        class_index: an integer, or several.
        choices: how many classes there are; `None` where that is not known yet.

    Returns:
        The classes as a tuple.
    """
    listed = isinstance(class_index, Sequence) and not isinstance(class_index, str)
    listed = listed or getattr(class_index, "ndim", 0) == 1
    classes = list(class_index) if listed else [class_index]
    whole = [_is_whole(one) for one in classes]
    if not classes or not all(whole) or len(set(classes)) < len(classes):
        raise ValueError(
            "Expected class_index as an integer, or a list of different ones. "
            f"Received: class_index={class_index!r}. Number the classes from 0."
        )
    for one in classes:
        if one < 0 or (choices is not None and one >= choices):
            most = "" if choices is None else f" to {choices - 1}"
            raise ValueError(
                f"Expected class_index from 0{most}. Received: class_index={one}. "
                "Number the classes from 0."
            )
    return tuple(int(one) for one in classes)


def _same(value: Any, one: Any) -> bool:
    return type(value) is type(one) and value == one


def _is_whole(value: Any) -> bool:
    integer = hasattr(value, "__index__") and getattr(value, "ndim", 0) == 0
    return integer and not isinstance(value, bool)
