"""The maps of two networks that compute the same, of shifted pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.plotting.canvas import grid_or_new, without_ticks
from keras_interp.plotting.picture import show_picture

if TYPE_CHECKING:
    from keras_interp.attribution import InputShiftReport

_SAME, _CHANGED = "#1a7f37", "#b42318"


def input_shift(
    report: InputShiftReport,
    axes: np.ndarray | None = None,
    *,
    picture: Any = None,
    color_map: str = "magma",
) -> np.ndarray:
    """Draws what a shift of the input that no network can see did to each method.

    A column for each method, after one with the picture: its map of the model above,
    its map of the model that takes the shift back below, in the same scale, which ends
    at the 99.5th percentile.

    Example:

    ```python
    report = ki.attribution.input_shift_report(model, images)
    axes = ki.plotting.input_shift(report)
    axes[0, 0].figure.savefig("input_shift.png")
    ```

    Args:
        report: what `keras_interp.attribution.input_shift_report` returned.
        axes: 2 rows and a column more than there are methods. Default: those of a new
            figure.
        picture: shown beside the maps. Default: the first picture as the model takes
            it, which may have its colours swapped or its mean taken off.
        color_map: name of a matplotlib colour map.

    Returns:
        The axes `(2, methods + 1)`.

    Raises:
        ValueError: if there is another number of axes.
    """
    grid = grid_or_new(axes, 2, len(report.methods) + 1, 1.6, 1.75)
    for ax in grid.ravel():
        without_ticks(ax)
    show_picture(grid[0, 0], report.image if picture is None else picture)
    grid[0, 0].set_title("picture", fontsize="small")
    grid[0, 0].set_ylabel("network 1", fontsize="small")
    grid[1, 0].set_ylabel("network 2,\nshifted input", fontsize="small")
    grid[1, 0].set_frame_on(False)
    for column, name in enumerate(report.methods, 1):
        maps = report.maps[column - 1]
        # A few bright pixels would leave the others in the dark.
        greatest = max(float(np.quantile(maps, 0.995)), 1e-12)
        for ax, values in zip(grid[:, column], maps, strict=True):
            ax.imshow(values, cmap=color_map, vmin=0, vmax=greatest)
        grid[0, column].set_title(_two_lines(name), fontsize="small")
        same = bool(report.invariant[column - 1])
        difference = float(report.differences[column - 1].max())
        grid[1, column].set_xlabel(
            "same" if same else f"changed by {difference:.0%}",
            fontsize="small",
            color=_SAME if same else _CHANGED,
        )
    return grid


def _two_lines(name: str) -> str:
    head, _, tail = name.partition(", ")
    if tail:
        return f"{head.replace('_', ' ')}\n{tail}"
    words = head.split("_")
    if len(head) < 12:
        return " ".join(words)
    half = -(-len(words) // 2)
    return "\n".join(" ".join(part) for part in (words[:half], words[half:]) if part)
