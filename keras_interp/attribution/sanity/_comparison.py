"""What the sanity checks share: methods by name, maps compared, tables."""

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
from keras_interp.attribution._guided import RECTIFIERS, deconvnet, guided_backprop
from keras_interp.attribution._integrated_gradients import integrated_gradients
from keras_interp.attribution._occlusion import occlusion
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


# Window and constants of Wang et al. 2004, with the window of equal weights.
WINDOW = 7
K1, K2 = 0.01, 0.03


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of two maps of each image.

    Args:
        first: `(batch, height, width)`.
        second: `(batch, height, width)`, other maps of the same images.

    Returns:
        float64 `(batch,)` from -1 to 1, NaN where a map is constant.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (first, second)]
    one, other = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return (one * other).sum(axis=1) / scale


def structural_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean structural similarity (SSIM) of two maps of each image.

    Each map is first scaled to values from 0 to 1.

    Args:
        first: `(batch, height, width)`.
        second: `(batch, height, width)`, other maps of the same images.

    Returns:
        float64 `(batch,)`, 1 for equal maps.

    Reference:
        Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error
        Visibility to Structural Similarity", 2004, equation 13.
    """
    one, other = _scaled(first), _scaled(second)
    mean_one, mean_other = _local_mean(one), _local_mean(other)
    variances = (
        _local_mean(one**2) - mean_one**2 + _local_mean(other**2) - mean_other**2
    )
    covariance = _local_mean(one * other) - mean_one * mean_other
    luminance = (2 * mean_one * mean_other + K1**2) / (
        mean_one**2 + mean_other**2 + K1**2
    )
    structure = (2 * covariance + K2**2) / (variances + K2**2)
    return (luminance * structure).mean(axis=(1, 2))


def _scaled(maps: np.ndarray) -> np.ndarray:
    least = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - least
    return (maps - least) / np.where(span > 0, span, 1)


def _local_mean(maps: np.ndarray) -> np.ndarray:
    """Mean over the window, where it lies wholly inside the map."""
    from scipy.ndimage import uniform_filter

    sizes = [min(WINDOW, size) for size in maps.shape[1:]]
    means = uniform_filter(maps, size=(1, *sizes), mode="nearest")
    inside = tuple(
        slice(size // 2, length - (size - 1) // 2)
        for size, length in zip(sizes, maps.shape[1:], strict=True)
    )
    return means[(slice(None), *inside)]
