"""A frozen 1x1 convolution that whitens the maps of a pretrained network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

# Cells that the components are estimated from: enough for some hundred channels.
MOST_CELLS = 60_000
# A component that hardly varies is not blown up: least variance, of the largest.
SMALLEST_VARIANCE = 1e-6


def whitening_conv(
    feature_maps: Any,
    components: int | None = None,
    *,
    strength: float = 0.5,
    seed: int = 0,
    name: str | None = None,
) -> keras.layers.Conv2D:
    """Make a frozen 1x1 convolution that turns maps into whitened principal components.

    Pretrained maps are a poor ground for filters that shall find a part: their numbers
    run into the hundreds (SqueezeNet), and all channels rise and fall together, so that
    every gradient first learns "how much is going on here". This layer subtracts the
    mean of each channel, turns the channels to their principal components and divides
    each component by its standard deviation to the power of `strength`. One factor for
    all makes the mean square of the components 1, which suits the usual learning rates.

    Example:

    ```python
    trunk = keras.applications.MobileNet(
        (64, 64, 3), alpha=0.25, include_top=False, weights=None
    )
    maps = trunk.predict(images, verbose=0)
    model = ki.models.InterpretableSequential([
        keras.Input(maps.shape[1:]),
        ki.layers.whitening_conv(maps, components=16),
        ki.InterpretableConv(16, 3, padding="same"),
        ki.InterpretableConv(16, 3, padding="same"),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    ```

    Args:
        feature_maps: Array `(images, height, width, channels)`, maps of training images
            that the layer shall be used on; some hundred images are enough.
        components: How many principal components are kept, those of largest variance.
            None (default) keeps all channels.
        strength: From 0, which leaves each component its variance, to 1, which gives
            all the same. Defaults to 0.5: the weak get a say, and the strong
            still more.
        seed: Of the 60,000 cells that the components are estimated from, where there
            are more. Defaults to 0.
        name: Name of the layer. Defaults to None, one that Keras makes up.

    Returns:
        A built `keras.layers.Conv2D` with `trainable=False`, from `(batch, height,
        width, channels)` to `(batch, height, width, components)`. It is saved, exported
        and followed by receptive fields and attributions as any convolution.

    Raises:
        ValueError: For maps of another shape, with NaN or infinite values or with less
            than two cells, a number of components outside 1 to the channels, or a
            strength outside 0 to 1.

    Reference:
        The library's own: see "What a pretrained network needs" in the documentation.
    """
    maps = _checked_maps(feature_maps)
    channels = maps.shape[-1]
    components = channels if components is None else components
    if not (isinstance(components, int | np.integer) and 1 <= components <= channels):
        raise ValueError(
            f"Expected `components` as an integer from 1 to the {channels} channels of "
            f"the maps. Received: components={components!r}."
        )
    if not 0.0 <= strength <= 1.0:
        raise ValueError(
            f"Expected `strength` from 0 to 1. Received: strength={strength!r}."
        )
    mean, matrix, _ = principal_components(maps, int(components), strength, seed)
    layer = keras.layers.Conv2D(int(components), 1, trainable=False, name=name)
    layer.build((None, None, None, channels))
    layer.set_weights([matrix[None, None], -mean @ matrix])
    return layer


def principal_components(
    feature_maps: np.ndarray, components: int, strength: float, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """The mean, the matrix to the components, and their share of the variance.

    Args:
        feature_maps: `(images, height, width, channels)`.
        components: How many to keep.
        strength: Power of the standard deviation that each is divided by.
        seed: Of the sample of cells.

    Returns:
        float32 `(channels,)`, float32 `(channels, components)`, a number from 0 to 1.
    """
    cells = feature_maps.reshape(-1, feature_maps.shape[-1])
    sample = np.random.default_rng(seed).permutation(len(cells))[:MOST_CELLS]
    cells = cells[np.sort(sample)].astype("float64")
    mean = cells.mean(axis=0)
    covariance = np.atleast_2d(np.cov(cells - mean, rowvar=False))
    variances, axes = np.linalg.eigh(covariance)
    order = np.argsort(variances)[::-1][:components]
    kept = np.maximum(variances[order], SMALLEST_VARIANCE * variances.max())
    scale = kept ** (-0.5 * strength)
    # Unit variance of a typical component keeps the usual learning rates usable.
    scale /= np.sqrt(np.mean(kept * scale**2))
    matrix = (axes[:, order] * scale).astype("float32")
    return mean.astype("float32"), matrix, float(kept.sum() / variances.sum())


def _checked_maps(feature_maps: Any) -> np.ndarray:
    maps = np.asarray(feature_maps)
    if maps.ndim != 4 or maps.dtype.kind not in "fiu":
        raise ValueError(
            "Expected `feature_maps` as an array of numbers (images, height, width, "
            f"channels). Received: feature_maps of shape {maps.shape} and type "
            f"{maps.dtype}. Give what the pretrained network predicts of some hundred "
            "training images."
        )
    if maps.size < 2 * max(1, maps.shape[-1]):
        raise ValueError(
            "Expected at least two cells to estimate a variance from. Received: "
            f"feature_maps of shape {maps.shape}. Give maps of more images."
        )
    if maps.min() == maps.max():
        raise ValueError(
            "Expected `feature_maps` that vary. Received: the value "
            f"{maps.flat[0]!r} everywhere. Look for the layer they come from."
        )
    if not np.isfinite(maps).all():
        raise ValueError(
            "Expected finite `feature_maps`. Received: feature_maps with NaN or "
            "infinite values. Look for the images or the layer they come from."
        )
    return maps
