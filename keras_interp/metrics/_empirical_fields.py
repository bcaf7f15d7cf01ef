"""The part of its receptive field that a filter really uses, found by occlusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import check_feature_maps, to_numpy
from keras_interp.metrics._progress import progress

if TYPE_CHECKING:
    from keras_interp.receptive_fields import ReceptiveField


# Occluder and step of the released code, as shares of its 224 pixels.
_PATCH, _STEP = 33 / 224, 9 / 224


def check_images(images: Any) -> np.ndarray:
    """Images as float32 `(N, H, W, channels)`, at least one and all finite."""
    images = to_numpy(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "Expected images of shape (images, height, width, channels) with at "
            f"least one image. Received: images of shape {images.shape}. Pass a batch "
            "of images."
        )
    images = images.astype("float32")
    if not np.isfinite(images).all():
        raise ValueError(
            f"Expected finite images. Received: {int((~np.isfinite(images)).sum())} "
            "values that are NaN or infinite. Replace them first."
        )
    return images


def patch_and_step(patch: int | None, step: int | None, side: int) -> tuple[int, int]:
    """Side of the square and pixels from one place to the next.

    Args:
        patch: as asked for; `None` for 33 of 224 pixels.
        step: as asked for; `None` for 9 of 224 pixels.
        side: the shorter side of the images.
    """
    patch = max(round(_PATCH * side), 1) if patch is None else patch
    step = max(round(_STEP * side), 1) if step is None else step
    if not 1 <= patch <= side or step < 1:
        raise ValueError(
            f"Expected patch from 1 to {side} pixels and step of at least 1. "
            f"Received: patch={patch}, step={step}. Leave both out for 33 and 9 of "
            "224 pixels."
        )
    return patch, step


def places(length: int, patch: int, step: int) -> np.ndarray:
    """First pixels of the square along one side; the last place touches the border."""
    return np.unique(np.append(np.arange(0, length - patch, step), length - patch))


def corners(height: int, width: int, patch: int, step: int) -> np.ndarray:
    """Upper left corners (x, y) of the square's places, `(P, 2)`, row by row."""
    y, x = np.meshgrid(
        places(height, patch, step), places(width, patch, step), indexing="ij"
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def responses(
    predict: Callable[[np.ndarray], Any], images: np.ndarray, batch_size: int
) -> np.ndarray:
    """Feature maps of all images, `batch_size` images at a time."""
    return np.concatenate(
        [
            to_numpy(predict(images[start : start + batch_size]))
            for start in range(0, len(images), batch_size)
        ]
    )


def covered(
    image: np.ndarray,
    corners: np.ndarray,
    patch: int,
    fill: np.ndarray,
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Batches of copies of an image, each with the square at another place."""
    height, width, _ = image.shape
    for start in range(0, len(corners), batch_size):
        left, top = corners[start : start + batch_size].T[..., None]
        in_x = (np.arange(width) >= left) & (np.arange(width) < left + patch)
        in_y = (np.arange(height) >= top) & (np.arange(height) < top + patch)
        inside = in_y[:, :, None, None] & in_x[:, None, :, None]
        yield np.where(inside, fill, image).astype("float32")


def discrepancy_maps(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    filters: Sequence[int] | int | None = None,
    *,
    patch: int | None = None,
    step: int | None = None,
    batch_size: int = 64,
    verbose: int = 0,
) -> np.ndarray:
    """Covers each image place by place and notes by how much each filter's map drops.

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
        predict: takes float32 images `(B, H, W, 3)` in the range of `images` and
            gives feature maps `(B, h, w, C)`. It is called with at most `batch_size`
            images at a time.
        images: `(N, H, W, 3)`.
        filters: the F filters to look at. Default: all.
        patch: side of the square, which has the mean colour of `images`, in pixels.
            Default: 33 of 224.
        step: pixels from one place to the next. Default: 9 of 224.
        batch_size: images in one call of `predict`.
        verbose: 1 shows a progress bar over the images that are covered, 0 nothing.

    Returns:
        float32 `(N, F, H, W)`, in the resolution of the images.

    Raises:
        ValueError: if a shape or number does not fit.

    Reference:
        Zhou, Khosla, Lapedriza, Oliva and Torralba, Object Detectors Emerge in Deep
        Scene CNNs, ICLR 2015, section 3.2.
    """
    images = check_images(images)
    _, height, width, _ = images.shape
    patch, step = patch_and_step(patch, step, min(height, width))
    maps = check_feature_maps(responses(predict, images, batch_size))
    chosen = np.arange(maps.shape[-1]) if filters is None else np.atleast_1d(filters)
    before = maps.sum(axis=(1, 2))[:, chosen]
    squares = corners(height, width, patch, step)
    fill = images.mean(axis=(0, 1, 2))
    after = np.empty((len(images), len(squares), len(chosen)), before.dtype)
    words = f"Covering {len(squares)} places of each of {len(images)} images"
    with progress(len(images), verbose, words) as on_image:
        for image, row in zip(images, after, strict=True):
            # One image at a time: its covered copies are what fills memory.
            copies = covered(image, squares, patch, fill, batch_size)
            row[:] = np.concatenate(
                [to_numpy(predict(c)).sum(axis=(1, 2))[:, chosen] for c in copies]
            )
            if on_image is not None:
                on_image(1)
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
    verbose: int = 0,
) -> np.ndarray:
    """Covers each filter's best images place by place and adds up what that costs it.

    A square in the mean colour moves over the image. The places that lower the sum of
    the filter's map most are entered relative to the map's peak, weighted by the drop,
    and smoothed. The theoretical receptive field is usually much larger than this.

    The released code takes random images above a threshold; here they are the best
    ones, so that the result depends on no seed. `empirical_size` gives the sides of
    the shapes in pixels, `receptive_field_shapes` draws them, `empirical_regions` lays
    them over images and `discrepancy_maps` gives the drops of one image.

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
        predict: takes float32 images `(B, H, W, 3)` in the range of `images` and
            gives feature maps `(B, h, w, C)`. It is called with at most `batch_size`
            images at a time.
        images: `(N, H, W, 3)`, images to choose from.
        receptive_field: of the layer that gives the maps.
        filters: the F filters to look at. Default: all.
        images_per_filter: how many of a filter's best images are covered.
        strongest: how many places of each image are entered: 4 in the released code.
            `None` for all, as Zhou et al. average whole discrepancy maps.
        patch: side of the square in pixels. Default: 33 of 224, as the released code.
        step: pixels from one place to the next. Default: 9 of 224.
        smoothing: standard deviation of the Gaussian in pixels. Default: 30 of 224.
        batch_size: images in one call of `predict`.
        verbose: 1 shows a progress bar over the images that are covered, 0 nothing.

    Returns:
        float32 `(F, 2 H - 1, 2 W - 1)` between 0 and 1; the middle pixel is the peak's
        place. All 0 for a filter that never fires.

    Raises:
        ValueError: if a shape or number does not fit.

    Reference:
        Zhou, Khosla, Lapedriza, Oliva and Torralba, Object Detectors Emerge in Deep
        Scene CNNs, ICLR 2015, section 3.2; Zhang, Wu and Zhu, CVPR 2018, section 5.2.
    """
    images = check_images(images)
    _check_counts(images_per_filter, strongest)
    count, height, width, _ = images.shape
    patch, step = patch_and_step(patch, step, min(height, width))
    smoothing = _SMOOTHING * min(height, width) if smoothing is None else smoothing
    if smoothing < 0:
        raise ValueError(
            "Expected smoothing of at least 0 pixels. Received: "
            f"smoothing={smoothing!r}. Leave it out for 30 of 224 pixels."
        )
    maps = responses(predict, images, batch_size)
    chosen = np.arange(maps.shape[-1]) if filters is None else np.atleast_1d(filters)
    maps = check_feature_maps(maps)[..., chosen]
    centers = receptive_field.centers(*maps.shape[1:3]).reshape(-1, 2)
    # (F, M): the best images of each filter.
    best = np.argsort(-maps.max(axis=(1, 2)), axis=0, kind="stable").T
    best = best[:, : min(images_per_filter, count)]
    squares = corners(height, width, patch, step)
    middles = squares + (patch - 1) / 2
    fill = images.mean(axis=(0, 1, 2))
    entries = np.zeros((len(chosen), 2 * height - 1, 2 * width - 1))
    shown = np.unique(best)
    words = f"Covering {len(squares)} places of each of {len(shown)} images"
    with progress(len(shown), verbose, words) as on_image:
        for index in shown:
            # One image at a time: its covered copies are what fills memory.
            which = np.flatnonzero((best == index).any(axis=1))
            copies = covered(images[index], squares, patch, fill, batch_size)
            answers = np.concatenate(
                [to_numpy(predict(batch))[..., chosen[which]] for batch in copies]
            )
            drops = maps[index].sum(axis=(0, 1))[which] - answers.sum(axis=(1, 2))
            peaks = centers[
                answers.reshape(len(squares), -1, len(which)).argmax(axis=1)
            ]
            _enter(entries, which, np.maximum(drops, 0), middles, peaks, strongest)
            if on_image is not None:
                on_image(1)
    return _smoothed(entries, patch, smoothing)


def _check_counts(images_per_filter: int, strongest: int | None) -> None:
    if images_per_filter < 1 or (strongest is not None and strongest < 1):
        raise ValueError(
            "Expected images_per_filter and strongest of at least 1. Received: "
            f"images_per_filter={images_per_filter}, strongest={strongest}. Leave "
            "them out for 10 and 4."
        )


def _enter(
    entries: np.ndarray,
    filters: np.ndarray,
    drops: np.ndarray,
    middles: np.ndarray,
    peaks: np.ndarray,
    strongest: int | None,
) -> None:
    """Add the strongest drops `(P, F')` of one image relative to the peaks."""
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


def empirical_size(shapes: Any) -> np.ndarray:
    """Measures the side of each filter's empirical receptive field.

    It is the side of the square that has as many pixels as the shape has at half of its
    maximum or above.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> shapes = np.zeros((2, 63, 63))
    >>> shapes[0, 29:34, 33:38] = 1.0
    >>> ki.plotting.empirical_size(shapes)
    array([ 5., nan])

    Args:
        shapes: `(F, 2 H - 1, 2 W - 1)` from `empirical_receptive_field`.

    Returns:
        float64 `(F,)`, pixels; NaN for a filter that never fires.

    Raises:
        ValueError: if the shapes have another rank.
    """
    shapes = check_shapes(shapes)
    greatest = shapes.max(axis=(1, 2), keepdims=True)
    area = (shapes >= 0.5 * greatest).sum(axis=(1, 2))
    return np.where(greatest[:, 0, 0] > 0, np.sqrt(area), np.nan)


def average_receptive_field(shapes: Any) -> np.ndarray:
    """Averages the empirical receptive fields of the filters that fire.

    Example:

    ```python
    shapes = ki.plotting.empirical_receptive_field(predict, images, field)
    average = ki.plotting.average_receptive_field(shapes)
    side_in_pixels = ki.plotting.empirical_size(average[None])[0]
    ```

    Args:
        shapes: `(F, 2 H - 1, 2 W - 1)` from `empirical_receptive_field`.

    Returns:
        float32 `(2 H - 1, 2 W - 1)` with maximum 1; the middle pixel is the peak's
        place. All 0 if no filter fires.

    Raises:
        ValueError: if the shapes have another rank.
    """
    shapes = check_shapes(shapes)
    greatest = shapes.max(axis=(1, 2))
    firing = shapes[greatest > 0] / greatest[greatest > 0, None, None]
    total = firing.sum(axis=0, dtype="float64")
    return (total / max(total.max(), 1e-12)).astype("float32")


def check_shapes(shapes: Any) -> np.ndarray:
    """Shapes `(F, 2 H - 1, 2 W - 1)` of at least one filter."""
    array = to_numpy(shapes)
    odd = array.ndim == 3 and array.shape[1] % 2 == 1 and array.shape[2] % 2 == 1
    if not odd or not len(array):
        raise ValueError(
            "Expected shapes of shape (filters, 2 * height - 1, 2 * width - 1) with "
            f"at least one filter. Received: shapes of shape {array.shape}. Make them "
            "with ki.metrics.empirical_receptive_field."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "Expected finite shapes. Received: "
            f"{int((~np.isfinite(array)).sum())} values that are NaN or infinite. Make "
            "them with ki.metrics.empirical_receptive_field."
        )
    return array
