"""How many filters detect which concept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_interp.plotting.canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.metrics import DissectionScores


def concept_histogram(
    dissection: DissectionScores,
    axes: Axes | None = None,
    *,
    undetected: bool = False,
    title: str | None = None,
) -> Axes:
    """Counts the detectors of each concept, a colour for each category of concepts.

    Example:

    ```python
    concepts = ki.datasets.concept_masks(dataset)
    scores = ki.metrics.network_dissection(maps, concepts)
    axes = ki.plotting.concept_histogram(scores)
    axes.figure.savefig("concepts.png")
    ```

    Args:
        dissection: what `keras_interp.metrics.network_dissection` or the `details` of
            `keras_interp.metrics.NetworkDissection` gave.
        axes: axes to draw on. Default: those of a new figure.
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
            "dissection must be what ki.metrics.network_dissection gives; got "
            f"{type(dissection).__name__}."
        )
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    counts, shown = _counts(dissection, undetected)
    colors = _category_colors(dissection)
    ax = axes_or_new(axes, 5.0, 1.4 + 0.24 * max(len(shown), 3))
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
