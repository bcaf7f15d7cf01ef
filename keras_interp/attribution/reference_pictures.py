"""What a picture is compared with: a baseline, or what a patch is filled with."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def reference_pictures(value: Any, images: np.ndarray, name: str) -> np.ndarray:
    """A reference for each picture.

    Args:
        value: number, or array that can be broadcast to the pictures.
        images: float32 `(batch, height, width, channels)`.
        name: of the argument, for the message.

    Returns:
        float32 array of the shape of `images`, a view where it repeats itself.

    Raises:
        ValueError: if it cannot be broadcast or is not finite.
    """
    if ops.is_tensor(value):
        value = ops.convert_to_numpy(value)
    reference = np.asarray(value)
    expected = (
        f"Expected {name} as a number, or an array of shape (channels,), (height, "
        f"width, channels) or {images.shape}"
    )
    if reference.dtype.kind not in "biuf":
        raise ValueError(f"{expected}, got {value!r}.")
    reference = reference.astype("float32")
    if not np.isfinite(reference).all():
        raise ValueError(f"Expected {name} of finite numbers, got NaN or infinity.")
    try:
        return np.broadcast_to(reference, images.shape)
    except ValueError:
        raise ValueError(f"{expected}, got shape {reference.shape}.") from None
