"""How many filters follow which part or detect which concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.metrics import DissectionScores


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
            "Expected parts as integers of shape (filters,). Received: parts of "
            f"{parts.dtype}, shape {parts.shape}. Pass the .part of "
            "ki.metrics.tracking."
        )
    if parts.size and (parts.min() < -1 or parts.max() >= count):
        raise ValueError(
            f"Expected parts from -1 (none) to {count - 1} for {count} part names. "
            f"Received: parts from {parts.min()} to {parts.max()}. Pass a name for "
            "each part."
        )
    flags = np.ones(len(parts), bool) if detectors is None else to_numpy(detectors)
    if flags.shape != parts.shape:
        raise ValueError(
            f"Expected detectors of the shape of parts, {parts.shape}. Received: "
            f"detectors of shape {flags.shape}. Pass the result of "
            "ki.metrics.is_part_detector."
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


def concept_histogram(
    dissection: DissectionScores,
    ax: Axes | None = None,
    *,
    undetected: bool = False,
    title: str | None = None,
) -> Axes:
    """Counts the detectors of each concept, a colour for each category of concepts.

    Example:

    ```python
    concepts = ki.datasets.concept_masks(dataset)
    scores = ki.metrics.network_dissection(maps, concepts)
    ax = ki.plotting.concept_histogram(scores)
    ax.figure.savefig("concepts.png")
    ```

    Args:
        dissection: what `keras_interp.metrics.network_dissection` or the `details` of
            `keras_interp.metrics.NetworkDissection` gave.
        ax: axes to draw on. Default: those of a new figure.
        undetected: whether to name the concepts that no filter detects, too.
        title: text above the bars. Default: the number of unique detectors, and how
            many of the filters detect anything.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if `dissection` is no result of network dissection.

    Reference:
        Bau, Zhou, Khosla, Oliva and Torralba, Network Dissection, CVPR 2017, section 3.
    """
    if not hasattr(dissection, "is_detector"):
        raise ValueError(
            "Expected dissection as ki.metrics.network_dissection gives it. "
            f"Received: {type(dissection).__name__}. Pass the result itself."
        )
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    counts, shown = _counts(dissection, undetected)
    colors = _category_colors(dissection)
    ax = axes_or_new(ax, 5.0, 1.4 + 0.24 * max(len(shown), 3))
    categories = [dissection.concept_categories[concept] for concept in shown]
    ax.barh(
        np.arange(len(shown)),
        counts[shown],
        color=[colors[category] for category in categories],
    )
    names = [dissection.concept_names[concept] for concept in shown]
    ax.set_yticks(np.arange(len(shown)), names, fontsize="small")
    ax.invert_yaxis()
    ax.set_xlabel("filters that detect it")
    ax.set_xlim(0, max(float(counts.max(initial=0)), 1) * 1.05)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    found = dissection.unique_detectors_by_category
    handles = [
        Patch(color=color, label=f"{category}: {found[category]}")
        for category, color in colors.items()
    ]
    ax.legend(handles=handles, title="concepts found", fontsize="small", frameon=False)
    if not len(shown):
        ax.text(0.5, 0.5, "no filter detects a concept", transform=ax.transAxes)
    ax.set_title(title or _title(dissection), fontsize="small")
    return ax


def _counts(
    dissection: DissectionScores, undetected: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Detectors of every concept, and the concepts to draw by category and count."""
    categories = list(dict.fromkeys(dissection.concept_categories))
    counts = np.bincount(
        dissection.concept[dissection.is_detector],
        minlength=len(dissection.concept_names),
    )
    place = np.array([categories.index(c) for c in dissection.concept_categories])
    order = np.lexsort((-counts, place))
    return counts, order if undetected else order[counts[order] > 0]


def _category_colors(dissection: DissectionScores) -> dict[str, str]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    categories = dict.fromkeys(dissection.concept_categories)
    return {
        name: to_hex(colormaps["tab10"](k % 10)) for k, name in enumerate(categories)
    }


def _title(dissection: DissectionScores) -> str:
    return (
        f"{dissection.unique_detectors} unique detectors; {dissection.detectors} of "
        f"{len(dissection.concept)} filters detect a concept"
    )
