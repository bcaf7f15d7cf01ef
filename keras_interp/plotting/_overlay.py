"""Heat maps laid over their image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._regions import part_density
from keras_interp.plotting._canvas import (
    as_image,
    axes_or_new,
    check_opacity,
    show_image,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from keras_interp.receptive_fields import ReceptiveField


def overlay(
    image: Any,
    heat: Any,
    ax: Axes | None = None,
    *,
    receptive_field: ReceptiveField | None = None,
    cmap: str | Colormap = "inferno",
    opacity: float = 0.75,
    value_range: tuple[float, float] | None = None,
    color_bar: bool = False,
    title: str | None = None,
) -> Axes:
    """Lays a heat map over an image, which shines through where it is cold.

    Example:

    ```python
    ax = ki.plotting.overlay(images[0], maps[0, :, :, 7], receptive_field=field)
    ax.figure.savefig("filter_7.png")
    ```

    Args:
        image: image `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats.
        heat: `(h, w)` values of any range; a map smaller than the image is
            interpolated.
        ax: axes to draw on. Default: those of a new figure.
        receptive_field: of the layer that gave `heat`; puts each cell at the centre of
            its receptive field. Default: the map covers the whole image evenly.
        cmap: name of a matplotlib colour map, or the map itself. The default grows
            evenly in brightness, so that it reads the same in grey and for the
            colour-blind.
        opacity: of the hottest place, 0 to 1; the coldest is transparent.
        value_range: values that the ends of the colour map stand for. Default: from
            0, or the least value if that is negative, to the greatest value.
        color_bar: whether to draw the scale beside the image.
        title: text above the image.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if a shape does not fit, a value is NaN, or `opacity` lies outside
            0 to 1.
    """
    values = _check_heat(heat)
    check_opacity(opacity)
    least, greatest = value_range or (min(0.0, values.min()), values.max())
    share = np.clip((values - least) / max(greatest - least, 1e-12), 0, 1)
    ax = axes_or_new(ax)
    height, width = show_image(ax, image)
    shown = ax.imshow(
        values,
        cmap=cmap,
        vmin=least,
        vmax=max(greatest, least + 1e-12),
        alpha=opacity * np.sqrt(share),
        extent=heat_extent(values.shape, (height, width), receptive_field),
        interpolation="bilinear",
    )
    # The heat map may reach beyond the image; the image sets the frame.
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    if color_bar:
        _draw_color_bar(ax, shown)
    if title:
        ax.set_title(title, fontsize="small")
    return ax


def heat_extent(
    shape: tuple[int, ...],
    image_size: tuple[int, int],
    receptive_field: ReceptiveField | None,
) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a map's cells in the image's pixels."""
    height, width = image_size
    if receptive_field is None:
        return -0.5, width - 0.5, height - 0.5, -0.5
    rows, columns = shape
    centers = receptive_field.centers(rows, columns)
    (left, top), (right, bottom) = centers[0, 0], centers[-1, -1]
    half_x = (right - left) / (columns - 1) / 2 if columns > 1 else width / 2
    half_y = (bottom - top) / (rows - 1) / 2 if rows > 1 else height / 2
    return left - half_x, right + half_x, bottom + half_y, top - half_y


def _check_heat(heat: Any) -> np.ndarray:
    values = to_numpy(heat).astype("float64")
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            "Expected heat of shape (height, width). Received: heat of shape "
            f"{values.shape}. Of feature maps pass one, such as maps[0, :, :, 3]."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "Expected heat with finite values. Received: "
            f"{int((~np.isfinite(values)).sum())} values that are NaN or infinite. "
            "Check the feature maps that it was made from."
        )
    return values


def _draw_color_bar(ax: Axes, shown: Any) -> None:
    from matplotlib.cm import ScalarMappable

    # The image's own opacity varies from place to place, which a bar cannot show.
    scale = ScalarMappable(norm=shown.norm, cmap=shown.cmap)
    ax.figure.colorbar(scale, ax=ax, fraction=0.046, pad=0.03)


def part_heatmap(
    image: Any,
    feature_maps: Any,
    receptive_field: ReceptiveField,
    ax: Axes | None = None,
    *,
    sigma: float | None = None,
    cmap: str | Colormap = "inferno",
    color_bar: bool = False,
    title: str | None = None,
) -> Axes:
    """Shows where in one image the filters of a layer peak, strong peaks hotter.

    Example:

    ```python
    maps = model.get_layer("interpretable_conv").feature_maps(inputs)
    field = ki.receptive_field(model, "interpretable_conv")
    ax = ki.plotting.part_heatmap(images[0], maps[0], field)
    ```

    Args:
        image: image `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats.
        feature_maps: the image's maps `(h, w, F)`, after the ReLU.
        receptive_field: of the layer that gave the maps.
        ax: axes to draw on. Default: those of a new figure.
        sigma: width of each filter's Gaussian in pixels. Default: the stride.
        cmap: name of a matplotlib colour map, or the map itself.
        color_bar: whether to draw the scale beside the image.
        title: text above the image.

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
            "Expected feature_maps of shape (height, width, filters). Received: "
            f"feature_maps of shape {maps.shape}. Of a batch pass those of one image, "
            "such as maps[0]."
        )
    image_size = as_image(image).shape[:2]
    heat = part_density(maps[None], receptive_field, image_size, sigma=sigma)[0]
    return overlay(
        image,
        heat,
        ax,
        cmap=cmap,
        value_range=(0.0, 1.0),
        color_bar=color_bar,
        title=title,
    )
