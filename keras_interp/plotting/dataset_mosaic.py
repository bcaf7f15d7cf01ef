"""Some pictures of a dataset with all that is known about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.plotting.canvas import grid_or_new
from keras_interp.plotting.landmarks import landmarks, part_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def dataset_mosaic(
    dataset: PartsDataset,
    index: Any = 10,
    axes: np.ndarray | None = None,
    *,
    columns: int = 5,
    masks: bool = True,
) -> np.ndarray:
    """Draws pictures of a dataset with their boxes, landmarks and part masks.

    Look at a dataset this way before anything is computed from it.

    Example:

    ```python
    dataset = ki.datasets.load("cub", size=224)
    axes = ki.plotting.dataset_mosaic(dataset)
    axes[0, 0].figure.savefig("mosaic.png", dpi=100)
    ```

    Args:
        dataset: pictures with annotations.
        index: which pictures: their positions, a mask or a slice as for
            `PartsDataset.subset`, or how many, evenly spaced.
        axes: array of axes, as many as fill all rows. Default: those of a new figure.
        columns: pictures in a row.
        masks: whether to draw the part masks.

    Returns:
        The array of axes `(rows, columns)`. A new figure has the names of the landmarks
        or parts below the pictures; a landmark that is absent has no point.

    Raises:
        ValueError: if there is no such picture, or `axes` has another shape.
    """
    if columns < 1:
        raise ValueError(f"columns must be >= 1, got {columns}")
    if isinstance(index, int | np.integer):
        if index < 1:
            raise ValueError(f"index must be at least one picture, got {index}")
        index = np.unique(np.linspace(0, len(dataset) - 1, index).round().astype(int))
    shown = dataset.subset(index)
    if not len(shown):
        raise ValueError("there is no picture to show")
    rows = -(-len(shown) // columns)
    grid = grid_or_new(axes, rows, columns, 2.4, 2.6)
    for row, ax in enumerate(grid.flat):
        if row < len(shown):
            _draw(ax, shown, row, masks)
        else:
            ax.set_axis_off()
    if axes is None:
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
