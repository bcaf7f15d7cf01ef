"""What covering each place of a picture costs a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import check_feature_maps, to_numpy
from keras_interp.plotting.occlusion import (
    check_pictures,
    corners,
    covered,
    patch_and_step,
    places,
    responses,
)


def discrepancy_maps(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    filters: Sequence[int] | int | None = None,
    *,
    patch: int | None = None,
    step: int | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Covers each picture place by place and notes by how much each filter's map drops.

    The figure of a pixel is the mean, over the squares that cover it, of the drop of
    the sum of the filter's map. It is positive where the filter needs what is there and
    negative where that held it down. `keras_interp.plotting.empirical_receptive_field`
    averages such maps around the filters' peaks.

    Example:

    ```python
    extract = keras.Model(model.inputs, model.get_layer("conv5").output)
    maps = ki.plotting.discrepancy_maps(
        extract.predict_on_batch, images[:3], filters=[7]
    )
    ax = ki.plotting.overlay(images[0], maps[0, 0], color_bar=True)
    ```

    Args:
        predict: takes float32 pictures `(B, H, W, 3)` in the range of `images` and
            gives feature maps `(B, h, w, C)`. It is called with at most `batch_size`
            pictures at a time.
        images: `(N, H, W, 3)`.
        filters: the F filters to look at. Default: all.
        patch: side of the square, which has the mean colour of `images`, in pixels.
            Default: 33 of 224.
        step: pixels from one place to the next. Default: 9 of 224.
        batch_size: pictures in one call of `predict`.

    Returns:
        float32 `(N, F, H, W)`, in the resolution of the pictures.

    Raises:
        ValueError: if a shape or number does not fit.

    Reference:
        Zhou, Khosla, Lapedriza, Oliva and Torralba, Object Detectors Emerge in Deep
        Scene CNNs, ICLR 2015, section 3.2.
    """
    images = check_pictures(images)
    _, height, width, _ = images.shape
    patch, step = patch_and_step(patch, step, min(height, width))
    maps = check_feature_maps(responses(predict, images, batch_size))
    chosen = np.arange(maps.shape[-1]) if filters is None else np.atleast_1d(filters)
    before = maps.sum(axis=(1, 2))[:, chosen]
    squares = corners(height, width, patch, step)
    fill = images.mean(axis=(0, 1, 2))
    after = np.empty((len(images), len(squares), len(chosen)), before.dtype)
    for image, row in zip(images, after, strict=True):
        # One picture at a time: its covered copies are what fills memory.
        copies = covered(image, squares, patch, fill, batch_size)
        sums = [to_numpy(predict(copy)).sum(axis=(1, 2))[:, chosen] for copy in copies]
        row[:] = np.concatenate(sums)
    down, across = _cover(height, patch, step), _cover(width, patch, step)
    drops = (before[:, None] - after).transpose(0, 2, 1)
    drops = drops.reshape(*drops.shape[:2], down.shape[1], across.shape[1])
    return (down @ drops @ across.T).astype("float32")


def _cover(length: int, patch: int, step: int) -> np.ndarray:
    """`(length, places)`: each pixel's mean over the squares that cover it."""
    first = places(length, patch, step)
    pixels = np.arange(length)[:, None]
    inside = ((pixels >= first) & (pixels < first + patch)).astype("float64")
    # With steps longer than the square some pixels are never covered.
    return inside / np.maximum(inside.sum(axis=1, keepdims=True), 1)
