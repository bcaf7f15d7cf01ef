"""What sanity checks of attribution methods found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.plotting._canvas import (
    axes_or_new,
    grid_or_new,
    show_image,
    without_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from keras_interp.attribution import InputShiftReport, ParameterRandomizationReport


_SAME, _CHANGED = "#1a7f37", "#b42318"


def input_shift(
    report: InputShiftReport,
    ax: np.ndarray | None = None,
    *,
    image: Any = None,
    cmap: str | Colormap = "magma",
) -> np.ndarray:
    """Draws what a shift of the input that no network can see did to each method.

    A column for each method, after one with the image: its map of the model above,
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
        ax: 2 rows and a column more than there are methods. Default: those of a new
            figure.
        image: shown beside the maps. Default: the first image as the model takes
            it, which may have its colours swapped or its mean taken off.
        cmap: name of a matplotlib colour map, or the map itself.

    Returns:
        The axes `(2, methods + 1)`.

    Raises:
        ValueError: if there is another number of axes.
    """
    grid = grid_or_new(ax, 2, len(report.methods) + 1, 1.6, 1.75)
    for panel in grid.ravel():
        without_ticks(panel)
    show_image(grid[0, 0], report.image if image is None else image)
    grid[0, 0].set_title("image", fontsize="small")
    grid[0, 0].set_ylabel("network 1", fontsize="small")
    grid[1, 0].set_ylabel("network 2,\nshifted input", fontsize="small")
    grid[1, 0].set_frame_on(False)
    for column, name in enumerate(report.methods, 1):
        maps = report.maps[column - 1]
        # A few bright pixels would leave the others in the dark.
        greatest = max(float(np.quantile(maps, 0.995)), 1e-12)
        for panel, values in zip(grid[:, column], maps, strict=True):
            panel.imshow(values, cmap=cmap, vmin=0, vmax=greatest)
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


_LABELS = {
    "rank_correlation": "rank correlation with the trained network's maps",
    "structural_similarity": "structural similarity to the trained network's maps",
}
_MARKERS = "osD^vPX*"


def parameter_randomization(
    report: ParameterRandomizationReport,
    ax: Axes | None = None,
    *,
    measure: str = "rank_correlation",
) -> Axes:
    """Draws how alike the maps stay while layer after layer is made random.

    A curve that stays high belongs to a method whose maps owe little to the weights.

    Example:

    ```python
    report = ki.attribution.parameter_randomization_report(model, images)
    ax = ki.plotting.parameter_randomization(report)
    ax.figure.savefig("parameter_randomization.png")
    ```

    Args:
        report: what `keras_interp.attribution.parameter_randomization_report` returned.
        ax: axes to draw on. Default: those of a new figure.
        measure: `"rank_correlation"` or `"structural_similarity"`.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: for another measure.
    """
    if measure not in _LABELS:
        raise ValueError(
            f"Expected measure as one of {list(_LABELS)}. Received: "
            f"measure={measure!r}. Pass one of these."
        )
    stages = len(report.stages)
    ax = axes_or_new(ax, 3.5 + 0.35 * max(stages, 6), 4.0)
    values = np.hstack([np.ones((len(report.methods), 1)), getattr(report, measure)])
    # Where each layer alone is random, nothing leads from one to the next.
    line = "-" if report.cascading else ""
    for row, name in enumerate(report.methods):
        marker = _MARKERS[row % len(_MARKERS)]
        label = name.replace("_", " ")
        ax.plot(values[row], line, marker=marker, markersize=4, label=label)
    ax.axhline(0, color="#9aa5ae", linewidth=0.8)
    ticks = ["none", *report.stages]
    ax.set_xticks(range(stages + 1), ticks, rotation=60, ha="right", fontsize="x-small")
    ax.set_xlabel(
        "random from the top to" if report.cascading else "random layer",
        fontsize="small",
    )
    ax.set_ylabel(_LABELS[measure], fontsize="small")
    ax.set_ylim(min(-0.1, float(np.nanmin(values)) - 0.05), 1.05)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(
        fontsize="x-small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1)
    )
    return ax
