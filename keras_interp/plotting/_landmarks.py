"""Images of a dataset with their points, boxes and part masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._canvas import axes_or_new, grid_or_new, show_image

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
    """Draws the landmarks, boxes and part masks of one image, a colour for each part.

    Example:

    ```python
    dataset = ki.datasets.load("synthetic_parts")
    ax = ki.plotting.landmarks(
        dataset.images[0], dataset.landmarks[0], names=dataset.landmark_names
    )
    ```

    Args:
        image: image `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, integers or floats.
        points: `(K, 2)` landmarks as (x, y) pixels; those with NaN are left out.
        ax: axes to draw on. Default: those of a new figure.
        names: K names, for a legend of the parts that can be seen.
        boxes: `(4,)` or `(M, 4)` boxes as (x0, y0, x1, y1) pixels; those with NaN are
            left out.
        masks: bool `(K, H, W)`, in the colours of the points.
        title: text above the image.

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
    height, width = show_image(ax, image)
    if len(masks) and masks.shape[1:] != (height, width):
        raise ValueError(
            f"Expected masks of shape (parts, {height}, {width}), as large as the "
            f"image. Received: masks of shape {masks.shape}. Resize them with the "
            "image."
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
            f"Expected {name} of shape (count, {length}). Received: {name} of shape "
            f"{rows.shape}. Pass those of one image, such as {name}[0]."
        )
    return rows


def _check_counts(
    points: np.ndarray, masks: np.ndarray, names: Sequence[str] | None
) -> None:
    if masks.ndim != 3:
        raise ValueError(
            "Expected masks of shape (parts, height, width). Received: masks of "
            f"shape {masks.shape}. Pass those of one image, such as part_masks[0]."
        )
    wanted = {len(points), len(masks)} - {0}
    if names is not None and wanted - {len(names)}:
        raise ValueError(
            f"Expected names as one name for each part. Received: {len(names)} names "
            f"for {len(points)} points and {len(masks)} masks. Pass "
            "dataset.landmark_names."
        )


def _draw_mask(ax: Axes, mask: np.ndarray, color: np.ndarray) -> None:
    tint = np.broadcast_to(color, (*mask.shape, 4)).copy()
    tint[..., 3] = 0.45 * mask
    ax.imshow(tint, interpolation="nearest")


def dataset_mosaic(
    dataset: PartsDataset,
    index: Any = 10,
    ax: np.ndarray | None = None,
    *,
    columns: int = 5,
    masks: bool = True,
) -> np.ndarray:
    """Draws images of a dataset with their boxes, landmarks and part masks.

    Look at a dataset this way before anything is computed from it.

    Example:

    ```python
    dataset = ki.datasets.load("cub", size=224)
    axes = ki.plotting.dataset_mosaic(dataset)
    axes[0, 0].figure.savefig("mosaic.png", dpi=100)
    ```

    Args:
        dataset: images with annotations.
        index: which images: their positions, a mask or a slice as for
            `PartsDataset.subset`, or how many, evenly spaced.
        ax: array of axes, as many as fill all rows. Default: those of a new figure.
        columns: images in a row.
        masks: whether to draw the part masks.

    Returns:
        The array of axes `(rows, columns)`. A new figure has the names of the landmarks
        or parts below the images; a landmark that is absent has no point.

    Raises:
        ValueError: if there is no such image, or `ax` has another shape.
    """
    if columns < 1:
        raise ValueError(
            f"Expected columns of at least 1. Received: columns={columns!r}. Pass 5, "
            "say."
        )
    if isinstance(index, int | np.integer):
        if index < 1:
            raise ValueError(
                f"Expected index as at least one image. Received: index={index!r}. "
                "Pass how many images to draw."
            )
        index = np.unique(np.linspace(0, len(dataset) - 1, index).round().astype(int))
    shown = dataset.subset(index)
    if not len(shown):
        raise ValueError(
            "Expected index to choose at least one image. Received: index of none. "
            "Pass positions in the dataset, or how many images."
        )
    rows = -(-len(shown) // columns)
    grid = grid_or_new(ax, rows, columns, 2.4, 2.6)
    for row, panel in enumerate(grid.flat):
        if row < len(shown):
            _draw(panel, shown, row, masks)
        else:
            panel.set_axis_off()
    if ax is None:
        _add_legend(grid[0, 0].figure, shown, masks)
    return grid


def _draw(ax: Axes, dataset: PartsDataset, row: int, masks: bool) -> None:
    part_masks = dataset.part_masks if masks else None
    names = [*dataset.landmark_names, *_parts_alone(dataset)]
    drawn = None
    if part_masks is not None:
        # A mask has the colour of the landmark of its name.
        order = [names.index(name) for name in dataset.part_names or ()]
        drawn = np.zeros((len(names), *dataset.image_size), bool)
        drawn[order] = part_masks[row]
    points = np.full((len(names), 2), np.nan)
    points[: len(dataset.landmark_names)] = dataset.landmarks[row]
    landmarks(
        dataset.images[row],
        # Pixel i covers i to i + 1 in a dataset, and i - 0.5 to i + 0.5 on the axes.
        points - 0.5,
        ax,
        boxes=None if dataset.boxes is None else dataset.boxes[row] - 0.5,
        masks=drawn,
        title=dataset.class_names[int(dataset.labels[row])],
    )
    for line in ax.lines:
        line.set_markersize(4.0)


def _parts_alone(dataset: PartsDataset) -> list[str]:
    """Parts that have masks but no landmark of their name."""
    known = set(dataset.landmark_names)
    return [name for name in dataset.part_names or () if name not in known]


def _add_legend(figure: Any, dataset: PartsDataset, masks: bool) -> None:
    from matplotlib.lines import Line2D

    names = [*dataset.landmark_names, *_parts_alone(dataset)]
    seen = np.zeros(len(names), bool)
    present = np.isfinite(dataset.landmarks).all(axis=2).any(axis=0)
    seen[: len(present)] = present
    if masks and dataset.part_masks is not None:
        order = [names.index(name) for name in dataset.part_names or ()]
        seen[order] |= dataset.part_masks.any(axis=(0, 2, 3))
    handles = [
        Line2D([], [], color=color, marker="o", linestyle="", label=name)
        for name, color, shown in zip(names, part_colors(len(names)), seen, strict=True)
        if shown
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(8, len(handles)),
            fontsize="small",
            frameon=False,
        )
