"""What a network saw in a picture, laid over the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.plotting.attribution_scale import (
    AttributionScale,
    check_map,
    check_percentile,
    opacities,
)
from keras_interp.plotting.canvas import axes_or_new, without_ticks
from keras_interp.plotting.picture import as_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

OPACITY = 0.9
# Rec. 601, the weights of red, green and blue in brightness.
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], "float32")


def attribution_overlay(
    image: Any,
    attribution: Any,
    axes: Axes | None = None,
    *,
    method: str | None = None,
    explained: str | None = None,
    channels: str = "sum",
    percentile: float = 99.0,
    limit: float | None = None,
    signed: bool | None = None,
    color_map: str | None = None,
    opacity: float = OPACITY,
    color_bar: bool = True,
) -> Axes:
    """Lays an attribution over its picture, which is shown in gray.

    Maps without negative values go from transparent over purple to yellow on a darkened
    picture, maps with both signs from blue (against) over transparent to red (for) on a
    lightened one; both colour maps change evenly in brightness. One pixel can be a
    hundred times as strong as all others: the full colour stands for the 99th
    percentile of the absolute values, and the colour bar's pointed ends say that there
    are values beyond.

    Example:

    ```python
    maps = ki.attribution.integrated_gradients(model, inputs)
    axes = ki.plotting.attribution_overlay(
        images[0], maps[0], method="integrated gradients", explained="goldfinch"
    )
    axes.figure.savefig("goldfinch.png")
    ```

    Args:
        image: picture `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats; `None`
            to draw the map alone.
        attribution: `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, of the picture's size. For
            feature maps, which are smaller, there is `keras_interp.plotting.overlay`.
        axes: axes to draw on. Default: those of a new figure.
        method: name of the method, the first line above the picture.
        explained: what the map explains, such as the class, the second line.
        channels: what to show of three colours: their "sum", the effect of making the
            pixel brighter, or "max", the value of greatest size.
        percentile: of the absolute values, that has the full colour.
        limit: value that has the full colour, instead of a percentile.
        signed: whether to show negative values. `False` counts them as 0. Default:
            whether there are any beyond a thousandth of the greatest value.
        color_map: name of a matplotlib colour map. Default: `"inferno"`, with both
            signs `"RdBu_r"`.
        opacity: of the full colour, 0 to 1; without an attribution it is 0.
        color_bar: whether to draw the scale beside the picture.

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
        raise ValueError(f"limit must be positive; got {limit!r}.")
    values = check_map("attribution", attribution, channels)
    beneath = None if image is None else check_beneath(image, values)
    scale = AttributionScale.of(values, percentile, limit, signed, color_map)
    ax = axes_or_new(axes, 4.4, 4.2)
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


def check_opacity(opacity: float) -> None:
    """Refuses what is no share."""
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity must lie between 0 and 1; got {opacity!r}.")


def check_beneath(image: Any, values: np.ndarray) -> np.ndarray:
    """The picture in gray, `(H, W)`, refused if the map has another size."""
    gray = as_picture(image) @ _BRIGHTNESS
    if gray.shape != values.shape:
        raise ValueError(
            f"attribution must have the picture's height and width, {gray.shape}; got "
            f"{values.shape}. Resize the picture as it was for the network; for "
            "feature maps use ki.plotting.overlay."
        )
    return gray


def draw_attribution(
    ax: Axes,
    gray: np.ndarray | None,
    values: np.ndarray,
    scale: AttributionScale,
    opacity: float,
) -> None:
    """Draws checked values over a picture in gray, or alone."""
    shares = scale.shares(values)
    alpha: np.ndarray | None = None
    if gray is not None:
        toned = np.repeat(scale.tone(gray)[..., None], 3, axis=2)
        ax.imshow(np.clip(toned, 0, 1), interpolation="nearest")
        alpha = opacities(shares, opacity)
    ax.imshow(
        shares,
        cmap=scale.color_map,
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
    """What a colour bar shows: the colours as they look over the picture.

    Args:
        scale: of the maps.
        gray: the picture beneath, if any.
        opacity: of the full colour.
        limit: number at the bar's end. Default: the scale's own.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    # A bar cannot show 0 to 0; the map is blank then.
    limit = (scale.limit or 1.0) if limit is None else limit
    norm = Normalize(-limit if scale.signed else 0.0, limit)
    if gray is None:
        return ScalarMappable(norm, scale.color_map)
    beneath = float(scale.tone(np.median(gray)))
    return ScalarMappable(norm, scale.bar_colors(beneath, opacity))
