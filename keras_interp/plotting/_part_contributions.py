"""Bars of what each object part adds to a class score, beside the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.plotting._canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.attribution import PartContributions


# Tracks and remainder are no parts: they get no colour of their own.
GREY = "0.6"
_OTHERS = 3


def part_contributions(
    contributions: PartContributions,
    index: int,
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """Draws how a class score is put together from object parts.

    The bars add up to the score. A bar to the left, a negative contribution, is a part
    whose filters speak against the class in this image: without it the score would be
    higher. A share of the score can so be negative, and others exceed the whole.

    Example:

    ```python
    found = explainer.part_contributions(images[:4], dataset)
    ax = ki.plotting.part_contributions(found, 0)
    ```

    Args:
        contributions: what `Explainer.part_contributions` gave.
        index: which of its images.
        ax: axes to draw on. Default: those of a new figure.
        title: text above the bars. Default: class and score.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if there is no such image.
    """
    _check_image(contributions, index)
    values = contributions.values[index]
    colors = part_colors(contributions)
    ax = axes_or_new(ax, 5.0, 1.2 + 0.3 * len(values))
    rows = np.arange(len(values))
    ax.barh(rows, values, color=[colors.get(p, GREY) for p in contributions.parts])
    labels = [
        f"{name} ({count} filter{'s' if count > 1 else ''})" if count else name
        for name, count in zip(contributions.parts, contributions.filters, strict=True)
    ]
    ax.set_yticks(rows, labels, fontsize="small")
    ax.invert_yaxis()
    ax.axvline(0.0, color="0.3", linewidth=0.8)
    words = "contribution to the class score"
    if (values < 0).any():
        words += "\nnegative: speaks against the class"
    ax.set_xlabel(words)
    ax.spines[["top", "right"]].set_visible(False)
    if title is None:
        label = int(contributions.class_index[index])
        title = f"class {label}, score {contributions.scores[index]:.2f}"
    ax.set_title(title, fontsize="medium")
    return ax


def part_positions(
    image: Any,
    contributions: PartContributions,
    index: int,
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """Draws where the filters of each part see it, larger where they add more.

    Example:

    ```python
    ax = ki.plotting.part_positions(dataset.images[0], found, 0)
    ```

    Args:
        image: `(H, W)` or `(H, W, 3)`, the image as the dataset has it.
        contributions: what `Explainer.part_contributions` gave.
        index: which of its images this is.
        ax: axes to draw on. Default: those of a new figure.
        title: text above the image. Default: none.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if there is no such image.
    """
    from keras_interp.plotting._canvas import show_image

    _check_image(contributions, index)
    ax = axes_or_new(ax, 3.2, 3.2)
    show_image(ax, image)
    colors = part_colors(contributions)
    for place, name in enumerate(contributions.parts[:-_OTHERS]):
        members = contributions.filter_parts == place
        spots = contributions.positions[index, members]
        share = contributions.per_filter[index, members]
        largest = np.abs(contributions.per_filter[index]).max(initial=0) or 1.0
        firing = np.isfinite(spots).all(axis=-1)
        if firing.any():
            ax.scatter(
                spots[firing, 0],
                spots[firing, 1],
                s=12 + 90 * np.abs(share[firing]) / largest,
                color=colors[name],
                edgecolors="white",
                linewidths=0.6,
                alpha=0.85,
                label=name,
            )
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize="x-small", loc="lower right", framealpha=0.8)
    if title is not None:
        ax.set_title(title, fontsize="medium")
    return ax


def part_colors(contributions: PartContributions) -> dict[str, Any]:
    """A colour for each part, the same in both drawings."""
    from matplotlib import colormaps

    palette = colormaps["tab10"]
    names = contributions.parts[:-_OTHERS]
    return {name: palette(place % 10) for place, name in enumerate(names)}


def _check_image(contributions: PartContributions, index: int) -> None:
    count = len(contributions.values)
    if not 0 <= index < count:
        raise ValueError(
            f"Expected index from 0 to {count - 1}, one of the images that the "
            f"contributions were computed for. Received: index={index!r}. Pass its "
            "place among them."
        )
