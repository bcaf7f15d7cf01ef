"""How large the receptive fields are that filters really use."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import to_numpy


def empirical_size(shapes: Any) -> np.ndarray:
    """Measures the side of each filter's empirical receptive field.

    It is the side of the square that has as many pixels as the shape has at half of its
    maximum or above.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> shapes = np.zeros((2, 63, 63))
    >>> shapes[0, 29:34, 33:38] = 1.0
    >>> ki.plotting.empirical_size(shapes)
    array([ 5., nan])

    Args:
        shapes: `(F, 2 H - 1, 2 W - 1)` from `empirical_receptive_field`.

    Returns:
        float64 `(F,)`, pixels; NaN for a filter that never fires.

    Raises:
        ValueError: if the shapes have another rank.
    """
    shapes = check_shapes(shapes)
    greatest = shapes.max(axis=(1, 2), keepdims=True)
    area = (shapes >= 0.5 * greatest).sum(axis=(1, 2))
    return np.where(greatest[:, 0, 0] > 0, np.sqrt(area), np.nan)


def average_receptive_field(shapes: Any) -> np.ndarray:
    """Averages the empirical receptive fields of the filters that fire.

    Example:

    ```python
    shapes = ki.plotting.empirical_receptive_field(predict, images, field)
    average = ki.plotting.average_receptive_field(shapes)
    side_in_pixels = ki.plotting.empirical_size(average[None])[0]
    ```

    Args:
        shapes: `(F, 2 H - 1, 2 W - 1)` from `empirical_receptive_field`.

    Returns:
        float32 `(2 H - 1, 2 W - 1)` with maximum 1; the middle pixel is the peak's
        place. All 0 if no filter fires.

    Raises:
        ValueError: if the shapes have another rank.
    """
    shapes = check_shapes(shapes)
    greatest = shapes.max(axis=(1, 2))
    firing = shapes[greatest > 0] / greatest[greatest > 0, None, None]
    total = firing.sum(axis=0, dtype="float64")
    return (total / max(total.max(), 1e-12)).astype("float32")


def check_shapes(shapes: Any) -> np.ndarray:
    """Shapes `(F, 2 H - 1, 2 W - 1)` of at least one filter."""
    array = to_numpy(shapes)
    odd = array.ndim == 3 and array.shape[1] % 2 == 1 and array.shape[2] % 2 == 1
    if not odd or not len(array):
        raise ValueError(
            "shapes must have shape (filters, 2 * height - 1, 2 * width - 1) with at "
            f"least one filter; got {array.shape}. Make them with "
            "empirical_receptive_field."
        )
    return array
