"""The frame of an object in an image, and the pose that fits what was found there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

# Weight of the centre of the foreground in the pose; that of the anchor is 1.
CENTRE_WEIGHT = 0.5
TINY = 1e-6
# Rows count downwards, and so become minus y.
UPWARDS = np.array([1.0, -1.0], "float32")
# Of an object as it is, and of its mirror image.
SIDES = np.array([[1.0, 1.0], [1.0, -1.0]], "float32")
# Anchor and centre of the foreground, in lengths of the object.
BODY = np.array([[0.0, 0.0], [1.0, 0.0]], "float32")


class Frame(NamedTuple):
    """An object's own coordinates: the anchor is at (0, 0), its body at (length, 0).

    Attributes:
        coordinates: Tensor `(batch, cells, 2)`, of all cells.
        scale: Tensor `(batch, 1)`, size of the object, 1 on average.
        anchor: Tensor `(batch, 2)`, column and row of the anchor.
        centre: Tensor `(batch, 2)`, column and row of the foreground's centre.
    """

    coordinates: Any
    scale: Any
    anchor: Any
    centre: Any


def object_frame(
    at_anchor: Any,
    foreground: Any,
    cells: np.ndarray,
    means: tuple[Callable[[Any], Any], Callable[[Any], Any]],
    sizes: tuple[float, float],
) -> Frame:
    """The frame from the anchor to the centre of the foreground.

    Args:
        at_anchor: Tensor `(batch, cells)`, 1 at the anchor's cell, else 0.
        foreground: Tensor `(batch, cells)`, 0 to 1.
        cells: Constant `(cells, 2)`, column and row of each cell.
        means: Give the usual length and the usual extent from those of a batch,
            tensors `(batch,)`.
        sizes: Objects are taken for no smaller and no larger than so many times the
            usual.
    """
    cells = ops.convert_to_tensor(cells)
    anchor = ops.matmul(at_anchor, cells)
    share = foreground / ops.maximum(ops.sum(foreground, axis=1, keepdims=True), TINY)
    centre = ops.matmul(share, cells)
    from_centre = cells[None] - centre[:, None]
    extent = ops.sum(share * ops.sum(ops.square(from_centre), axis=-1), axis=1)
    extent = ops.sqrt(extent + TINY)
    axis = centre - anchor
    length = ops.sqrt(ops.sum(ops.square(axis), axis=1) + TINY)
    usual_length, usual_extent = means[0](length), means[1](extent)
    scale = ops.sqrt(length / (usual_length + TINY) * extent / (usual_extent + TINY))
    scale = ops.clip(scale, *sizes)[:, None]
    along = axis / length[:, None]
    # Mirror images have the same frame: their second axis turns with the first.
    facing = ops.where(along[:, :1] >= 0, 1.0, -1.0)
    across = facing * ops.stack([along[:, 1], -along[:, 0]], axis=1)
    axes = ops.stack([along, across], axis=2)
    coordinates = ops.matmul(cells[None] - anchor[:, None], axes)
    return Frame(coordinates / scale[:, :, None], scale, anchor, centre)


def posed_coordinates(
    frame: Frame, cells: Any, centres: Any, found: Any, certainty: Any, length: Any
) -> Any:
    """Coordinates after a turn, mirroring and shift that fit what was found.

    Weighted least squares from the centres of places to the cells at which they are
    found, the size of the object being kept (orthogonal Procrustes), in real arithmetic
    of complex numbers.

    Args:
        frame: The frame without what was found.
        cells: Constant `(cells, 2)`, column and row of each cell.
        centres: Tensor `(places, 2)`, in the coordinates of the frame.
        found: Tensor `(batch, places, 2)`, column and row of where each place is.
        certainty: Tensor `(batch, places)`, weight of each.
        length: Scalar tensor, mean distance of the foreground's centre from the anchor.

    Returns:
        Tensor `(batch, cells, 2)`.
    """
    # A NumPy array minus a PyTorch tensor is an error.
    upwards = ops.convert_to_tensor(UPWARDS)
    upright = ops.convert_to_tensor(cells) * upwards
    ends = ops.stack([frame.anchor, frame.centre], axis=1)
    found = ops.concatenate([found, ends], axis=1) * upwards
    known = ops.reshape(length, (1, 1)) * ops.convert_to_tensor(BODY)
    model = ops.concatenate([centres, known], axis=0)
    anchor = ops.ones_like(frame.scale)
    weights = ops.concatenate([certainty, anchor, CENTRE_WEIGHT * anchor], axis=1)
    weights = (weights / ops.sum(weights, axis=1, keepdims=True))[:, :, None]
    fits = [
        _fitted(model * side, found, weights, frame)
        for side in map(ops.convert_to_tensor, SIDES)
    ]
    mirrored = fits[1][2] < fits[0][2]
    turn = ops.where(mirrored, fits[1][0], fits[0][0])
    shift = ops.where(mirrored, fits[1][1], fits[0][1])
    offset = (upright[None] - shift[:, None]) / frame.scale[:, :, None]
    real = offset[:, :, 0] * turn[:, :1] + offset[:, :, 1] * turn[:, 1:]
    imaginary = offset[:, :, 1] * turn[:, :1] - offset[:, :, 0] * turn[:, 1:]
    imaginary = imaginary * ops.where(mirrored, -1.0, 1.0)
    return ops.stack([real, imaginary], axis=2)


def _fitted(model: Any, found: Any, weights: Any, frame: Frame) -> tuple[Any, Any, Any]:
    """Turn `(batch, 2)`, shift `(batch, 2)` and residual `(batch, 1)` of a pose."""
    from_mean = ops.sum(weights * model[None], axis=1, keepdims=True)
    to_mean = ops.sum(weights * found, axis=1, keepdims=True)
    q, p = model[None] - from_mean, found - to_mean
    real = ops.sum(
        weights * (p[..., :1] * q[..., :1] + p[..., 1:] * q[..., 1:]), axis=1
    )
    imaginary = ops.sum(
        weights * (p[..., 1:] * q[..., :1] - p[..., :1] * q[..., 1:]), axis=1
    )
    turn = ops.concatenate([real, imaginary], axis=1)
    turn = turn / ops.sqrt(ops.sum(ops.square(turn), axis=1, keepdims=True) + TINY)
    scaled = turn * frame.scale
    residual = ops.sum(weights * ops.square(p - _turned(q, scaled)), axis=(1, 2))
    shift = to_mean[:, 0] - _turned(from_mean, scaled)[:, 0]
    return turn, shift, residual[:, None]


def _turned(points: Any, turn: Any) -> Any:
    """Points `(batch, any, 2)` as complex numbers times one `(batch, 2)`."""
    x, y = points[..., 0], points[..., 1]
    return ops.stack(
        [x * turn[:, :1] - y * turn[:, 1:], y * turn[:, :1] + x * turn[:, 1:]], axis=-1
    )
