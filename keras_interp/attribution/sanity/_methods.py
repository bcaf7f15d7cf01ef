"""Which methods a sanity check tries, as functions of a model and images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_interp._network.call_record import CallRecord
from keras_interp.attribution._grad_cam import grad_cam
from keras_interp.attribution._gradients import (
    gradient,
    gradient_times_input,
    saliency,
)
from keras_interp.attribution._guided import deconvnet, guided_backprop
from keras_interp.attribution._integrated_gradients import integrated_gradients
from keras_interp.attribution._occlusion import occlusion
from keras_interp.attribution._relu_rules import RECTIFIERS
from keras_interp.attribution._smooth_grad import smooth_grad
from keras_interp.attribution.excitation._backprop import (
    contrastive_excitation_backprop,
    excitation_backprop,
)

# Takes a model, its inputs and a class for each image; gives maps.
Method = Callable[[Any, Any, Any], np.ndarray]
Methods = Mapping[str, Method] | Sequence[str]

KNOWN = {
    function.__name__: function
    for function in (
        contrastive_excitation_backprop,
        deconvnet,
        excitation_backprop,
        grad_cam,
        gradient,
        gradient_times_input,
        guided_backprop,
        integrated_gradients,
        occlusion,
        saliency,
        smooth_grad,
    )
}


def chosen_methods(methods: Methods, options: Mapping[str, Any]) -> dict[str, Method]:
    """The functions behind the names.

    Args:
        methods: names of methods of this package, or functions by the name that they
            have in the report.
        options: keywords that the methods of this package are called with.

    Returns:
        Functions by name.

    Raises:
        ValueError: for an unknown name, something that cannot be called, or none.
    """
    if isinstance(methods, str):
        methods = [methods]
    if not isinstance(methods, Mapping):
        unknown = [name for name in methods if name not in KNOWN]
        if unknown:
            raise ValueError(
                f"Expected methods among {sorted(KNOWN)}. Received: {unknown}. Pass "
                "other functions as a dict: {'mine': function}."
            )
        methods = {name: functools.partial(KNOWN[name], **options) for name in methods}
    wrong = [name for name, method in methods.items() if not callable(method)]
    if wrong or not methods:
        raise ValueError(
            "Expected methods as names, or a dict of functions that take a model, "
            f"images and classes. Received: {wrong or 'none'}. Leave methods= out for "
            "the usual ones."
        )
    return dict(methods)


def applicable(names: Sequence[str], record: CallRecord) -> list[str]:
    """Those of some methods that have something to work on in a model."""
    rectified = not record.missed_rectifiers and any(
        name in (*RECTIFIERS, "maximum") for name in record.activations
    )
    maps = any(call.has_maps for call in record.calls)
    useless = set() if rectified else {"deconvnet", "guided_backprop"}
    useless |= set() if maps else {"grad_cam"}
    return [name for name in names if name not in useless]


def absolute_map(maps: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Largest absolute value of each pixel over the channels.

    Args:
        maps: what a method gave.
        images: `(batch, height, width, channels)`.

    Returns:
        float64 `(batch, height, width)`.

    Raises:
        ValueError: if the maps do not fit the images.
    """
    values = np.abs(np.asarray(maps, "float64"))
    if values.ndim not in (3, 4) or values.shape[:3] != images.shape[:3]:
        raise ValueError(
            f"Expected a method to give maps of shape {images.shape[:3]}, with or "
            f"without channels. Received: maps of shape {values.shape}. Enlarge them "
            "to the size of the images."
        )
    return values.max(axis=-1) if values.ndim == 4 else values


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns of even width.

    Args:
        head: names of the columns.
        lines: cells of each line.
    """
    rows = [list(head), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    texts = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "".join(f"| {text} |\n" for text in texts)
