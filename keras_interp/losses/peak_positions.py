"""Where in a feature map its filter sees its part."""

from __future__ import annotations

from typing import Any

from keras import ops

PEAKS = ("argmax", "centroid")


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
    """What each map has beyond the mean of the other pictures' maps, cell by cell.

    What a filter does at a place whatever the picture, as at the border of a padded
    map, is taken away. A single picture has no others and stays as it is.

    Args:
        feature_maps: Tensor `(batch, height, width, filters)`, not negative.

    Returns:
        Tensor of the same shape, not negative.
    """
    pictures = ops.cast(ops.shape(feature_maps)[0], feature_maps.dtype)
    share = 1.0 / ops.maximum(pictures - 1.0, 1.0)
    total = ops.sum(feature_maps, axis=0, keepdims=True)
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
