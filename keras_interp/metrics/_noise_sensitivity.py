"""How much an explanation changes when its image is made noisy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._scores import mean_of_known


@dataclasses.dataclass(frozen=True)
class NoiseSensitivity:
    """Result of `noise_sensitivity`.

    Args:
        value: mean of `per_image` over the images whose explanation is not all zero.
        per_image: float64 `(N,)`.
    """

    value: float
    per_image: np.ndarray


def noise_sensitivity(
    function: Callable[[np.ndarray], Any],
    images: Any,
    *,
    noise: float = 0.05,
    samples: int = 4,
    seed: int = 0,
) -> NoiseSensitivity:
    """Measures how much an explanation changes when its image is made noisy.

    The sum of absolute changes as a share of the sum of absolute values, mean over the
    samples: 0 for an explanation that stays, 2 for maps of the same sum that have
    nothing in common.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> steady = ki.metrics.noise_sensitivity(lambda x: np.ones((len(x), 2)), images)
    >>> steady.value
    0.0

    Args:
        function: from images `(N, ...)` to what is judged, an array whose first axis
            are the images: maps, x-features, a prediction.
        images: float `(N, ...)`.
        noise: standard deviation of the Gaussian noise, as a share of the range of
            each image's own values.
        samples: noisy copies of each image.
        seed: of the noise.

    Returns:
        `NoiseSensitivity` with `.value` and `.per_image`.

    Raises:
        ValueError: if `noise` is negative, `samples` below 1, or the function gives
            another number of results than images.

    Reference:
        A measure of this library.
    """
    images = to_numpy(images).astype("float32")
    if not noise >= 0 or samples < 1:
        raise ValueError(
            "Expected noise of at least 0 and samples of at least 1. Received: "
            f"noise={noise!r}, samples={samples!r}. Leave them out for the usual ones."
        )
    generator = np.random.default_rng(seed)
    inner = tuple(range(1, images.ndim))
    spread = images.max(axis=inner, keepdims=True) - images.min(
        axis=inner, keepdims=True
    )
    before = _results(function, images)
    change = np.zeros(len(images))
    for _ in range(samples):
        drawn = generator.standard_normal(images.shape, "float32")
        after = _results(function, images + noise * spread * drawn)
        change += np.abs(after - before).sum(axis=1) / samples
    size = np.abs(before).sum(axis=1)
    per_image = np.where(size > 0, change / np.where(size > 0, size, 1.0), np.nan)
    return NoiseSensitivity(mean_of_known(per_image), per_image)


def _results(function: Callable[[np.ndarray], Any], images: np.ndarray) -> np.ndarray:
    """What a function gives for images, a row each."""
    found = to_numpy(function(images)).astype("float64")
    if found.ndim == 0 or len(found) != len(images):
        raise ValueError(
            f"Expected a function with one result for each of {len(images)} images. "
            f"Received: an array of shape {found.shape}. Return the images on the "
            "first axis."
        )
    return found.reshape(len(images), -1)
