"""The part of an image that filters look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._activation_thresholds import check_thresholds
from keras_interp.metrics._peaks import (
    check_feature_maps,
    height_width,
    to_numpy,
)

if TYPE_CHECKING:
    from keras_interp.receptive_fields import ReceptiveField


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
        image_size: side of the images, or `(height, width)`, in pixels.
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
    thresholds = check_thresholds(thresholds, maps.shape[-1])
    height, width = (round(side) for side in height_width(image_size))
    if region == "disc":
        if radius is None:
            radius = RADIUS_SHARE * float(np.mean(receptive_field.size))
        if not radius > 0:
            raise ValueError(
                "Expected radius as a positive number of pixels. Received: "
                f"radius={radius!r}. Leave it out for 0.18 of the receptive field's "
                "size."
            )
        return _discs(maps > thresholds, receptive_field, height, width, radius)
    if region == "bilinear":
        return _interpolated(maps, thresholds, receptive_field, height, width)
    raise ValueError(
        f'Expected region as "disc" or "bilinear". Received: region={region!r}. '
        "Pass one of these."
    )


def _discs(
    active: np.ndarray, field: ReceptiveField, height: int, width: int, radius: float
) -> np.ndarray:
    """Unions of discs around the active cells `(N, H, W, F)`."""
    images, rows, columns, filters = active.shape
    centers = field.centers(rows, columns).reshape(-1, 1, 2)
    y, x = np.mgrid[:height, :width].reshape(2, 1, -1)
    squared = (x - centers[..., 0]) ** 2 + (y - centers[..., 1]) ** 2
    # Whether a disc covers a pixel; a matrix product with it counts the discs there.
    covers = (squared <= radius**2).astype("float32")
    cells = active.transpose(0, 3, 1, 2).reshape(images * filters, rows * columns)
    regions = np.zeros((images * filters, height * width), dtype=bool)
    busy = np.flatnonzero(cells.any(axis=1))
    step = max(1, PIXELS_AT_ONCE // (height * width))
    for start in range(0, len(busy), step):
        chunk = busy[start : start + step]
        regions[chunk] = cells[chunk].astype("float32") @ covers > 0
    return regions.reshape(images, filters, height, width)


def _interpolated(
    maps: np.ndarray,
    thresholds: np.ndarray,
    field: ReceptiveField,
    height: int,
    width: int,
) -> np.ndarray:
    """Where maps, interpolated to the pixels, exceed their thresholds."""
    images, rows, columns, filters = maps.shape
    centers = field.centers(rows, columns)
    down = interpolation_weights(centers[:, 0, 1], height)
    across = interpolation_weights(centers[0, :, 0], width)
    regions = np.empty((images, filters, height, width), dtype=bool)
    step = max(1, PIXELS_AT_ONCE // max(1, filters * height * width))
    for start in range(0, images, step):
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


def empirical_regions(
    feature_maps: Any,
    thresholds: Any,
    receptive_field: ReceptiveField,
    shapes: Any,
) -> np.ndarray:
    """Lays each filter's empirical receptive field over its active units.

    Every unit above the filter's threshold adds the filter's shape, moved to the unit's
    centre, times `min(1.5 x / max(x), 1)`. The region is where the greatest of these
    reaches half of its maximum in the image. `keras_interp.metrics.filter_regions`
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
        shapes: `(F, 2 H - 1, 2 W - 1)` for images of H x W pixels, from
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
    limits = check_thresholds(thresholds, filters)
    shapes = _check_shapes(shapes, filters)
    # A silent unit is never active, even for a filter whose threshold is 0.
    active = np.where((maps > limits) & (maps > 0), maps, 0)
    units = active.reshape(batch, rows * columns, filters).transpose(1, 0, 2)
    greatest = units.max(axis=0)
    weights = np.minimum(1.5 * units / np.where(greatest > 0, greatest, 1), 1)
    centers = receptive_field.centers(rows, columns).reshape(-1, 2)
    region = np.zeros((batch, filters, *_image_size(shapes)), "float32")
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
            f"Expected shapes of shape ({filters}, 2 * height - 1, 2 * width - 1). "
            f"Received: shapes of shape {array.shape}. Make them with "
            "ki.metrics.empirical_receptive_field."
        )
    return array


def _image_size(shapes: np.ndarray) -> tuple[int, int]:
    return (shapes.shape[1] + 1) // 2, (shapes.shape[2] + 1) // 2


def _moved(shapes: np.ndarray, x: float, y: float) -> np.ndarray:
    """The shapes `(F, H, W)` with their middle at pixel (x, y)."""
    height, width = _image_size(shapes)
    # The centre of a unit near the border may lie outside the image.
    left = width - 1 - int(np.clip(np.rint(x), 0, width - 1))
    top = height - 1 - int(np.clip(np.rint(y), 0, height - 1))
    return shapes[:, top : top + height, left : left + width]


def part_density(
    feature_maps: Any,
    receptive_field: ReceptiveField,
    image_size: tuple[int, int],
    *,
    sigma: float | None = None,
) -> np.ndarray:
    """Adds one Gaussian of equal mass per filter at its peak, weighted by the peak.

    The heat at pixel p is `sum_f max(x_f) * N(p; p(mu_f), sigma)`, divided by its
    maximum in the image. The paper shows such maps without giving a formula.

    Example:

    ```python
    field = ki.receptive_field(model, "interpretable_conv")
    heat = ki.plotting.part_density(maps, field, (64, 64))
    ```

    Args:
        feature_maps: `(B, h, w, F)`, channels last, after the ReLU.
        receptive_field: of the layer that gave the maps.
        image_size: (height, width) of the images in pixels.
        sigma: standard deviation of the Gaussians in pixels. Default: the stride, the
            distance between neighbouring cells.

    Returns:
        float32 `(B, height, width)` between 0 and 1; all 0 where no filter fires.

    Raises:
        ValueError: if the maps have another rank or hold NaN, or `sigma` is not
            positive.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        Figure 6.
    """
    maps = check_feature_maps(feature_maps)
    batch, rows, columns, filters = maps.shape
    height, width = image_size
    if sigma is None:
        sigma = cell_distance(receptive_field)
    if not sigma > 0:
        raise ValueError(
            "Expected sigma as a positive number of pixels. Received: "
            f"sigma={sigma!r}. Leave it out for the stride."
        )
    cells = maps.reshape(batch, rows * columns, filters)
    weights = np.maximum(cells.max(axis=1), 0)
    centers = receptive_field.centers(rows, columns).reshape(-1, 2)
    peaks = centers[cells.argmax(axis=1)]
    # A round Gaussian is the product of one along x and one along y.
    along_x = _gaussians(width, peaks[..., 0], sigma)
    along_y = _gaussians(height, peaks[..., 1], sigma) * weights[..., None]
    heat = along_y.transpose(0, 2, 1) @ along_x
    greatest = heat.max(axis=(1, 2), keepdims=True)
    return (heat / np.where(greatest > 0, greatest, 1)).astype("float32")


def cell_distance(receptive_field: ReceptiveField) -> float:
    """Pixels from the centre of one cell to that of the next."""
    centers = receptive_field.centers(2, 2)
    return float(np.mean(centers[1, 1] - centers[0, 0]))


def _gaussians(length: int, means: np.ndarray, sigma: float) -> np.ndarray:
    """Densities `(..., length)` at pixels 0 to length - 1, each of unit mass."""
    steps = (np.arange(length) - means[..., None]) / sigma
    return np.exp(-0.5 * steps**2) / (sigma * np.sqrt(2 * np.pi))
