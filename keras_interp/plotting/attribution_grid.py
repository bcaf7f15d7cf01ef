"""Several attribution methods side by side on the same pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy
from keras_interp.plotting.attribution_overlay import (
    OPACITY,
    check_beneath,
    check_opacity,
    draw_attribution,
    scale_bar,
)
from keras_interp.plotting.attribution_scale import (
    AttributionScale,
    check_map,
    check_percentile,
)
from keras_interp.plotting.canvas import grid_or_new
from keras_interp.plotting.picture import show_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SCALES = ("map", "method", "all")


def attribution_grid(
    images: Any,
    attributions: Mapping[str, Any],
    axes: np.ndarray | None = None,
    *,
    explained: Sequence[str] | None = None,
    scale: str = "map",
    channels: str = "sum",
    percentile: float = 99.0,
    beneath: bool = True,
    opacity: float = OPACITY,
    color_bar: bool = True,
) -> np.ndarray:
    """Compares attribution methods: a row for each picture, a column for each method.

    The numbers of different methods have different meanings, so by default each map has
    a scale of its own, up to the 99th percentile of its absolute values: the colours
    say where a method looks, not how strong it is. A method that gives negative values
    on any picture has both signs on all.

    Example:

    ```python
    methods = ("saliency", "grad_cam", "occlusion")
    maps = {name: getattr(ki.attribution, name)(model, inputs) for name in methods}
    axes = ki.plotting.attribution_grid(images, maps, explained=class_names)
    axes[0, 0].figure.savefig("methods.png", dpi=200)
    ```

    Args:
        images: `(B, H, W)`, `(B, H, W, 1)` or `(B, H, W, 3)`, integers or floats, or B
            pictures of different sizes.
        attributions: maps by name of the method, each `(B, H, W)`, `(B, H, W, 1)` or
            `(B, H, W, 3)`.
        axes: array of axes with B rows and a column more than methods. Default: those
            of a new figure.
        explained: B words, what the maps of each picture explain, such as its class.
        scale: `"map"`; `"method"`, one scale for each column, in the method's own
            numbers; or `"all"`, one for everything, which only makes sense for methods
            with the same unit.
        channels: what to show of three colours, `"sum"` or `"max"` as in
            `attribution_overlay`.
        percentile: of the absolute values, that has the full colour.
        beneath: whether to show the picture in gray beneath each map.
        opacity: of the full colour over a picture, 0 to 1.
        color_bar: whether to draw the scales.

    Returns:
        The axes `(B, 1 + methods)`; the first column shows the pictures.

    Raises:
        ValueError: if a number of pictures, a shape or an option does not fit.
    """
    check_percentile(percentile)
    check_opacity(opacity)
    if scale not in _SCALES:
        raise ValueError(f"scale must be one of {_SCALES}; got {scale!r}.")
    maps = _check_maps(images, attributions, explained, channels)
    for rows in maps.values():
        grays = [check_beneath(*pair) for pair in zip(images, rows, strict=True)]
    scales = _scales(list(maps.values()), scale, percentile)
    grid = grid_or_new(axes, len(images), 1 + len(maps), 1.7, 1.75)
    for line, image in zip(grid, images, strict=True):
        show_picture(line[0], image)
    for column, (name, values) in enumerate(maps.items()):
        title = textwrap.fill(name.replace("_", " "), 20)
        grid[0, 1 + column].set_title(title, fontsize="small")
        for row, value in enumerate(values):
            gray = grays[row] if beneath else None
            ax = grid[row, 1 + column]
            draw_attribution(ax, gray, value, scales[column][row], opacity)
    for line, word in zip(grid, explained or [], strict=False):
        line[0].set_ylabel(f"explained:\n{word}", fontsize="small")
    if color_bar:
        gray = np.concatenate([one.ravel() for one in grays]) if beneath else None
        _draw_bars(grid, scales, scale, percentile, gray, opacity)
    return grid


def _check_maps(
    images: Any,
    attributions: Mapping[str, Any],
    explained: Sequence[str] | None,
    channels: str,
) -> dict[str, list[np.ndarray]]:
    """Reduced maps of each picture by method."""
    count = len(images)
    if not isinstance(attributions, Mapping) or not attributions or not count:
        raise ValueError(
            "attributions must be a dict from names of methods to maps of at least one "
            f"picture; got {type(attributions).__name__} and {count} pictures."
        )
    if explained is not None and (
        isinstance(explained, str) or len(explained) != count
    ):
        raise ValueError(
            f"explained must hold one word for each of the {count} pictures; got "
            f"{explained!r}."
        )
    checked = {}
    for name, maps in attributions.items():
        maps = maps if isinstance(maps, list | tuple) else to_numpy(maps)
        if len(maps) != count:
            raise ValueError(
                f"attributions[{name!r}] holds {len(maps)} maps for {count} pictures."
            )
        checked[name] = [
            check_map(f"attributions[{name!r}][{row}]", one, channels)
            for row, one in enumerate(maps)
        ]
    return checked


def _scales(
    maps: list[list[np.ndarray]], shared: str, percentile: float
) -> list[list[AttributionScale]]:
    """The scale of every map, by method and picture."""
    flat = [np.concatenate([one.ravel() for one in column]) for column in maps]
    if shared == "all":
        one = AttributionScale.of(np.concatenate(flat), percentile)
        return [[one] * len(column) for column in maps]
    scales = []
    for column, values in zip(maps, flat, strict=True):
        whole = AttributionScale.of(values, percentile)
        own = [
            AttributionScale.of(value, percentile, signed=whole.signed)
            for value in column
        ]
        scales.append(own if shared == "map" else [whole] * len(column))
    return scales


def _draw_bars(
    grid: np.ndarray,
    scales: list[list[AttributionScale]],
    shared: str,
    percentile: float,
    gray: np.ndarray | None,
    opacity: float,
) -> None:
    figure: Figure = grid[0, 0].figure
    if shared == "method":
        for column, (scale, *_) in enumerate(scales):
            bar: Any = figure.colorbar(
                scale_bar(scale, gray, opacity),
                ax=grid[:, 1 + column].tolist(),
                extend=scale.extend,
                location="bottom",
                fraction=0.05,
                pad=0.02,
            )
            bar.formatter.set_powerlimits((-2, 3))
            bar.ax.tick_params(labelsize="x-small")
        return
    flat = [scale for column in scales for scale in column]
    for signed in (False, True):
        # One bar for each kind of colours.
        kind = [scale for scale in flat if scale.signed == signed]
        if not kind:
            continue
        limit = 1.0 if shared == "map" else None
        bar = figure.colorbar(
            scale_bar(kind[0], gray, opacity, limit),
            ax=grid.ravel().tolist(),
            extend=max((scale.extend for scale in kind), key="neither".__ne__),
            fraction=0.03,
            pad=0.01,
            shrink=min(1.0, 3 / len(grid)),
        )
        bar.ax.tick_params(labelsize="x-small")
        if shared == "map":
            words = f"relative; {100 - percentile:g} % of a map's pixels exceed 1"
            bar.set_label(words, fontsize="x-small")
        else:
            bar.formatter.set_powerlimits((-2, 3))
