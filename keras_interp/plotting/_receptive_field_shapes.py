"""The receptive fields that filters really use, drawn beside what they could see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._empirical_fields import (
    average_receptive_field,
    check_shapes,
    empirical_size,
)
from keras_interp.plotting._canvas import grid_or_new, without_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from keras_interp.receptive_fields import ReceptiveField


_COLUMNS = 6


def receptive_field_shapes(
    shapes: Any,
    receptive_field: ReceptiveField,
    ax: np.ndarray | None = None,
    *,
    names: Sequence[str] | None = None,
    average: bool = True,
    cmap: str | Colormap = "inferno",
) -> np.ndarray:
    """Draws each filter's empirical receptive field around the place of its peak.

    The line surrounds what lies above half of the maximum, whose size stands above it;
    the dashed square is the theoretical receptive field. The cross is the peak.

    Example:

    ```python
    field = ki.receptive_field(model, "conv5")
    shapes = ki.plotting.empirical_receptive_field(
        predict, images, field, filters=[0, 7]
    )
    axes = ki.plotting.receptive_field_shapes(shapes, field, names=["0", "7"])
    ```

    Args:
        shapes: `(F, 2 H - 1, 2 W - 1)` from `empirical_receptive_field`.
        receptive_field: of the layer that gave the maps.
        ax: one for each filter, and one more for the average. Default: those of a
            new figure.
        names: F names of the filters. Default: `shape 0` and so on.
        average: whether to draw the average over the filters last.
        cmap: name of a matplotlib colour map, or the map itself.

    Returns:
        The axes `(F + 1,)`, or `(F,)` without the average.

    Raises:
        ValueError: if a shape or a number of names or axes does not fit.

    Reference:
        Zhou, Khosla, Lapedriza, Oliva and Torralba, Object Detectors Emerge in Deep
        Scene CNNs, ICLR 2015, section 3.2 and Table 1.
    """
    shapes = check_shapes(shapes)
    titles = [f"shape {number}" for number in range(len(shapes))]
    titles = titles if names is None else [str(name) for name in names]
    if len(titles) != len(shapes):
        raise ValueError(
            f"Expected names as one name for each of the {len(shapes)} shapes. "
            f"Received: {len(titles)} names. Pass as many names."
        )
    sizes = empirical_size(shapes)
    images = list(shapes)
    if average:
        mean = average_receptive_field(shapes)
        images.append(mean)
        titles.append("average")
        sizes = np.append(sizes, empirical_size(mean[None]))
    drawn = _axes(ax, len(images))
    reach = _reach(shapes, receptive_field)
    for panel, image, title, size in zip(drawn, images, titles, sizes, strict=True):
        _draw(panel, image, receptive_field, reach, cmap)
        known = "silent" if np.isnan(size) else f"{size:.0f} px"
        panel.set_title(f"{title}: {known}", fontsize="small")
    return drawn


def _axes(axes: np.ndarray | None, count: int) -> np.ndarray:
    """The given axes, or those of a new figure with up to six in a row."""
    if axes is not None:
        return grid_or_new(axes, 1, count, 0, 0)[0]
    columns = min(count, _COLUMNS)
    grid = grid_or_new(None, -(-count // columns), columns, 1.9, 2.1).ravel()
    for empty in grid[count:]:
        empty.remove()
    return grid[:count]


def _reach(shapes: np.ndarray, receptive_field: ReceptiveField) -> np.ndarray:
    """Pixels (y, x) from the peak that show every outline and the theoretical field."""
    middle = (np.array(shapes.shape[1:]) - 1) / 2
    greatest = shapes.max(axis=(1, 2), keepdims=True)
    places = np.argwhere((shapes >= 0.5 * greatest) & (greatest > 0))[:, 1:]
    outline = np.abs(places - middle).max(axis=0, initial=0)
    theoretical = np.broadcast_to(receptive_field.size, 2) / 2
    return np.minimum(1.1 * np.maximum(outline, theoretical), middle + 0.5)


def _draw(
    ax: Axes,
    shape: np.ndarray,
    receptive_field: ReceptiveField,
    reach: np.ndarray,
    cmap: str | Colormap,
) -> None:
    height, width = shape.shape
    left, top = -(width - 1) / 2, -(height - 1) / 2
    ax.imshow(
        shape,
        cmap=cmap,
        extent=(left - 0.5, -left + 0.5, -top + 0.5, top - 0.5),
        vmin=0,
        vmax=max(float(shape.max()), 1e-12),
    )
    if shape.max() > 0:
        x, y = np.arange(width) + left, np.arange(height) + top
        ax.contour(x, y, shape, [0.5 * shape.max()], colors="white", linewidths=1)
    tall, wide = np.broadcast_to(receptive_field.size, 2) / 2
    ax.plot(
        [-wide, wide, wide, -wide, -wide],
        [-tall, -tall, tall, tall, -tall],
        "--",
        color="white",
        linewidth=0.8,
    )
    ax.plot(0, 0, "+", color="white", markersize=7)
    ax.set_xlim(-reach[1], reach[1])
    ax.set_ylim(reach[0], -reach[0])
    without_ticks(ax)
