"""How fast maps forget a network whose weights are made random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_interp.plotting.canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.attribution import ParameterRandomizationReport

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
            f"Expected measure as one of {list(_LABELS)}, got {measure!r}."
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
