"""Where in a picture the filters of a layer see parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import check_feature_maps

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField


def part_density(
    feature_maps: Any,
    receptive_field: ReceptiveField,
    image_size: tuple[int, int],
    *,
    sigma: float | None = None,
) -> np.ndarray:
    """Adds one Gaussian of equal mass per filter at its peak, weighted by the peak.

    The heat at pixel p is `sum_f max(x_f) * N(p; p(mu_f), sigma)`, divided by its
    maximum in the picture. The paper shows such maps without giving a formula.

    Example:

    ```python
    field = ki.receptive_field(model, "interpretable_conv")
    heat = ki.plotting.part_density(maps, field, (64, 64))
    ```

    Args:
        feature_maps: `(B, h, w, F)`, channels last, after the ReLU.
        receptive_field: of the layer that gave the maps.
        image_size: (height, width) of the pictures in pixels.
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
        raise ValueError(f"sigma must be a positive number of pixels; got {sigma!r}.")
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
