"""Part of the picture that a filter's strong cells look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import (
    check_feature_maps,
    height_width,
    to_numpy,
)

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField

# Zhou et al., Object detectors emerge in deep scene CNNs, ICLR 2015: what really moves
# a unit of AlexNet's pool5 is about 70 of the 195 pixels of its receptive field; the
# radius is half of that.
RADIUS_SHARE = 0.18
PIXELS_AT_ONCE = 2**24


def filter_regions(
    feature_maps: Any,
    thresholds: Any,
    receptive_field: ReceptiveField,
    image_size: int | tuple[int, int],
    region: str = "disc",
    radius: float | None = None,
) -> np.ndarray:
    """Draws the region that each filter's cells above a threshold cover.

    "disc": every cell above the threshold contributes a disc around the centre of its
    receptive field; a region is their union. "bilinear": the map is interpolated
    between the centres of the receptive fields (and held constant outside them) and
    then compared with the threshold.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.zeros((1, 4, 4, 1))
    >>> maps[0, 1, 2, 0] = 1.0
    >>> field = ki.ReceptiveField(size=30, stride=16, start=7.5)
    >>> regions = ki.metrics.filter_regions(maps, [0.5], field, 64, radius=8.0)
    >>> regions.shape, int(regions.sum())
    ((1, 1, 64, 64), 208)

    Args:
        feature_maps: float `(N, H, W, F)`, channels last; after the ReLU and the mask
            for part interpretability.
        thresholds: float `(F,)`, such as `keras_interp.metrics.activation_thresholds`
            gives. NaN leaves a filter without region.
        receptive_field: of the layer that gave the maps.
        image_size: side of the pictures, or `(height, width)`, in pixels.
        region: "disc" or "bilinear".
        radius: of the discs in pixels, 0.18 times the size of the receptive field by
            default (the paper does not say what it took).

    Returns:
        bool `(N, F, height, width)`, the layout of `PartsDataset.part_masks`.

    Raises:
        ValueError: if a shape or option does not fit.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.1 and footnote 5; Bau et al., Network Dissection, CVPR 2017.
    """
    maps = check_feature_maps(feature_maps)
    thresholds = to_numpy(thresholds).astype("float64")
    if thresholds.shape != maps.shape[-1:]:
        raise ValueError(
            f"thresholds must have shape {maps.shape[-1:]}, one for each filter; got "
            f"{thresholds.shape}."
        )
    height, width = (round(side) for side in height_width(image_size))
    if region == "disc":
        if radius is None:
            radius = RADIUS_SHARE * float(np.mean(receptive_field.size))
        if not radius > 0:
            raise ValueError(f"radius must be positive, in pixels; got {radius}.")
        return _discs(maps > thresholds, receptive_field, height, width, radius)
    if region == "bilinear":
        return _interpolated(maps, thresholds, receptive_field, height, width)
    raise ValueError(f'region must be "disc" or "bilinear", got {region!r}.')


def _discs(
    active: np.ndarray, field: ReceptiveField, height: int, width: int, radius: float
) -> np.ndarray:
    """Unions of discs around the active cells `(N, H, W, F)`."""
    pictures, rows, columns, filters = active.shape
    centers = field.centers(rows, columns).reshape(-1, 1, 2)
    y, x = np.mgrid[:height, :width].reshape(2, 1, -1)
    squared = (x - centers[..., 0]) ** 2 + (y - centers[..., 1]) ** 2
    # Whether a disc covers a pixel; a matrix product with it counts the discs there.
    covers = (squared <= radius**2).astype("float32")
    cells = active.transpose(0, 3, 1, 2).reshape(pictures * filters, rows * columns)
    regions = np.zeros((pictures * filters, height * width), dtype=bool)
    busy = np.flatnonzero(cells.any(axis=1))
    step = max(1, PIXELS_AT_ONCE // (height * width))
    for start in range(0, len(busy), step):
        chunk = busy[start : start + step]
        regions[chunk] = cells[chunk].astype("float32") @ covers > 0
    return regions.reshape(pictures, filters, height, width)


def _interpolated(
    maps: np.ndarray,
    thresholds: np.ndarray,
    field: ReceptiveField,
    height: int,
    width: int,
) -> np.ndarray:
    """Where maps, interpolated to the pixels, exceed their thresholds."""
    pictures, rows, columns, filters = maps.shape
    centers = field.centers(rows, columns)
    down = interpolation_weights(centers[:, 0, 1], height)
    across = interpolation_weights(centers[0, :, 0], width)
    regions = np.empty((pictures, filters, height, width), dtype=bool)
    step = max(1, PIXELS_AT_ONCE // max(1, filters * height * width))
    for start in range(0, pictures, step):
        # What exceeds the threshold is interpolated: cells that equal it give exact
        # zeros, which rounding cannot lift above it.
        excess = maps[start : start + step] - thresholds
        enlarged = down @ excess.transpose(0, 3, 1, 2) @ across.T
        regions[start : start + step] = enlarged > 0
    return regions


def interpolation_weights(centers: np.ndarray, length: int) -> np.ndarray:
    """Weights `(length, cells)` of linear interpolation between the centres."""
    weights = [
        np.interp(np.arange(length), centers, unit) for unit in np.eye(len(centers))
    ]
    return np.stack(weights, axis=1)
