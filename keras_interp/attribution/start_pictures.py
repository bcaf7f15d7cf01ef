"""Where activation maximisation starts: noise, grey, or pictures of the caller."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

# Standard deviation of the noise, as a share of half the range of values.
NOISE = 0.1


@dataclasses.dataclass(frozen=True)
class ValueScale:
    """Between the values of a picture and numbers of which -1 to 1 are allowed.

    Args:
        middle: value that 0 stands for.
        half: what 1 is above it.
        bounded: whether values beyond -1 and 1 are cut off.
    """

    middle: float
    half: float
    bounded: bool

    @classmethod
    def of(cls, value_range: Any) -> ValueScale:
        """The scale of a range; without one a number is its own value.

        Raises:
            ValueError: if the range is no pair of growing finite numbers.
        """
        if value_range is None:
            return cls(0.0, 1.0, False)
        try:
            low, high = map(float, value_range)
        except (TypeError, ValueError):
            low = high = np.nan
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(
                "Expected value_range as (lowest, highest), (0, 255) say, got "
                f"{value_range!r}."
            )
        return cls((low + high) / 2, (high - low) / 2, True)


def start_inputs(
    model: Any,
    start: Any,
    image_shape: tuple[int, int, int] | None,
    scale: ValueScale,
    seeds: np.ndarray,
) -> Any:
    """The model's inputs before the first step, a row per seed.

    Args:
        model: that the pictures are for.
        start: `"noise"`, `"zeros"`, a picture, or the model's inputs as arrays.
        image_shape: `(height, width, channels)`, `None` for that of the model.
        scale: of the pictures' values.
        seeds: of the noise.

    Returns:
        An array, or a structure of arrays.

    Raises:
        ValueError: for another word, a shape that is not known, or a number of pictures
            that does not fit.
    """
    if not isinstance(start, str):
        return keras.tree.map_structure(lambda x: _rows(x, len(seeds)), start)
    if start not in ("noise", "zeros"):
        raise ValueError(
            f"Expected start as 'noise', 'zeros' or a picture, got {start!r}."
        )
    shape = _image_shape(model, image_shape)
    numbers = np.zeros((len(seeds), *shape))
    if start == "noise":
        for row, seed in enumerate(seeds):
            random = np.random.default_rng((int(seed), 0))
            numbers[row] = NOISE * random.standard_normal(shape)
    return (scale.middle + scale.half * numbers).astype("float32")


def _rows(value: Any, count: int) -> np.ndarray:
    array = ops.convert_to_numpy(value) if ops.is_tensor(value) else np.asarray(value)
    if array.ndim == 3:
        array = array[None]
    if array.ndim == 0 or len(array) not in (1, count):
        raise ValueError(
            f"Expected start with one picture or {count}, one for each target and "
            f"seed, got shape {array.shape}."
        )
    return np.repeat(array, count, axis=0) if len(array) != count else array


def _image_shape(model: Any, image_shape: Any) -> tuple[int, int, int]:
    if image_shape is not None:
        shape = tuple(image_shape)
    else:
        inputs = [
            tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []
        ]
        if len(inputs) > 1:
            raise ValueError(
                f"The model has {len(inputs)} inputs of shapes {inputs}. Pass them as "
                "start=, a list or dict of arrays with one row."
            )
        shape = inputs[0][1:] if inputs else ()
    whole = all(isinstance(size, (int, np.integer)) and size > 0 for size in shape)
    if len(shape) != 3 or not whole:
        raise ValueError(
            "Expected pictures of a known (height, width, channels), got "
            f"{shape or 'none from this model'}. Pass image_shape=(224, 224, 3), say."
        )
    return shape
