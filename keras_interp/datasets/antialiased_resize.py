"""Antialiased bilinear resizing of many pictures or masks at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

_CHUNK_BYTES = 64 * 2**20
# Rounding errors must not decide about pixels that are covered by half.
_HALF = 0.5 - 1e-5


def resize_pictures(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint8 pictures of shape `(N, height, width, 3)`."""
    channels_first = np.moveaxis(images, 3, 1)
    resized = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for chunk, values in _resized_chunks(channels_first, size):
        rounded = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        resized[chunk] = np.moveaxis(rounded, 1, 3)
    return resized


def resize_maps(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes bool masks of shape `(N, P, height, width)`."""
    resized = np.empty((*masks.shape[:2], *size), bool)
    for chunk, values in _resized_chunks(masks, size):
        resized[chunk] = values >= _HALF
    return resized


def resize_patches(
    patches: Sequence[tuple[int, int, np.ndarray]],
    old_size: tuple[int, int],
    size: tuple[int, int],
) -> np.ndarray:
    """Resizes masks that are true in a small part of their picture only.

    Args:
        patches: for each mask the position (x, y) of a bool array in the picture; what
            sticks out is cut off.
        old_size: (height, width) of the picture.
        size: (height, width) of the result.

    Returns:
        bool array `(len(patches), *size)`, what `resize_maps` gives for whole masks.
    """
    rows = _weights(old_size[0], size[0])
    columns = _weights(old_size[1], size[1]).T
    resized = np.zeros((len(patches), *size), bool)
    for mask, (x, y, patch) in zip(resized, patches, strict=True):
        patch = patch[max(0, -y) : max(0, old_size[0] - y)]
        patch = patch[:, max(0, -x) : max(0, old_size[1] - x)]
        x, y = max(0, x), max(0, y)
        height, width = patch.shape
        across = patch.astype(np.float32) @ columns[x : x + width]
        mask[:] = rows[:, y : y + height] @ across >= _HALF
    return resized


def _resized_chunks(
    maps: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields slices of the first axis and the resized float32 maps of each."""
    rows = _weights(maps.shape[2], size[0])
    columns = _weights(maps.shape[3], size[1]).T
    pixels = max(maps.shape[2] * maps.shape[3], size[0] * size[1])
    step = max(1, _CHUNK_BYTES // (4 * max(1, maps.shape[1]) * pixels))
    for start in range(0, len(maps), step):
        chunk = slice(start, start + step)
        yield chunk, rows @ (maps[chunk].astype(np.float32) @ columns)


def _weights(old: int, new: int) -> np.ndarray:
    """Matrix `(new, old)` of a triangle filter as wide as the coarser pixel grid."""
    scale = old / new
    support = max(scale, 1.0)
    centres = (np.arange(new)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(old)[None, :] + 0.5 - centres) / support
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
