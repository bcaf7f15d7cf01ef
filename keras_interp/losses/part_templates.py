"""The part templates that a filter's feature map is compared with."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from keras import ops

NORMS = ("l1", "l2")


def check_template_arguments(beta: Any, norm: str) -> None:
    """Refuse a slope or norm that no template can be made from."""
    if norm not in NORMS:
        raise ValueError(
            f"`norm` must be one of {NORMS}: 'l1' for the paper's diamond-shaped "
            f"templates, 'l2' for round ones. Received: norm={norm!r}"
        )
    if not isinstance(beta, Real) or not math.isfinite(beta) or beta <= 0:
        raise ValueError(
            "`beta`, the slope of the templates, must be a positive number "
            f"(the paper uses 4). Received: beta={beta!r}"
        )


def part_templates(
    height: int, width: int, beta: float = 4.0, norm: str = "l1"
) -> np.ndarray:
    """Templates of an object part at each position of a map, and of its absence.

    A positive template has its peak, 1, at one cell and falls to -1 with the
    distance from it, `max(1 - beta * distance / n, -1)`; the negative template is
    -1 everywhere. The paper multiplies all of them with `tau = 0.5 / n**2`, which is
    left out here. For maps that are not square, `n` is the longer side.

    Example:

    ```python
    templates = ki.losses.part_templates(14, 14)
    templates.shape  # (197, 14, 14)
    ```

    Args:
        height: Rows of the feature map.
        width: Columns of the feature map.
        beta: Slope of the templates. Defaults to the paper's 4.
        norm: `"l1"` (default) or `"l2"`: how distance in cells is measured.

    Returns:
        float64 array `(height * width + 1, height, width)`, one positive template a
        cell in row-major order, then the negative template.

    Raises:
        ValueError: If a side is smaller than 1, or for an unknown `beta` or `norm`.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
        section 3.1 and figure 3.
    """
    check_template_arguments(beta, norm)
    for name, side in (("height", height), ("width", width)):
        if not isinstance(side, (int, np.integer)) or side < 1:
            raise ValueError(
                f"`{name}` must be a whole number of cells, at least 1. "
                f"Received: {name}={side!r}"
            )
    rows, columns = np.indices((height, width)).reshape(2, -1)
    row_distance = np.abs(rows[:, None] - rows[None, :])
    column_distance = np.abs(columns[:, None] - columns[None, :])
    if norm == "l1":
        distance = (row_distance + column_distance).astype("float64")
    else:
        distance = np.hypot(row_distance, column_distance)
    positive = np.maximum(1.0 - beta * distance / max(height, width), -1.0)
    templates = np.concatenate([positive, -np.ones((1, height * width))])
    return templates.reshape(-1, height, width)


def templates_at(
    rows: Any, columns: Any, height: Any, width: Any, beta: Any, norm: str
) -> Any:
    """Positive templates with their peaks at given cells.

    Args:
        rows: Tensor `(batch, filters)`, row of each map's peak.
        columns: Tensor `(batch, filters)`, column of each map's peak.
        height: Rows of the maps.
        width: Columns of the maps.
        beta: Slope: a number, or a tensor `(filters,)`.
        norm: `"l1"` or `"l2"`.

    Returns:
        Tensor `(batch, height, width, filters)` with values from -1 to 1.
    """
    dtype = rows.dtype
    grid_rows = ops.cast(ops.arange(height), dtype)[None, :, None]
    grid_columns = ops.cast(ops.arange(width), dtype)[None, :, None]
    row_offset = (grid_rows - rows[:, None, :])[:, :, None, :]
    column_offset = (grid_columns - columns[:, None, :])[:, None, :, :]
    if isinstance(height, int) and isinstance(width, int):
        slope = beta / max(height, width)
    else:
        slope = beta / ops.cast(ops.maximum(height, width), dtype)
    if norm == "l1":
        # The slope is multiplied in before the broadcast, on the small arrays.
        row_fall = ops.abs(row_offset) * slope
        column_fall = 1.0 - ops.abs(column_offset) * slope
        return ops.maximum(column_fall - row_fall, -1.0)
    distance = ops.sqrt(ops.square(row_offset) + ops.square(column_offset))
    return ops.maximum(1.0 - distance * slope, -1.0)


def template_matrix(
    height: Any, width: Any, beta: float, norm: str, dtype: str = "float32"
) -> Any:
    """All templates as the rows of a matrix, the negative template last.

    Args:
        height: Rows of the maps, a number or a scalar tensor.
        width: Columns of the maps, a number or a scalar tensor.
        beta: Slope of the templates.
        norm: `"l1"` or `"l2"`.
        dtype: Float type of the result.

    Returns:
        Tensor `(height * width + 1, height * width)`.
    """
    if isinstance(height, int) and isinstance(width, int):
        templates = part_templates(height, width, beta, norm)
        return ops.convert_to_tensor(
            templates.reshape(-1, height * width).astype(dtype)
        )
    # Sizes known only while the graph runs.
    cells = ops.arange(height * width)
    rows = ops.cast(cells // width, dtype)[None, :]
    columns = ops.cast(cells % width, dtype)[None, :]
    positive = templates_at(rows, columns, height, width, beta, norm)
    positive = ops.transpose(ops.reshape(positive, (height * width, -1)))
    negative = -ops.ones_like(positive[:1])
    return ops.concatenate([positive, negative], axis=0)
