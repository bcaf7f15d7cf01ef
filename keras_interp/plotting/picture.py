"""One picture, whatever its type and range, as matplotlib shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def as_picture(image: Any) -> np.ndarray:
    """A picture as float32 `(H, W, 3)` with values from 0 to 1.

    Integers count as 0 to 255. Floats between 0 and 1 stay, between 0 and 255 they are
    divided by 255, and any others (pictures with the mean taken off, say) are stretched
    from their least to their greatest value.

    Args:
        image: array of shape `(H, W)`, `(H, W, 1)` or `(H, W, 3)`; integers, floats or
            bool.

    Raises:
        ValueError: if the shape is another one, or values are NaN or infinite.
    """
    array = to_numpy(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3) or array.size == 0:
        raise ValueError(
            "image must have shape (height, width), (height, width, 1) or "
            f"(height, width, 3); got shape {array.shape}. Of a batch pass one "
            "picture, such as images[0]."
        )
    whole_numbers = array.dtype.kind in "iu"
    picture = array.astype("float32")
    if not np.isfinite(picture).all():
        raise ValueError(
            f"image holds {int((~np.isfinite(picture)).sum())} values that are NaN or "
            "infinite; only finite values can be shown."
        )
    least, greatest = float(picture.min()), float(picture.max())
    if least < 0 or greatest > 255:
        picture = (picture - least) / max(greatest - least, 1e-12)
    elif whole_numbers or greatest > 1:
        picture = picture / 255
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def show_picture(ax: Axes, image: Any) -> tuple[int, int]:
    """Draw a picture with pixel (x, y) at x, y and return its (height, width)."""
    from keras_interp.plotting.canvas import without_ticks

    picture = as_picture(image)
    height, width = picture.shape[:2]
    ax.imshow(picture, interpolation="nearest")
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    without_ticks(ax)
    return height, width
