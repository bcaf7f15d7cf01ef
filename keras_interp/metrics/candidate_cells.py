"""Places at which a constant filter may sit."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import height_width, to_numpy

GRID = 16
MOST_FREQUENT = 256


def regular_cells(image_size: int | tuple[int, int]) -> np.ndarray:
    """Centres `(256, 2)` of a regular 16x16 grid over the picture, (x, y) pixels."""
    height, width = height_width(image_size)
    # Cell i of n covers the pixels i*L/n ... (i+1)*L/n - 1, centres from 0.
    x = (np.arange(GRID) + 0.5) * width / GRID - 0.5
    y = (np.arange(GRID) + 0.5) * height / GRID - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def center_cell(image_size: int | tuple[int, int]) -> np.ndarray:
    """Middle `(1, 2)` of the picture, (x, y) pixels."""
    height, width = height_width(image_size)
    return np.array([[(width - 1) / 2, (height - 1) / 2]])


def check_cells(cells: Any, image_size: int | tuple[int, int]) -> np.ndarray:
    """Given cells as float64 `(M, 2)`, or the regular grid for `None`."""
    if cells is None:
        return regular_cells(image_size)
    cells = to_numpy(cells).astype("float64")
    if cells.ndim == 3:
        cells = cells.reshape(-1, cells.shape[-1])
    if cells.ndim != 2 or cells.shape[1] != 2 or not len(cells):
        raise ValueError(
            "cells must have shape (cells, 2) or (height, width, 2) with (x, y) in "
            f"pixels, at least one; got shape {cells.shape}. "
            "`receptive_field.centers(height, width)` gives those of a layer."
        )
    return cells


def candidate_cells(
    positions: np.ndarray,
    firing: np.ndarray,
    image_size: int | tuple[int, int],
    cells: Any = None,
) -> np.ndarray:
    """Middle of the picture, grid and the places where the filters really peak.

    Of the peaks' own places the 256 most frequent are taken, so that a filter which
    never moves cannot beat the best constant cell by sitting between grid points.

    Args:
        positions: float `(N, F, 2)`.
        firing: bool `(N, F)`.
        image_size: side or `(height, width)` in pixels.
        cells: float `(M, 2)` to use in place of the 16x16 grid.

    Returns:
        float64 `(M', 2)`, the middle of the picture first.
    """
    # One number holds x and y of float32, which sorts far faster than rows do.
    seen = np.ascontiguousarray(positions[firing], dtype="float32")
    keys, counts = np.unique(seen.view("uint64"), return_counts=True)
    keys = keys[np.argsort(-counts, kind="stable")[:MOST_FREQUENT]]
    frequent = keys.view("float32").reshape(-1, 2).astype("float64")
    return np.concatenate(
        [center_cell(image_size), check_cells(cells, image_size), frequent]
    )
