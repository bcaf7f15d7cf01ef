"""Points, boxes and part masks drawn on their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy
from keras_interp.plotting.canvas import axes_or_new
from keras_interp.plotting.picture import show_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def landmarks(
    image: Any,
    points: Any = None,
    ax: Axes | None = None,
    *,
    names: Sequence[str] | None = None,
    boxes: Any = None,
    masks: Any = None,
    title: str | None = None,
) -> Axes:
    """Draws the landmarks, boxes and part masks of one picture, a colour for each part.

    Example:

    ```python
    dataset = ki.datasets.load("synthetic_parts")
    ax = ki.plotting.landmarks(
        dataset.images[0], dataset.landmarks[0], names=dataset.landmark_names
    )
    ```

    Args:
        image: picture `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats.
        points: `(K, 2)` landmarks as (x, y) pixels; those with NaN are left out.
        ax: axes to draw on. Default: those of a new figure.
        names: K names, for a legend of the parts that can be seen.
        boxes: `(4,)` or `(M, 4)` boxes as (x0, y0, x1, y1) pixels; those with NaN are
            left out.
        masks: bool `(K, H, W)`, in the colours of the points.
        title: text above the picture.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if a shape does not fit.
    """
    points = _rows_of("points", points, 2)
    boxes = _rows_of("boxes", boxes, 4)
    masks = np.zeros((0, 1, 1)) if masks is None else to_numpy(masks)
    _check_counts(points, masks, names)
    ax = axes_or_new(ax)
    height, width = show_picture(ax, image)
    if len(masks) and masks.shape[1:] != (height, width):
        raise ValueError(
            f"masks must have shape (parts, {height}, {width}) as the picture has; got "
            f"shape {masks.shape}."
        )
    colors = part_colors(max(len(points), len(masks), len(names or ())))
    for mask, color in zip(masks.astype(bool), colors, strict=False):
        _draw_mask(ax, mask, color)
    for part in np.flatnonzero(np.isfinite(points).all(axis=1)).tolist():
        x, y = points[part]
        label = names[part] if names is not None else None
        ax.plot(x, y, "o", color=colors[part], markeredgecolor="white", label=label)
    for x0, y0, x1, y1 in boxes[np.isfinite(boxes).all(axis=1)]:
        ax.plot(
            [x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=2.5
        )
        ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="black", linewidth=1)
    if names is not None and np.isfinite(points).all(axis=1).any():
        ax.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if title:
        ax.set_title(title, fontsize="small")
    return ax


def part_colors(count: int) -> np.ndarray:
    """Colours `(count, 4)` that can be told apart."""
    from matplotlib import colormaps

    if count <= 10:
        return colormaps["tab10"](np.arange(count))
    if count <= 20:
        return colormaps["tab20"](np.arange(count))
    return colormaps["hsv"](np.arange(count) / count)


def _rows_of(name: str, values: Any, length: int) -> np.ndarray:
    """Float array `(M, length)`; no rows for `None`."""
    if values is None:
        return np.zeros((0, length))
    rows = np.atleast_2d(to_numpy(values).astype("float64"))
    if rows.ndim != 2 or rows.shape[1] != length:
        raise ValueError(
            f"{name} must have shape (count, {length}); got shape {rows.shape}. Pass "
            f"those of one picture, such as {name}[0]."
        )
    return rows


def _check_counts(
    points: np.ndarray, masks: np.ndarray, names: Sequence[str] | None
) -> None:
    if masks.ndim != 3:
        raise ValueError(
            "masks must have shape (parts, height, width); got shape "
            f"{masks.shape}. Pass those of one picture, such as part_masks[0]."
        )
    wanted = {len(points), len(masks)} - {0}
    if names is not None and wanted - {len(names)}:
        raise ValueError(
            f"names must hold one name a part; got {len(names)} names for "
            f"{len(points)} points and {len(masks)} masks."
        )


def _draw_mask(ax: Axes, mask: np.ndarray, color: np.ndarray) -> None:
    tint = np.broadcast_to(color, (*mask.shape, 4)).copy()
    tint[..., 3] = 0.45 * mask
    ax.imshow(tint, interpolation="nearest")
