"""Axes to draw on, and an image of any type and range on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_new(ax: Axes | None, width: float = 4.0, height: float = 4.0) -> Axes:
    """The given axes, or the only ones of a new figure of `width` x `height` inches."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def grid_or_new(
    ax: np.ndarray | None, rows: int, columns: int, width: float, height: float
) -> np.ndarray:
    """A `(rows, columns)` array of axes: those given, or those of a new figure.

    Args:
        ax: array of axes with that many rows and columns, or `None`.
        rows: rows of the grid.
        columns: columns of the grid.
        width: inches of one column of a new figure.
        height: inches of one row of a new figure.

    Raises:
        ValueError: if `ax` has another shape.
    """
    if ax is not None:
        grid = np.asarray(ax, dtype=object)
        if grid.size != rows * columns:
            raise ValueError(
                f"Expected ax to hold {rows} rows and {columns} columns of axes. "
                f"Received: ax of shape {grid.shape}. Make them with "
                f"plt.subplots({rows}, {columns}), or leave ax out."
            )
        return grid.reshape(rows, columns)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure.subplots(rows, columns, squeeze=False)


def check_opacity(opacity: float) -> None:
    """Refuses what is no share."""
    if not 0 <= opacity <= 1:
        raise ValueError(
            f"Expected opacity from 0 to 1. Received: opacity={opacity!r}. Pass 0.75, "
            "say, to see the image through the map."
        )


def without_ticks(ax: Axes) -> None:
    """Take the ticks off axes that show an image."""
    ax.set_xticks([])
    ax.set_yticks([])


def as_image(image: Any) -> np.ndarray:
    """An image as float32 `(H, W, 3)` with values from 0 to 1.

    Integers count as 0 to 255. Floats between 0 and 1 stay, between 0 and 255 they are
    divided by 255, and any others (images with the mean taken off, say) are stretched
    from their least to their greatest value.

    Args:
        image: array of shape `(H, W)`, `(H, W, 1)` or `(H, W, 3)`; integers, floats or
            bool.

    Raises:
        ValueError: if the shape is another one, or values are NaN or infinite.
    """
    array = to_numpy(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3) or array.size == 0:
        raise ValueError(
            "Expected image of shape (height, width), (height, width, 1) or (height, "
            f"width, 3). Received: image of shape {array.shape}. Of a batch pass one "
            "image, such as images[0]."
        )
    whole_numbers = array.dtype.kind in "iu"
    shown = array.astype("float32")
    if not np.isfinite(shown).all():
        raise ValueError(
            "Expected image with finite values. Received: "
            f"{int((~np.isfinite(shown)).sum())} values that are NaN or infinite. "
            "Only finite values can be shown."
        )
    least, greatest = float(shown.min()), float(shown.max())
    if least < 0 or greatest > 255:
        shown = (shown - least) / max(greatest - least, 1e-12)
    elif whole_numbers or greatest > 1:
        shown = shown / 255
    return np.broadcast_to(shown, (*shown.shape[:2], 3))


def show_image(ax: Axes, image: Any) -> tuple[int, int]:
    """Draw an image with pixel (x, y) at x, y and return its (height, width)."""
    shown = as_image(image)
    height, width = shown.shape[:2]
    ax.imshow(shown, interpolation="nearest")
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    without_ticks(ax)
    return height, width
