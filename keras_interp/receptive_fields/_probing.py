"""Whether a layer without a rule works cell by cell, found by trying."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.graph import Node

# Side of the maps that are tried where a model leaves the size open.
OPEN_SIDE = 7
CHANGE = 8.0


def works_cell_by_cell(node: Node, are_maps: Sequence[bool]) -> bool:
    """Whether each cell of the outputs depends on the same cell of the maps alone.

    The layer is called on random maps, once as they are and once for each of some
    cells that are changed. What it cannot be called on is taken for unknown.

    Args:
        node: the call of a layer or operation.
        are_maps: which of its inputs are maps, all of one height and width.
    """
    tensors = list(zip(node.inputs, are_maps, strict=True))
    if any(len(tensor.shape) and tensor.shape[-1] is None for tensor, _ in tensors):
        return False
    first = next(tensor for tensor, is_map in tensors if is_map)
    height, width = (side or OPEN_SIDE for side in first.shape[1:3])
    cells = {(height // 3, width // 2), (height - 1, 0), (0, width // 3)}
    changes = [(cell, sign * CHANGE) for cell in sorted(cells) for sign in (1, -1)]
    rng = np.random.default_rng(0)
    inputs = []
    for tensor, is_map in tensors:
        shape = [side or OPEN_SIDE for side in tensor.shape[1:]]
        values = np.repeat(rng.normal(size=(1, *shape)), len(changes) + 1, axis=0)
        for copy, ((row, column), change) in zip(values[1:], changes, strict=True):
            if is_map:
                copy[row, column] += change
        inputs.append(ops.cast(ops.convert_to_tensor(values), tensor.dtype))
    try:
        # What the layer assigns here is forgotten.
        with keras.StatelessScope():
            outputs = node.again(inputs)
    except Exception:  # a layer of somebody's own may fail in any way at all
        return False
    return all(_only_there(_numpy(maps), changes, height, width) for maps in outputs)


def _numpy(maps: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(ops.cast(maps, "float32")))


def _only_there(maps: np.ndarray, changes: list[Any], height: int, width: int) -> bool:
    """Whether no other cell than the changed one differs from the unchanged maps."""
    if maps.ndim != 4 or maps.shape[1:3] != (height, width):
        return False
    finite = maps[np.isfinite(maps)]
    # A batched product of matrices rounds its rows differently.
    tolerance = 1e-3 * np.abs(finite).max() if finite.size else 0.0
    same = np.isclose(maps[1:], maps[:1], rtol=0, atol=tolerance, equal_nan=True)
    for copy, ((row, column), _) in zip(same, changes, strict=True):
        copy[row, column] = True
    return bool(same.all())
