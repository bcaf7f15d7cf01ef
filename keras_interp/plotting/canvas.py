"""Axes to draw on, made without the state that pyplot keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_new(ax: Axes | None, width: float = 4.0, height: float = 4.0) -> Axes:
    """The given axes, or the only ones of a new figure of `width` x `height` inches."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def grid_or_new(
    axes: np.ndarray | None, rows: int, columns: int, width: float, height: float
) -> np.ndarray:
    """A `(rows, columns)` array of axes: those given, or those of a new figure.

    Args:
        axes: array of axes with that many rows and columns, or `None`.
        rows: rows of the grid.
        columns: columns of the grid.
        width: inches of one column of a new figure.
        height: inches of one row of a new figure.

    Raises:
        ValueError: if `axes` has another shape.
    """
    if axes is not None:
        grid = np.asarray(axes, dtype=object)
        if grid.size != rows * columns:
            raise ValueError(
                f"axes must hold {rows} rows and {columns} columns; got shape "
                f"{grid.shape}. Make them with plt.subplots({rows}, {columns}), or "
                "leave axes out."
            )
        return grid.reshape(rows, columns)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure.subplots(rows, columns, squeeze=False)


def without_ticks(ax: Axes) -> None:
    """Take the ticks off axes that show a picture."""
    ax.set_xticks([])
    ax.set_yticks([])
