"""The pictures that a caller hands over, checked and made ready."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops


@dataclasses.dataclass(frozen=True)
class ImageInputs:
    """The inputs of a model as arrays, one of them the pictures to explain.

    Args:
        arrays: inputs in the order of the structure, the first axis the pictures.
        structure: how the model wants them: an array, list, tuple or dict.
        position: which of the arrays are the pictures to explain.
    """

    arrays: list[np.ndarray]
    structure: Any
    position: int

    @property
    def images(self) -> np.ndarray:
        """float32 `(batch, height, width, channels)`."""
        return self.arrays[self.position]

    @property
    def others(self) -> list[np.ndarray]:
        """The other inputs, in order."""
        return [a for i, a in enumerate(self.arrays) if i != self.position]

    def __len__(self) -> int:
        return len(self.images)


def image_inputs(
    model: Any, images: Any, input_index: int | str | None = None
) -> ImageInputs:
    """Check the inputs of a model and convert them to arrays.

    Integer pictures, as datasets give them, become float32 with the same numbers.

    Args:
        model: that the inputs are for.
        images: `(batch, height, width, channels)`, or a list, tuple or dict of the
            model's inputs.
        input_index: which of several inputs are the pictures to explain: position, or
            key of the dict. By default the only one that has four axes.

    Returns:
        The inputs.

    Raises:
        ValueError: for pictures of another rank, shape or kind of number, numbers that
            are not finite, inputs of different length, or no clear input to explain.
    """
    several = isinstance(images, (list, tuple, dict))
    paths = keras.tree.flatten_with_path(images) if several else [((), images)]
    arrays = [_array(value) for _, value in paths]
    position = 0
    if several:
        position = _position(arrays, [path for path, _ in paths], input_index)
    elif input_index not in (None, 0):
        raise ValueError(
            f"Expected input_index=None for one array of pictures, got {input_index!r}."
            " Pass the inputs of a model with several as a list or dict."
        )
    arrays[position] = arrays[position].astype("float32", copy=False)
    _check_pictures(arrays[position])
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) > 1:
        raise ValueError(
            f"Expected inputs of the same number of pictures, got {sorted(lengths)}."
        )
    _check_shapes(model, arrays)
    structure = keras.tree.map_structure(lambda _: 0, images) if several else 0
    return ImageInputs(arrays, structure, position)


def _array(value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        value = ops.convert_to_numpy(value) if ops.is_tensor(value) else value
        value = np.asarray(value)
    if value.dtype.kind not in "biuf" and value.dtype.name != "bfloat16":
        raise ValueError(
            f"Expected images of real numbers, got dtype {value.dtype}. Convert them "
            "to float32 first."
        )
    if value.dtype.kind in "f" or value.dtype.name == "bfloat16":
        value = value.astype("float32", copy=False)
        if not np.isfinite(value).all():
            raise ValueError(
                "Expected finite images, got NaN or infinity in "
                f"{np.sum(~np.isfinite(value))} place(s). Replace them first, with "
                "numpy.nan_to_num say."
            )
    return value


def _position(
    arrays: list[np.ndarray], paths: list[tuple[Any, ...]], index: int | str | None
) -> int:
    names = ["/".join(map(str, path)) for path in paths]
    if isinstance(index, str) and index in names:
        return names.index(index)
    if isinstance(index, (int, np.integer)) and 0 <= index < len(arrays):
        return int(index)
    if index is not None:
        raise ValueError(f"Expected input_index as one of {names}, got {index!r}.")
    pictures = [i for i, array in enumerate(arrays) if array.ndim == 4]
    if len(pictures) == 1:
        return pictures[0]
    shapes = {n: a.shape for n, a in zip(names, arrays, strict=True)}
    raise ValueError(
        "Expected one input of shape (batch, height, width, channels), got "
        f"{shapes}. Say which one to explain with input_index=."
    )


def _check_pictures(images: np.ndarray) -> None:
    if images.ndim != 4 or 0 in images.shape[1:]:
        one = " For one picture pass images[None]." if images.ndim == 3 else ""
        raise ValueError(
            "Expected images of shape (batch, height, width, channels), got shape "
            f"{images.shape}.{one}"
        )


def _check_shapes(model: Any, arrays: list[np.ndarray]) -> None:
    """Compare with what a model of fixed inputs wants."""
    wanted = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if not wanted:
        return
    if len(wanted) != len(arrays):
        raise ValueError(
            f"The model has {len(wanted)} input(s) of shapes {wanted}; got "
            f"{len(arrays)} array(s)."
        )
    # A dict may stand in another order than the model's inputs.
    if len(wanted) > 1:
        return
    fits = len(wanted[0]) == arrays[0].ndim and all(
        width in (None, got)
        for width, got in zip(wanted[0][1:], arrays[0].shape[1:], strict=True)
    )
    if not fits:
        raise ValueError(
            f"The model wants images of shape {wanted[0]}, got {arrays[0].shape}. "
            "Resize or convert them."
        )
