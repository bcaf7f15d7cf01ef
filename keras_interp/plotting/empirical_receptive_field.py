"""The part of its receptive field that a filter really uses, found by occlusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import check_feature_maps, to_numpy
from keras_interp.plotting.occlusion import (
    check_pictures,
    corners,
    covered,
    patch_and_step,
    responses,
)

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField

# Smoothing of the released code, as a share of its 224 pixels.
_SMOOTHING = 30 / 224


def empirical_receptive_field(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    receptive_field: ReceptiveField,
    filters: Sequence[int] | int | None = None,
    *,
    images_per_filter: int = 10,
    strongest: int | None = 4,
    patch: int | None = None,
    step: int | None = None,
    smoothing: float | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Covers each filter's best pictures place by place and adds up what that costs it.

    A square in the mean colour moves over the picture. The places that lower the sum of
    the filter's map most are entered relative to the map's peak, weighted by the drop,
    and smoothed. The theoretical receptive field is usually much larger than this.

    The released code takes random pictures above a threshold; here they are the best
    ones, so that the result depends on no seed. `empirical_size` gives the sides of
    the shapes in pixels, `receptive_field_shapes` draws them, `empirical_regions` lays
    them over pictures and `discrepancy_maps` gives the drops of one picture.

    Example:

    ```python
    extract = keras.Model(model.inputs, model.get_layer("conv5").output)
    field = ki.receptive_field(model, "conv5")
    shapes = ki.plotting.empirical_receptive_field(
        extract.predict_on_batch, images, field, filters=[0, 7]
    )
    side_in_pixels = ki.plotting.empirical_size(shapes)
    ```

    Args:
        predict: takes float32 pictures `(B, H, W, 3)` in the range of `images` and
            gives feature maps `(B, h, w, C)`. It is called with at most `batch_size`
            pictures at a time.
        images: `(N, H, W, 3)`, pictures to choose from.
        receptive_field: of the layer that gives the maps.
        filters: the F filters to look at. Default: all.
        images_per_filter: how many of a filter's best pictures are covered.
        strongest: how many places of each picture are entered: 4 in the released code.
            `None` for all, as Zhou et al. average whole discrepancy maps.
        patch: side of the square in pixels. Default: 33 of 224, as the released code.
        step: pixels from one place to the next. Default: 9 of 224.
        smoothing: standard deviation of the Gaussian in pixels. Default: 30 of 224.
        batch_size: pictures in one call of `predict`.

    Returns:
        float32 `(F, 2 H - 1, 2 W - 1)` between 0 and 1; the middle pixel is the peak's
        place. All 0 for a filter that never fires.

    Raises:
        ValueError: if a shape or number does not fit.

    Reference:
        Zhou, Khosla, Lapedriza, Oliva and Torralba, Object Detectors Emerge in Deep
        Scene CNNs, ICLR 2015, section 3.2; Zhang, Wu and Zhu, CVPR 2018, section 5.2.
    """
    images = check_pictures(images)
    _check_counts(images_per_filter, strongest)
    count, height, width, _ = images.shape
    patch, step = patch_and_step(patch, step, min(height, width))
    smoothing = _SMOOTHING * min(height, width) if smoothing is None else smoothing
    if smoothing < 0:
        raise ValueError(f"smoothing must be at least 0 pixels; got {smoothing}.")
    maps = responses(predict, images, batch_size)
    chosen = np.arange(maps.shape[-1]) if filters is None else np.atleast_1d(filters)
    maps = check_feature_maps(maps)[..., chosen]
    centers = receptive_field.centers(*maps.shape[1:3]).reshape(-1, 2)
    # (F, M): the best pictures of each filter.
    best = np.argsort(-maps.max(axis=(1, 2)), axis=0, kind="stable").T
    best = best[:, : min(images_per_filter, count)]
    squares = corners(height, width, patch, step)
    middles = squares + (patch - 1) / 2
    fill = images.mean(axis=(0, 1, 2))
    entries = np.zeros((len(chosen), 2 * height - 1, 2 * width - 1))
    for index in np.unique(best):
        # One picture at a time: its covered copies are what fills memory.
        which = np.flatnonzero((best == index).any(axis=1))
        copies = covered(images[index], squares, patch, fill, batch_size)
        answers = np.concatenate(
            [to_numpy(predict(batch))[..., chosen[which]] for batch in copies]
        )
        drops = maps[index].sum(axis=(0, 1))[which] - answers.sum(axis=(1, 2))
        peaks = centers[answers.reshape(len(squares), -1, len(which)).argmax(axis=1)]
        _enter(entries, which, np.maximum(drops, 0), middles, peaks, strongest)
    return _smoothed(entries, patch, smoothing)


def _check_counts(images_per_filter: int, strongest: int | None) -> None:
    if images_per_filter < 1 or (strongest is not None and strongest < 1):
        raise ValueError(
            "images_per_filter and strongest must be at least 1; got "
            f"{images_per_filter} and {strongest}."
        )


def _enter(
    entries: np.ndarray,
    filters: np.ndarray,
    drops: np.ndarray,
    middles: np.ndarray,
    peaks: np.ndarray,
    strongest: int | None,
) -> None:
    """Add the strongest drops `(P, F')` of one picture relative to the peaks."""
    _, full_height, full_width = entries.shape
    places = np.argsort(-drops, axis=0, kind="stable")[:strongest]
    weights = np.take_along_axis(drops, places, axis=0)
    at_peak = np.take_along_axis(peaks, places[..., None], axis=0)
    offsets = np.rint(middles[places] - at_peak).astype(int)
    x = offsets[..., 0] + full_width // 2
    y = offsets[..., 1] + full_height // 2
    inside = (x >= 0) & (x < full_width) & (y >= 0) & (y < full_height)
    which = np.broadcast_to(filters, x.shape)
    np.add.at(entries, (which[inside], y[inside], x[inside]), weights[inside])


def _smoothed(entries: np.ndarray, patch: int, smoothing: float) -> np.ndarray:
    """Entries spread over the square that caused them, smoothed, maximum 1."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    shapes = uniform_filter(entries, size=(1, patch, patch), mode="constant")
    shapes = gaussian_filter(shapes, sigma=(0, smoothing, smoothing), mode="constant")
    greatest = shapes.max(axis=(1, 2), keepdims=True)
    return (shapes / np.where(greatest > 0, greatest, 1)).astype("float32")
