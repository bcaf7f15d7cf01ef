"""One image with the places of many filters, each named by its part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics import positions_and_scores
from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._canvas import as_image, show_image
from keras_interp.plotting._landmarks import part_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.receptive_fields import ReceptiveField

UNNAMED = "0.65"
# Heights of two labels in one column, as a share of the height of the image.
_LINE_HEIGHT = 0.075


def parts_on_image(
    image: Any,
    maps: Any,
    receptive_field: ReceptiveField,
    ax: Axes | None = None,
    *,
    names: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    title: str | None = None,
) -> Axes:
    """Draws where each filter finds its part in one image, one colour a part.

    A spot marks the peak of each filter that fires. Filters of one name share a colour
    and a label, which stands beside the image with a line to the strongest of them and
    their number in brackets, if there are several. Filters without a name are small
    grey spots: together they show whether a layer covers the object or follows one part
    many times.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.zeros((14, 14, 3))
    >>> maps[3, 4, 0] = maps[3, 5, 1] = maps[10, 9, 2] = 1.0
    >>> field = ki.ReceptiveField(size=32, stride=16, start=7.5)
    >>> ax = ki.plotting.parts_on_image(
    ...     np.zeros((224, 224, 3)), maps, field, names=["head", "head", "tail"]
    ... )
    >>> print(*(text.get_text() for text in ax.texts), sep=", ")
    head (2), tail

    Args:
        image: image `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats.
        maps: the image's maps `(h, w, F)`, after the ReLU.
        receptive_field: of the layer that gave the maps.
        ax: axes to draw on, with room for labels on both sides. Default: those of a new
            figure.
        names: F names of parts, `""` for a filter without one, such as the `.names` of
            `ki.metrics.name_filters`. Default: each filter by its number.
        order: names that have colours in this order, so that a part has one colour in
            several drawings. Default: the names in `names`, sorted.
        title: text above the image.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if a shape does not fit, there is not one name for each filter, or
            `order` lacks a name.
    """
    maps = to_numpy(maps)
    if maps.ndim != 3:
        raise ValueError(
            "Expected maps of shape (height, width, filters). Received: maps of shape "
            f"{maps.shape}. Of a batch pass those of one image, such as maps[0]."
        )
    count = maps.shape[-1]
    words = [f"filter {place}" for place in range(count)] if names is None else [*names]
    if len(words) != count:
        raise ValueError(
            f"Expected names as one name for each of the {count} filters. Received: "
            f'{len(words)} names. Give filters without a part the name "".'
        )
    colors = _colors(words, order)
    as_image(image)
    positions, scores = positions_and_scores(maps[None], receptive_field)
    if ax is None:
        ax = axes_with_room()
    height, width = show_image(ax, image)
    _spots(ax, positions[0], np.array(words, dtype=object), colors)
    _labels(ax, positions[0], scores[0], words, colors, names is not None)
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    if title:
        ax.set_title(title, fontsize="medium")
    return ax


def axes_with_room(count: int = 1) -> Any:
    """Axes of a new figure with room for labels on both sides; an array of several."""
    from matplotlib.figure import Figure

    # Layouts of matplotlib leave no room for labels beside axes of a fixed aspect.
    figure = Figure(figsize=(4.8 * count, 3.0))
    rooms = [
        figure.add_axes(((place + 0.25) / count, 0.03, 0.5 / count, 0.86))
        for place in range(count)
    ]
    return rooms[0] if count == 1 else np.array(rooms, dtype=object)


def _colors(words: Sequence[str], order: Sequence[str] | None) -> dict[str, Any]:
    used = dict.fromkeys(word for word in words if word)
    wanted = sorted(used) if order is None else list(dict.fromkeys(order))
    if order is None and all(word.startswith("filter ") for word in used):
        wanted = list(used)
    missing = [word for word in used if word not in wanted]
    if missing:
        raise ValueError(
            f"Expected order with every name in names. Received: order={wanted!r}, "
            f"which lacks {missing}. Add them, or leave order out."
        )
    return dict(zip(wanted, part_colors(len(wanted)), strict=True))


def _spots(
    ax: Axes, positions: np.ndarray, words: np.ndarray, colors: dict[str, Any]
) -> None:
    """The peaks, those without a name below the others."""
    firing = np.isfinite(positions).all(axis=-1)
    unnamed = firing & (words == "")
    ax.scatter(
        positions[unnamed, 0],
        positions[unnamed, 1],
        s=14,
        color=UNNAMED,
        edgecolors="0.2",
        linewidths=0.5,
        zorder=2,
    )
    for word, color in colors.items():
        own = firing & (words == word)
        ax.scatter(
            positions[own, 0],
            positions[own, 1],
            s=70,
            color=color,
            edgecolors="white",
            linewidths=1.4,
            zorder=3,
        )


def _labels(
    ax: Axes,
    positions: np.ndarray,
    scores: np.ndarray,
    words: Sequence[str],
    colors: dict[str, Any],
    counted: bool,
) -> None:
    """A label for each name, left or right of the image, none upon another."""
    places = {}
    for word in colors:
        own = [k for k, one in enumerate(words) if one == word and scores[k] > 0]
        if own:
            places[word] = positions[max(own, key=lambda k: scores[k])], len(own)
    height = ax.get_ylim()[0] - ax.get_ylim()[1]
    middle = np.median([place[0] for place, _ in places.values()] or [0.0])
    for side in ("left", "right"):
        here = sorted(
            (w for w, (p, _) in places.items() if (p[0] < middle) == (side == "left")),
            key=lambda w: places[w][0][1],
        )
        rows = _spread([1 - (places[w][0][1] + 0.5) / height for w in here])
        for word, row in zip(here, rows, strict=True):
            (x, y), count = places[word]
            some = f" ({count})" if counted and count > 1 else ""
            ax.annotate(
                word.replace("_", " ") + some,
                (x, y),
                xytext=(-0.04 if side == "left" else 1.04, row),
                textcoords="axes fraction",
                ha="right" if side == "left" else "left",
                va="center",
                fontsize="small",
                color=_darker(colors[word]),
                fontweight="bold",
                annotation_clip=False,
                arrowprops={
                    "arrowstyle": "-",
                    "color": colors[word],
                    "linewidth": 1.4,
                    "shrinkB": 4,
                },
                zorder=4,
            )


def _spread(rows: Sequence[float]) -> np.ndarray:
    """Heights from the top down, moved apart to hold a line of text each."""
    found = np.clip(np.array(rows, dtype="float64"), 0.03, 0.97)
    gaps = _LINE_HEIGHT * np.arange(len(found))
    # Falling heights with gaps are falling heights without, moved: pool violators.
    moved = np.minimum.accumulate(found + gaps)
    found = moved - gaps
    below = 0.03 - found.min(initial=1.0)
    return found + max(below, 0.0)


def _darker(color: Any) -> np.ndarray:
    """The colour as text that can be read on white."""
    return np.concatenate([0.72 * np.asarray(color)[:3], [1.0]])
