"""Part templates, and the peaks of feature maps at which they are placed."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from keras import ops

NORMS = ("l1", "l2")
PEAKS = ("argmax", "centroid")


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


def check_peak(peak: str) -> None:
    """Refuse an unknown way to find the peak."""
    if peak not in PEAKS:
        raise ValueError(
            f"`peak` must be one of {PEAKS}: 'argmax' for the strongest cell, as in "
            "the paper, 'centroid' for the activation-weighted centre, as in the "
            f"authors' released code. Received: peak={peak!r}"
        )


def peak_positions(feature_maps: Any, peak: str = "argmax") -> tuple[Any, Any]:
    """Row and column of each map's peak.

    Example:

    ```python
    rows, columns = peak_positions(feature_maps, "argmax")
    ```

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`, not negative.
        peak: `"argmax"`, the first strongest cell in row-major order, or
            `"centroid"`, the activation-weighted mean position rounded to a cell. An
            all-zero map gives the top left cell with both.

    Returns:
        Two tensors `(batch, filters)` of the maps' dtype, counted from 0.

    Reference:
        Zhang, Wu, Zhu, CVPR 2018, section 3.1; the centroid follows the authors'
        released code.
    """
    check_peak(peak)
    if peak == "centroid":
        rows, columns = centroids(feature_maps)
        # Halves are rounded away from zero, as MATLAB does.
        return ops.floor(rows + 0.5), ops.floor(columns + 0.5)
    _, _, width, _ = ops.shape(feature_maps)
    cell = first_highest_cell(feature_maps)
    dtype = feature_maps.dtype
    return ops.cast(cell // width, dtype), ops.cast(cell % width, dtype)


def first_highest_cell(feature_maps: Any) -> Any:
    """Row-major index of each map's strongest cell, `(batch, filters)` int32.

    `keras.ops.argmax` takes five times as long on these arrays with TensorFlow.
    """
    batch, height, width, filters = ops.shape(feature_maps)
    cells = ops.reshape(feature_maps, (batch, height * width, filters))
    is_highest = cells >= ops.max(cells, axis=1, keepdims=True)
    index = ops.arange(height * width, dtype="int32")[None, :, None]
    # Where nothing compares, in a map of NaN, the last cell is as good as any.
    return ops.min(ops.where(is_highest, index, height * width - 1), axis=1)


def distinctive_part(feature_maps: Any) -> Any:
    """What each map has beyond the mean of the other images' maps, cell by cell.

    What a filter does at a place whatever the image, as at the border of a padded
    map, is taken away. A single image has no others and stays as it is.

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`, not negative.

    Returns:
        Tensor of the same shape, not negative.
    """
    # A map that is no number spoils its own image, not the mean of the others.
    finite = ops.isfinite(ops.sum(feature_maps, axis=(1, 2), keepdims=True))
    images = ops.sum(ops.cast(finite, feature_maps.dtype), axis=0, keepdims=True)
    share = 1.0 / ops.maximum(images - 1.0, 1.0)
    total = ops.sum(ops.where(finite, feature_maps, 0.0), axis=0, keepdims=True)
    return ops.relu(feature_maps * (1.0 + share) - total * share)


def centroids(feature_maps: Any) -> tuple[Any, Any]:
    """Activation-weighted mean row and column of each map, `(batch, filters)`."""
    _, height, width, _ = ops.shape(feature_maps)
    dtype = feature_maps.dtype
    by_row = ops.sum(feature_maps, axis=2)
    by_column = ops.sum(feature_maps, axis=1)
    total = ops.maximum(ops.sum(by_row, axis=1), 1e-9)
    grid_rows = ops.cast(ops.arange(height), dtype)[None, :, None]
    grid_columns = ops.cast(ops.arange(width), dtype)[None, :, None]
    rows = ops.sum(by_row * grid_rows, axis=1) / total
    columns = ops.sum(by_column * grid_columns, axis=1) / total
    return rows, columns


def activation_spread(feature_maps: Any, rows: Any, columns: Any) -> Any:
    """Root mean squared distance, in cells, of the activation from the peaks.

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`, not negative.
        rows: Tensor `(batch, filters)`, rows of the peaks.
        columns: Tensor `(batch, filters)`, columns of the peaks.

    Returns:
        Tensor `(batch, filters)`; 0 for an all-zero map.
    """
    _, height, width, _ = ops.shape(feature_maps)
    dtype = feature_maps.dtype
    grid_rows = ops.cast(ops.arange(height), dtype)[None, :, None]
    grid_columns = ops.cast(ops.arange(width), dtype)[None, :, None]
    by_row = ops.sum(feature_maps, axis=2)
    by_column = ops.sum(feature_maps, axis=1)
    total = ops.maximum(ops.sum(by_row, axis=1), 1e-9)
    variance = ops.sum(by_row * ops.square(grid_rows - rows[:, None, :]), axis=1)
    variance += ops.sum(
        by_column * ops.square(grid_columns - columns[:, None, :]), axis=1
    )
    return ops.sqrt(variance / total)
