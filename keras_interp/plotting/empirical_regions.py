"""The region of each picture that makes a filter fire, by its measured shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import check_feature_maps, to_numpy

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField


def empirical_regions(
    feature_maps: Any,
    thresholds: Any,
    receptive_field: ReceptiveField,
    shapes: Any,
) -> np.ndarray:
    """Lays each filter's empirical receptive field over its active units.

    Every unit above the filter's threshold adds the filter's shape, moved to the unit's
    centre, times `min(1.5 x / max(x), 1)`. The region is where the greatest of these
    reaches half of its maximum in the picture. `keras_interp.metrics.filter_regions`
    does the same with plain discs.

    Example:

    ```python
    shapes = ki.plotting.empirical_receptive_field(predict, images, field)
    thresholds = ki.metrics.activation_thresholds(maps, quantile=0.003)
    regions = ki.plotting.empirical_regions(maps, thresholds, field, shapes)
    ```

    Args:
        feature_maps: `(B, h, w, F)`, channels last, after the ReLU.
        thresholds: `(F,)`, the value above which a unit is active.
        receptive_field: of the layer that gave the maps.
        shapes: `(F, 2 H - 1, 2 W - 1)` for pictures of H x W pixels, from
            `empirical_receptive_field`.

    Returns:
        bool `(B, F, H, W)`; all false where no unit is active.

    Raises:
        ValueError: if a shape does not fit, or the maps hold NaN.

    Reference:
        Zhou, Khosla, Lapedriza, Oliva and Torralba, Object Detectors Emerge in Deep
        Scene CNNs, ICLR 2015; weights as in the released code of Zhang, Wu and Zhu,
        CVPR 2018.
    """
    maps = check_feature_maps(feature_maps)
    batch, rows, columns, filters = maps.shape
    limits = to_numpy(thresholds)
    if limits.shape != (filters,):
        raise ValueError(
            f"thresholds must hold one value for each of the {filters} filters; got "
            f"shape {limits.shape}."
        )
    shapes = _check_shapes(shapes, filters)
    # A silent unit is never active, even for a filter whose threshold is 0.
    active = np.where((maps > limits) & (maps > 0), maps, 0)
    units = active.reshape(batch, rows * columns, filters).transpose(1, 0, 2)
    greatest = units.max(axis=0)
    weights = np.minimum(1.5 * units / np.where(greatest > 0, greatest, 1), 1)
    centers = receptive_field.centers(rows, columns).reshape(-1, 2)
    region = np.zeros((batch, filters, *_picture_size(shapes)), "float32")
    for cell in np.flatnonzero(weights.any(axis=(1, 2))):
        moved = _moved(shapes, *centers[cell])
        np.maximum(region, weights[cell, :, :, None, None] * moved, out=region)
    highest = region.max(axis=(2, 3), keepdims=True)
    return (region >= 0.5 * highest) & (highest > 0)


def _check_shapes(shapes: Any, filters: int) -> np.ndarray:
    array = to_numpy(shapes)
    odd = array.ndim == 3 and array.shape[1] % 2 == 1 and array.shape[2] % 2 == 1
    if not odd or len(array) != filters:
        raise ValueError(
            f"shapes must have shape ({filters}, 2 * height - 1, 2 * width - 1); got "
            f"{array.shape}. Make them with empirical_receptive_field."
        )
    return array


def _picture_size(shapes: np.ndarray) -> tuple[int, int]:
    return (shapes.shape[1] + 1) // 2, (shapes.shape[2] + 1) // 2


def _moved(shapes: np.ndarray, x: float, y: float) -> np.ndarray:
    """The shapes `(F, H, W)` with their middle at pixel (x, y)."""
    height, width = _picture_size(shapes)
    # The centre of a unit near the border may lie outside the picture.
    left = width - 1 - int(np.clip(np.rint(x), 0, width - 1))
    top = height - 1 - int(np.clip(np.rint(y), 0, height - 1))
    return shapes[:, top : top + height, left : left + width]
