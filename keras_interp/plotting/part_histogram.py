"""How many filters follow which part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy
from keras_interp.plotting.canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DETECTOR, _OTHER = "#1f6fb2", "#b8c4ce"


def part_histogram(
    parts: Any,
    part_names: Sequence[str],
    ax: Axes | None = None,
    *,
    detectors: Any = None,
    title: str | None = None,
) -> Axes:
    """Counts the filters of each part: one tall bar means that all follow the same.

    Example:

    ```python
    result = ki.metrics.tracking(positions, scores, landmarks, (64, 64))
    ax = ki.plotting.part_histogram(
        result.part, dataset.landmark_names, detectors=result.per_filter > 0.2
    )
    ```

    Args:
        parts: integers `(F,)`, the part that each filter follows; -1 for none.
        part_names: the K names of the parts.
        ax: axes to draw on. Default: those of a new figure.
        detectors: bool `(F,)`, the filters that really detect their part; the others
            are drawn pale. Default: all of them.
        title: text above the bars.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if a shape does not fit or a part has no name.
    """
    parts = to_numpy(parts)
    count = len(part_names)
    if parts.ndim != 1 or parts.dtype.kind not in "iu":
        raise ValueError(
            f"parts must be integers of shape (filters,); got {parts.dtype} of shape "
            f"{parts.shape}."
        )
    if parts.size and (parts.min() < -1 or parts.max() >= count):
        raise ValueError(
            f"parts must lie between -1 (none) and {count - 1} for {count} part names; "
            f"got {parts.min()} to {parts.max()}."
        )
    flags = np.ones(len(parts), bool) if detectors is None else to_numpy(detectors)
    if flags.shape != parts.shape:
        raise ValueError(
            f"detectors must have the shape of parts, {parts.shape}; got {flags.shape}."
        )
    flags = flags.astype(bool)
    from matplotlib.ticker import MaxNLocator

    ax = axes_or_new(ax, 5.0, 1.2 + 0.28 * (count + 1))
    # Filters without a part stand last, below all parts.
    places = np.where(parts < 0, count, parts)
    sure = np.bincount(places[flags], minlength=count + 1)
    weak = np.bincount(places[~flags], minlength=count + 1)
    shown = np.arange(count + 1 if (parts < 0).any() else count)
    ax.barh(shown, sure[shown], color=_DETECTOR, label="part detectors")
    if detectors is not None:
        ax.barh(shown, weak[shown], left=sure[shown], color=_OTHER, label="weak")
        ax.legend(fontsize="small", frameon=False)
    ax.set_yticks(shown, [*part_names, "none"][: len(shown)], fontsize="small")
    ax.invert_yaxis()
    ax.set_xlabel("filters")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    if title:
        ax.set_title(title, fontsize="small")
    return ax
