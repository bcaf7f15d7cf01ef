"""Copies of a picture with a square covered, each time at another place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy

# Occluder and step of the released code, as shares of its 224 pixels.
_PATCH, _STEP = 33 / 224, 9 / 224


def check_pictures(images: Any) -> np.ndarray:
    """Pictures as float32 `(N, H, W, channels)`, at least one and all finite."""
    images = to_numpy(images)
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "images must have shape (pictures, height, width, channels) with at least "
            f"one picture; got shape {images.shape}."
        )
    images = images.astype("float32")
    if not np.isfinite(images).all():
        raise ValueError(
            f"images hold {int((~np.isfinite(images)).sum())} values that are NaN or "
            "infinite."
        )
    return images


def patch_and_step(patch: int | None, step: int | None, side: int) -> tuple[int, int]:
    """Side of the square and pixels from one place to the next.

    Args:
        patch: as asked for; `None` for 33 of 224 pixels.
        step: as asked for; `None` for 9 of 224 pixels.
        side: the shorter side of the pictures.
    """
    patch = max(round(_PATCH * side), 1) if patch is None else patch
    step = max(round(_STEP * side), 1) if step is None else step
    if not 1 <= patch <= side or step < 1:
        raise ValueError(
            f"patch must lie between 1 and {side} pixels and step must be at least 1; "
            f"got patch={patch}, step={step}."
        )
    return patch, step


def places(length: int, patch: int, step: int) -> np.ndarray:
    """First pixels of the square along one side; the last place touches the border."""
    return np.unique(np.append(np.arange(0, length - patch, step), length - patch))


def corners(height: int, width: int, patch: int, step: int) -> np.ndarray:
    """Upper left corners (x, y) of the square's places, `(P, 2)`, row by row."""
    y, x = np.meshgrid(
        places(height, patch, step), places(width, patch, step), indexing="ij"
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def responses(
    predict: Callable[[np.ndarray], Any], images: np.ndarray, batch_size: int
) -> np.ndarray:
    """Feature maps of all pictures, `batch_size` pictures at a time."""
    return np.concatenate(
        [
            to_numpy(predict(images[start : start + batch_size]))
            for start in range(0, len(images), batch_size)
        ]
    )


def covered(
    image: np.ndarray,
    corners: np.ndarray,
    patch: int,
    fill: np.ndarray,
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Batches of copies of a picture, each with the square at another place."""
    height, width, _ = image.shape
    for start in range(0, len(corners), batch_size):
        left, top = corners[start : start + batch_size].T[..., None]
        in_x = (np.arange(width) >= left) & (np.arange(width) < left + patch)
        in_y = (np.arange(height) >= top) & (np.arange(height) < top + patch)
        inside = in_y[:, :, None, None] & in_x[:, None, :, None]
        yield np.where(inside, fill, image).astype("float32")
