"""The heat map of the parts that a layer's filters see in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_interp.metrics.located_peaks import to_numpy
from keras_interp.plotting.overlay import overlay
from keras_interp.plotting.part_density import part_density
from keras_interp.plotting.picture import as_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.receptive_field import ReceptiveField


def part_heatmap(
    image: Any,
    feature_maps: Any,
    receptive_field: ReceptiveField,
    ax: Axes | None = None,
    *,
    sigma: float | None = None,
    color_bar: bool = False,
    title: str | None = None,
) -> Axes:
    """Shows where in one picture the filters of a layer peak, strong peaks hotter.

    Example:

    ```python
    maps = model.get_layer("interpretable_conv").feature_maps(inputs)
    field = ki.receptive_field(model, "interpretable_conv")
    ax = ki.plotting.part_heatmap(images[0], maps[0], field)
    ```

    Args:
        image: picture `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats.
        feature_maps: the picture's maps `(h, w, F)`, after the ReLU.
        receptive_field: of the layer that gave the maps.
        ax: axes to draw on. Default: those of a new figure.
        sigma: width of each filter's Gaussian in pixels. Default: the stride.
        color_bar: whether to draw the scale beside the picture.
        title: text above the picture.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if a shape does not fit, or a value is NaN.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        Figure 6; the formula is that of `part_density`.
    """
    maps = to_numpy(feature_maps)
    if maps.ndim != 3:
        raise ValueError(
            "feature_maps must have shape (height, width, filters); got shape "
            f"{maps.shape}. Of a batch pass those of one picture, such as maps[0]."
        )
    image_size = as_picture(image).shape[:2]
    heat = part_density(maps[None], receptive_field, image_size, sigma=sigma)[0]
    return overlay(
        image, heat, ax, value_range=(0.0, 1.0), color_bar=color_bar, title=title
    )
