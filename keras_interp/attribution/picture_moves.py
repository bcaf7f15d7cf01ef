"""Shift and turn pictures, and how restless they are, inside a compiled function."""

from __future__ import annotations

from typing import Any

from keras import ops


def moved(pictures: Any, moves: Any) -> Any:
    """Shift each picture, and turn it about its centre.

    What leaves the picture on one side comes in on the other. Values between pixels are
    interpolated bilinearly; whole shifts without a turn only move values. It is written
    with gathers, whose gradient every backend computes alike.

    Args:
        pictures: float32 tensor `(batch, height, width, channels)`.
        moves: float32 tensor `(batch, 3)`: pixels down, pixels right, and the angle in
            radians, clockwise.

    Returns:
        Tensor of the shape of `pictures`.
    """
    height, width, channels = pictures.shape[1:]
    rows, columns = _sources(moves, height, width)
    flat = ops.reshape(pictures, (-1, height * width, channels))
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = rows - top, columns - left
    total = 0.0
    for row, along in ((top, 1 - down), (top + 1, down)):
        for column, across in ((left, 1 - right), (left + 1, right)):
            cell = ops.mod(row, height) * width + ops.mod(column, width)
            cell = ops.reshape(ops.cast(cell, "int32"), (-1, height * width, 1))
            weight = ops.reshape(along * across, (-1, height * width, 1))
            # Each channel is asked for by name: not all backends repeat the index.
            cell = ops.repeat(cell, channels, axis=-1)
            total = total + weight * ops.take_along_axis(flat, cell, axis=1)
    return ops.reshape(total, (-1, height, width, channels))


def _sources(moves: Any, height: int, width: int) -> tuple[Any, Any]:
    """Row and column that each pixel's value comes from, `(batch, height, width)`."""
    down, right, angle = (ops.reshape(moves[:, i], (-1, 1, 1)) for i in range(3))
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    y = ops.reshape(ops.arange(height, dtype="float32") - middle_row, (-1, 1))
    x = ops.reshape(ops.arange(width, dtype="float32") - middle_column, (1, -1))
    cosine, sine = ops.cos(angle), ops.sin(angle)
    rows = cosine * y - sine * x + middle_row - down
    columns = sine * y + cosine * x + middle_column - right
    return rows, columns


def total_variation(pictures: Any) -> Any:
    """Sum of absolute differences of neighbouring pixels, down and across.

    Args:
        pictures: tensor `(batch, height, width, channels)`.

    Returns:
        Tensor `(batch,)`.
    """
    down = ops.abs(pictures[:, 1:] - pictures[:, :-1])
    across = ops.abs(pictures[:, :, 1:] - pictures[:, :, :-1])
    return ops.sum(down, axis=(1, 2, 3)) + ops.sum(across, axis=(1, 2, 3))
