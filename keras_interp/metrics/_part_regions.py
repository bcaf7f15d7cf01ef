"""Regions of parts in an image: the pixels that lie nearest to each part point."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics._peaks import check_integers, height_width, to_numpy

# Distances of pixels to points that are held at a time.
_NUMBERS_AT_ONCE = 4_000_000


def part_shares(
    maps: np.ndarray,
    landmarks: np.ndarray,
    boxes: np.ndarray,
    groups: np.ndarray,
    image_size: tuple[int, int],
    orders: np.ndarray | None = None,
) -> np.ndarray:
    """Share of each map's mass in the region of each part, S of the paper.

    A map smaller than the image counts as its bilinear enlargement.

    Args:
        maps: float `(N, n, h, w)`, 0 or more.
        landmarks: float64 `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        boxes: float64 `(N, 4)`, (x0, y0, x1, y1) in pixels.
        groups: int `(K,)`, the part that each landmark belongs to.
        image_size: (height, width) in pixels.
        orders: int `(R, N)`, permutations: the image whose points and box each image
            takes. By default its own, R = 1.

    Returns:
        float64 `(R, N, n, P)`, NaN where a map is 0 or no part point is seen.
    """
    images, count, *map_size = maps.shape
    orders = np.arange(images)[None] if orders is None else orders
    takers = np.argsort(orders, axis=1)
    parts = int(groups.max(initial=-1)) + 1
    found = np.full((len(orders), images, count, parts), np.nan)
    down = enlargement(map_size[0], image_size[0])
    across = enlargement(map_size[1], image_size[1])
    mass = np.outer(down.sum(axis=0), across.sum(axis=0)).ravel()
    seen = ~np.isnan(landmarks[..., 0]).all(axis=1) & np.isfinite(boxes).all(axis=1)
    rows = np.flatnonzero(seen & bool(parts))
    pixels = image_size[0] * image_size[1]
    step = max(1, _NUMBERS_AT_ONCE // max(1, pixels * landmarks.shape[1]))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        part = nearest_parts(landmarks[some], boxes[some], groups, image_size)
        inside = (part[:, None] == np.arange(parts)[:, None, None]).astype("float32")
        # The transpose of bilinear enlargement brings the regions to the cells.
        weights = (down.T @ (inside @ across)).reshape(len(some), parts, mass.size)
        for order, taker in enumerate(takers):
            cells = maps[taker[some]].reshape(len(some), count, mass.size)
            total = (cells @ mass).astype("float64")[..., None]
            shares = cells @ weights.transpose(0, 2, 1) / np.where(total > 0, total, 1)
            found[order, taker[some]] = np.where(total > 0, shares, np.nan)
    return found


def nearest_parts(
    landmarks: np.ndarray,
    boxes: np.ndarray,
    groups: np.ndarray,
    image_size: tuple[int, int],
) -> np.ndarray:
    """Part of the nearest visible point for each pixel, -1 outside the box.

    Args:
        landmarks: float64 `(N, K, 2)`, at least one of each image not NaN.
        boxes: float64 `(N, 4)`.
        groups: int `(K,)`.
        image_size: (height, width) in pixels.

    Returns:
        int `(N, height, width)`.
    """
    rows, columns = np.arange(image_size[0]), np.arange(image_size[1])
    absent = np.isnan(landmarks[..., 0])
    x = (columns - landmarks[..., [0]]) ** 2
    y = (rows - landmarks[..., [1]]) ** 2
    x[absent] = np.inf
    y[absent] = np.inf
    # Of several nearest points argmin takes the first.
    nearest = np.argmin(y[..., None] + x[:, :, None], axis=1)
    x0, y0, x1, y1 = boxes.T[..., None]
    within = ((y0 <= rows) & (rows < y1))[:, :, None]
    within = within & ((x0 <= columns) & (columns < x1))[:, None]
    return np.where(within, groups[nearest], -1)


def enlargement(cells: int, pixels: int) -> np.ndarray:
    """Matrix `(pixels, cells)` that enlarges one side of a map bilinearly.

    Pixels beyond the centres of the outer cells take these cells' values, as
    `keras.ops.image.resize` does.
    """
    if cells == pixels:
        return np.eye(cells, dtype="float32")
    place = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    place = np.clip(place, 0, cells - 1)
    distance = np.abs(place[:, None] - np.arange(cells))
    return np.maximum(0.0, 1.0 - distance).astype("float32")


def check_groups(groups: Any, landmarks: int) -> np.ndarray:
    """Part of each landmark as integers `(K,)`; each its own for `None`."""
    if groups is None:
        return np.arange(landmarks)
    checked = check_integers(groups, "groups", landmarks)
    if np.any(checked < 0):
        raise ValueError(
            "Expected groups of 0 or more, the part that each landmark belongs to. "
            f"Received: groups={groups!r}. Number the parts from 0."
        )
    return checked.astype(int)


def check_boxes(boxes: Any, images: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes as float64 `(N, 4)`; the whole image for `None`."""
    if boxes is None:
        return np.tile([0.0, 0.0, size[1], size[0]], (images, 1))
    checked = to_numpy(boxes).astype("float64")
    if checked.shape != (images, 4):
        raise ValueError(
            f"Expected boxes of shape ({images}, 4) with (x0, y0, x1, y1) in pixels, "
            f"one for each image. Received: boxes of shape {checked.shape}. Pass "
            "dataset.boxes, or None for the whole image."
        )
    if np.isinf(checked).any():
        raise ValueError(
            "Expected boxes that are finite, or NaN where there is no object. "
            "Received: infinite boxes. Set those that are absent to NaN."
        )
    turned = (checked[:, 2] < checked[:, 0]) | (checked[:, 3] < checked[:, 1])
    if turned.any():
        raise ValueError(
            "Expected boxes as (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1. Received: "
            f"boxes[{int(np.argmax(turned))}]={checked[np.argmax(turned)].tolist()}. "
            "Add x0 and y0 where yours are (x, y, width, height)."
        )
    return checked


def check_maps(maps: Any) -> np.ndarray:
    """Maps as float `(N, n, h, w)`, finite and nowhere negative."""
    checked = to_numpy(maps)
    if checked.dtype.kind not in "f" or checked.dtype.itemsize < 4:
        checked = checked.astype("float32")
    if checked.ndim == 3:
        checked = checked[:, None]
    if checked.ndim != 4 or 0 in checked.shape[2:]:
        raise ValueError(
            "Expected maps of shape (images, maps, height, width), or (images, "
            f"height, width) for one map an image. Received: maps of shape "
            f"{to_numpy(maps).shape}. Move the maps to the second axis."
        )
    if not np.isfinite(checked).all() or (checked < 0).any():
        raise ValueError(
            "Expected maps that are finite and nowhere negative: they are read as "
            "probabilities of the pixels. Received: maps with "
            f"{int((~np.isfinite(checked)).sum())} values that are not finite and "
            f"{int((checked < 0).sum())} negative ones. Pass numpy.maximum(maps, 0)."
        )
    return checked


def pixel_size(image_size: Any, map_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the images in whole pixels; that of the maps for `None`."""
    if image_size is None:
        return map_size
    height, width = height_width(image_size)
    size = round(height), round(width)
    if size[0] < map_size[0] or size[1] < map_size[1]:
        raise ValueError(
            f"Expected image_size of at least the maps' own {map_size}. Received: "
            f"image_size={image_size!r}. Pass the size of the images that landmarks "
            "and boxes refer to."
        )
    return size
