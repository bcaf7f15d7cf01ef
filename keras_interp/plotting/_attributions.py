"""Attributions laid over their images, one or several methods side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._attribution_scale import (
    AttributionScale,
    check_map,
    check_percentile,
    opacities,
)
from keras_interp.plotting._canvas import (
    as_image,
    axes_or_new,
    check_opacity,
    grid_or_new,
    show_image,
    without_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


OPACITY = 0.9
# Rec. 601, the weights of red, green and blue in brightness.
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], "float32")


def attribution_overlay(
    image: Any,
    attribution: Any,
    ax: Axes | None = None,
    *,
    method: str | None = None,
    explained: str | None = None,
    channels: str = "sum",
    percentile: float = 99.0,
    limit: float | None = None,
    signed: bool | None = None,
    cmap: str | Colormap | None = None,
    opacity: float = OPACITY,
    color_bar: bool = True,
) -> Axes:
    """Lays an attribution over its image, which is shown in gray.

    Maps without negative values go from transparent over purple to yellow on a darkened
    image, maps with both signs from blue (against) over transparent to red (for) on a
    lightened one; both colour maps change evenly in brightness. One pixel can be a
    hundred times as strong as all others: the full colour stands for the 99th
    percentile of the absolute values, and the colour bar's pointed ends say that there
    are values beyond.

    Example:

    ```python
    maps = ki.attribution.integrated_gradients(model, inputs)
    ax = ki.plotting.attribution_overlay(
        images[0], maps[0], method="integrated gradients", explained="goldfinch"
    )
    ax.figure.savefig("goldfinch.png")
    ```

    Args:
        image: image `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats; `None`
            to draw the map alone.
        attribution: `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, of the image's size. For
            feature maps, which are smaller, there is `keras_interp.plotting.overlay`.
        ax: axes to draw on. Default: those of a new figure.
        method: name of the method, the first line above the image.
        explained: what the map explains, such as the class, the second line.
        channels: what to show of three colours: their "sum", the effect of making the
            pixel brighter, or "max", the value of greatest size.
        percentile: of the absolute values, that has the full colour.
        limit: value that has the full colour, instead of a percentile.
        signed: whether to show negative values. `False` counts them as 0. Default:
            whether there are any beyond a thousandth of the greatest value.
        cmap: name of a matplotlib colour map, or the map itself. Default:
            `"inferno"`, with both signs `"RdBu_r"`.
        opacity: of the full colour, 0 to 1; without an attribution it is 0.
        color_bar: whether to draw the scale beside the image.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if a shape does not fit, a value is not finite, or an option lies
            outside its range.

    Reference:
        Smilkov et al., SmoothGrad: Removing Noise by Adding Noise, 2017, section 3.1,
        for the cut at the 99th percentile.
    """
    check_percentile(percentile)
    check_opacity(opacity)
    if limit is not None and not limit > 0:
        raise ValueError(
            f"Expected limit as a positive value. Received: limit={limit!r}. Leave it "
            "out for a percentile of the values."
        )
    values = check_map("attribution", attribution, channels)
    beneath = None if image is None else check_beneath(image, values)
    scale = AttributionScale.of(values, percentile, limit, signed, cmap)
    ax = axes_or_new(ax, 4.4, 4.2)
    draw_attribution(ax, beneath, values, scale, opacity)
    if color_bar:
        shown = scale_bar(scale, beneath, opacity)
        bar: Any = ax.figure.colorbar(
            shown, ax=ax, extend=scale.extend, fraction=0.046, pad=0.03
        )
        bar.formatter.set_powerlimits((-2, 3))
    lines = [method, f"explained: {explained}" if explained else None]
    title = "\n".join(line for line in lines if line)
    if title:
        ax.set_title(title, fontsize="small")
    return ax


def check_beneath(image: Any, values: np.ndarray) -> np.ndarray:
    """The image in gray, `(H, W)`, refused if the map has another size."""
    gray = as_image(image) @ _BRIGHTNESS
    if gray.shape != values.shape:
        raise ValueError(
            f"Expected attribution of the image's height and width, {gray.shape}. "
            f"Received: attribution of shape {values.shape}. Resize the image as it "
            "was for the network; for feature maps use ki.plotting.overlay."
        )
    return gray


def draw_attribution(
    ax: Axes,
    gray: np.ndarray | None,
    values: np.ndarray,
    scale: AttributionScale,
    opacity: float,
) -> None:
    """Draws checked values over an image in gray, or alone."""
    shares = scale.shares(values)
    alpha: np.ndarray | None = None
    if gray is not None:
        toned = np.repeat(scale.tone(gray)[..., None], 3, axis=2)
        ax.imshow(np.clip(toned, 0, 1), interpolation="nearest")
        alpha = opacities(shares, opacity)
    ax.imshow(
        shares,
        cmap=scale.cmap,
        vmin=-1.0 if scale.signed else 0.0,
        vmax=1.0,
        alpha=alpha,
        interpolation="nearest",
    )
    without_ticks(ax)


def scale_bar(
    scale: AttributionScale,
    gray: np.ndarray | None,
    opacity: float,
    limit: float | None = None,
) -> ScalarMappable:
    """What a colour bar shows: the colours as they look over the image.

    Args:
        scale: of the maps.
        gray: the image beneath, if any.
        opacity: of the full colour.
        limit: number at the bar's end. Default: the scale's own.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    # A bar cannot show 0 to 0; the map is blank then.
    limit = (scale.limit or 1.0) if limit is None else limit
    norm = Normalize(-limit if scale.signed else 0.0, limit)
    if gray is None:
        return ScalarMappable(norm, scale.cmap)
    beneath = float(scale.tone(np.median(gray)))
    return ScalarMappable(norm, scale.bar_colors(beneath, opacity))


_SCALES = ("map", "method", "all")


def attribution_grid(
    images: Any,
    attributions: Mapping[str, Any],
    ax: np.ndarray | None = None,
    *,
    explained: Sequence[str] | None = None,
    scale: str = "map",
    channels: str = "sum",
    percentile: float = 99.0,
    cmap: str | Colormap | None = None,
    beneath: bool = True,
    opacity: float = OPACITY,
    color_bar: bool = True,
) -> np.ndarray:
    """Compares attribution methods: a row for each image, a column for each method.

    The numbers of different methods have different meanings, so by default each map has
    a scale of its own, up to the 99th percentile of its absolute values: the colours
    say where a method looks, not how strong it is. A method that gives negative values
    on any image has both signs on all.

    Example:

    ```python
    methods = ("saliency", "grad_cam", "occlusion")
    maps = {name: getattr(ki.attribution, name)(model, inputs) for name in methods}
    axes = ki.plotting.attribution_grid(images, maps, explained=class_names)
    axes[0, 0].figure.savefig("methods.png", dpi=200)
    ```

    Args:
        images: `(B, H, W)`, `(B, H, W, 1)` or `(B, H, W, 3)`, integers or floats, or B
            images of different sizes.
        attributions: maps by name of the method, each `(B, H, W)`, `(B, H, W, 1)` or
            `(B, H, W, 3)`.
        ax: array of axes with B rows and a column more than methods. Default: those
            of a new figure.
        explained: B words, what the maps of each image explain, such as its class.
        scale: `"map"`; `"method"`, one scale for each column, in the method's own
            numbers; or `"all"`, one for everything, which only makes sense for methods
            with the same unit.
        channels: what to show of three colours, `"sum"` or `"max"` as in
            `attribution_overlay`.
        percentile: of the absolute values, that has the full colour.
        cmap: name of a matplotlib colour map, or the map itself. Default: `"inferno"`,
            with both signs `"RdBu_r"`.
        beneath: whether to show the image in gray beneath each map.
        opacity: of the full colour over an image, 0 to 1.
        color_bar: whether to draw the scales.

    Returns:
        The axes `(B, 1 + methods)`; the first column shows the images.

    Raises:
        ValueError: if a number of images, a shape or an option does not fit.
    """
    check_percentile(percentile)
    check_opacity(opacity)
    if scale not in _SCALES:
        raise ValueError(
            f"Expected scale as one of {_SCALES}. Received: scale={scale!r}. Pass one "
            "of these."
        )
    maps = _check_maps(images, attributions, explained, channels)
    for rows in maps.values():
        grays = [check_beneath(*pair) for pair in zip(images, rows, strict=True)]
    scales = _scales(list(maps.values()), scale, percentile, cmap)
    grid = grid_or_new(ax, len(images), 1 + len(maps), 1.7, 1.75)
    for line, image in zip(grid, images, strict=True):
        show_image(line[0], image)
    for column, (name, values) in enumerate(maps.items()):
        title = textwrap.fill(name.replace("_", " "), 20)
        grid[0, 1 + column].set_title(title, fontsize="small")
        for row, value in enumerate(values):
            gray = grays[row] if beneath else None
            panel = grid[row, 1 + column]
            draw_attribution(panel, gray, value, scales[column][row], opacity)
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
    """Reduced maps of each image by method."""
    count = len(images)
    if not isinstance(attributions, Mapping) or not attributions or not count:
        raise ValueError(
            "Expected attributions as a dict from names of methods to maps of at "
            f"least one image. Received: {type(attributions).__name__} and {count} "
            f'images. Pass {{"saliency": maps}}.'
        )
    if explained is not None and (
        isinstance(explained, str) or len(explained) != count
    ):
        raise ValueError(
            f"Expected explained as one word for each of the {count} images. "
            f"Received: explained={explained!r}. Pass a list of words."
        )
    checked = {}
    for name, maps in attributions.items():
        maps = maps if isinstance(maps, list | tuple) else to_numpy(maps)
        if len(maps) != count:
            raise ValueError(
                f"Expected a map for each of the {count} images. Received: "
                f"{len(maps)} maps in attributions[{name!r}]. Compute them for the "
                "same images."
            )
        checked[name] = [
            check_map(f"attributions[{name!r}][{row}]", one, channels)
            for row, one in enumerate(maps)
        ]
    return checked


def _scales(
    maps: list[list[np.ndarray]],
    shared: str,
    percentile: float,
    cmap: str | Colormap | None,
) -> list[list[AttributionScale]]:
    """The scale of every map, by method and image."""
    flat = [np.concatenate([one.ravel() for one in column]) for column in maps]
    if shared == "all":
        one = AttributionScale.of(np.concatenate(flat), percentile, cmap=cmap)
        return [[one] * len(column) for column in maps]
    scales = []
    for column, values in zip(maps, flat, strict=True):
        whole = AttributionScale.of(values, percentile, cmap=cmap)
        own = [
            AttributionScale.of(value, percentile, signed=whole.signed, cmap=cmap)
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
