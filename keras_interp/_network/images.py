"""The images that a caller hands over, as the arrays that a model takes."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

Shape = tuple[int | None, ...]

ACCEPTED = (
    "an array (batch, height, width, channels), one image (height, width, channels) or "
    "(height, width), a PIL image, the path of an image file, or a list of these"
)
# Modes of Pillow with 8 bits a channel or fewer, whose numbers convert without loss.
GREY_MODES = ("1", "L", "LA", "La")
COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")


@dataclasses.dataclass(frozen=True)
class ImageInputs:
    """The inputs of a model as arrays, one of them the images to explain.

    Args:
        arrays: inputs in the order of the structure, the first axis the images.
        structure: how the model wants them: an array, list, tuple or dict.
        position: which of the arrays are the images to explain.
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

    One image becomes a batch of one, images of one shape become a batch, and a file or
    a PIL image becomes numbers from 0 to 255. Grey becomes three equal channels where
    the model wants three. Integers become float32 with the same numbers; nothing else
    is scaled, and no image is resized.

    Example:

    ```python
    image_inputs(model, "bird.png").images.shape           # (1, 224, 224, 3)
    image_inputs(model, [image, other]).images.shape       # (2, 224, 224, 3)
    image_inputs(model, [images, vectors], 0).others       # [vectors]
    ```

    Args:
        model: that the inputs are for.
        images: what `ACCEPTED` says; for a model of several inputs a list, tuple or
            dict of its inputs.
        input_index: which of several inputs are the images to explain: position, or
            key of the dict. By default the only one that has four axes.

    Returns:
        The inputs.

    Raises:
        ValueError: for images of another rank, shape, mode or kind of number, numbers
            that are not finite, a file that cannot be read, inputs of different
            length, or no clear input to explain.
    """
    wanted = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if not _are_inputs(images, len(wanted)):
        if len(wanted) > 1:
            raise _count_error(model, wanted, ["images"])
        if input_index not in (None, 0):
            raise ValueError(
                "Expected input_index=None for one array of images. Received: "
                f"input_index={input_index!r}. Pass the inputs of a model with several "
                "as a list or dict."
            )
        arrays = [_batch(images, wanted[0] if wanted else None)]
        structure, position = 0, 0
    else:
        names, members, structure = _members(images, len(wanted))
        shapes = _shapes_by_name(model, images, wanted, names)
        arrays = [_input(m, s) for m, s in zip(members, shapes, strict=True)]
        position = _position(arrays, names, input_index)
    arrays[position] = arrays[position].astype("float32", copy=False)
    _check_rank(arrays[position])
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) > 1:
        raise ValueError(
            "Expected inputs of the same number of images. Received: inputs of "
            f"{sorted(lengths)} rows. Pass a row of each input for each image."
        )
    _check_shapes(wanted, arrays)
    return ImageInputs(arrays, structure, position)


def _are_inputs(images: Any, wanted: int) -> bool:
    """Whether a structure holds the inputs of a model, and not images one by one."""
    if isinstance(images, Mapping):
        return True
    if not isinstance(images, (list, tuple)):
        return False
    if wanted > 1:
        return True
    return any(isinstance(x, Mapping) or getattr(x, "ndim", 0) >= 4 for x in images)


def _members(images: Any, wanted: int) -> tuple[list[str], list[Any], Any]:
    """Names and values of the inputs, and the structure that holds them."""
    if isinstance(images, Mapping) and not _is_nested(images.values()):
        # Keras, too, takes the keys of a dict in order.
        keys = sorted(images)
        return [*map(str, keys)], [images[key] for key in keys], dict.fromkeys(keys, 0)
    if len(images) == wanted and not _is_nested(images):
        # Each of them may itself be a list of images.
        return [*map(str, range(wanted))], list(images), [0] * wanted
    paths = keras.tree.flatten_with_path(images)
    names = ["/".join(map(str, path)) for path, _ in paths]
    structure = keras.tree.map_structure(lambda _: 0, images)
    return names, [value for _, value in paths], structure


def _is_nested(values: Iterable[Any]) -> bool:
    return any(isinstance(value, Mapping) for value in values)


def _shapes_by_name(
    model: Any, images: Any, wanted: list[Shape], names: list[str]
) -> Sequence[Shape | None]:
    """The shape that the model wants of each input, `None` where it is not known."""
    if not wanted:
        return [None] * len(names)
    if len(wanted) != len(names):
        raise _count_error(model, wanted, names)
    if not isinstance(images, Mapping):
        return wanted
    # A dict may stand in another order than the model's inputs.
    known = {tensor.name: tuple(tensor.shape) for tensor in model.inputs}
    return [known.get(name) for name in names]


def _count_error(model: Any, wanted: list[Shape], names: list[str]) -> ValueError:
    return ValueError(
        f"Expected {len(wanted)} input(s) of shapes {wanted}, as model {model.name!r} "
        f"takes them. Received: {len(names)} input(s), {names}. Pass an array for each."
    )


def _input(value: Any, wanted: Shape | None) -> np.ndarray:
    """One of several inputs: images, or other numbers, as they are."""
    array = isinstance(value, np.ndarray) or ops.is_tensor(value)
    if wanted is None and (array or _are_numbers(value)):
        # Nobody knows whether they are images; those that are have four axes.
        return _array(value, None)
    return _batch(value, wanted)


def _batch(value: Any, wanted: Shape | None) -> np.ndarray:
    """A batch of images, or the rows of another input, as an array."""
    if isinstance(value, (list, tuple)) and not _are_numbers(value):
        return _stacked(value, wanted)
    array = _array(value, _channels(wanted))
    if wanted is not None and len(wanted) != 4:
        return array[None] if array.ndim == len(wanted) - 1 else array
    if array.ndim == 3 and _channels(wanted) == 1 and not _is_one(array, wanted):
        # Grey images without an axis for their only channel.
        return array[..., None]
    if array.ndim in (2, 3):
        return _one(array, wanted)[None]
    return array


def _stacked(values: Sequence[Any], wanted: Shape | None) -> np.ndarray:
    if not len(values):
        raise ValueError(
            f"Expected images as {ACCEPTED}. Received: images=[]. For a batch of no "
            "images pass an array of shape (0, height, width, channels)."
        )
    images = [_one(_array(value, _channels(wanted)), wanted) for value in values]
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise ValueError(
            "Expected a list of images of one shape. Received: images of shapes "
            f"{shapes}. Resize them, or explain one after another."
        )
    return np.stack(images)


def _one(array: np.ndarray, wanted: Shape | None) -> np.ndarray:
    """One image `(height, width, channels)`."""
    if array.ndim not in (2, 3):
        raise ValueError(
            "Expected each image of a list as (height, width, channels) or (height, "
            f"width). Received: an array of shape {array.shape}. Pass a batch as an "
            "array, not in a list."
        )
    image = array[..., None] if array.ndim == 2 else array
    if image.shape[-1] == 1 and _channels(wanted) == 3:
        image = np.repeat(image, 3, axis=-1)
    return image


def _is_one(array: np.ndarray, wanted: Shape | None) -> bool:
    """Whether three axes are (height, width, 1), and not (batch, height, width)."""
    fixed = (wanted or ())[1:3]
    if array.shape[-1] != 1:
        return False
    return all(n in (None, got) for n, got in zip(fixed, array.shape[:2], strict=False))


def _channels(wanted: Shape | None) -> int | None:
    return wanted[-1] if wanted is not None and len(wanted) == 4 else None


def _are_numbers(values: Any) -> bool:
    """Whether a list is one of numbers, as `tolist` gives them."""
    first = values
    while isinstance(first, (list, tuple)) and len(first):
        first = first[0]
    return isinstance(first, (bool, int, float, np.number))


def _array(value: Any, channels: int | None) -> np.ndarray:
    if isinstance(value, (str, os.PathLike)):
        value = _read(Path(value), channels)
    elif _is_pillow(value):
        value = _pixels(value, channels, "a PIL image")
    elif ops.is_tensor(value):
        value = ops.convert_to_numpy(value)
    elif not isinstance(value, (list, tuple)) and not hasattr(value, "__array__"):
        raise ValueError(
            f"Expected images as {ACCEPTED}. Received: images of type "
            f"{type(value).__name__}. Pass them in one of these forms."
        )
    try:
        value = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"Expected images as {ACCEPTED}. Received: a list whose rows differ in "
            "length. Make them equally long."
        ) from None
    if value.dtype.kind not in "biuf" and value.dtype.name != "bfloat16":
        raise ValueError(
            "Expected images of real numbers. Received: an array of dtype "
            f"{value.dtype}. Convert it to float32 first."
        )
    if value.dtype.kind in "f" or value.dtype.name == "bfloat16":
        with np.errstate(over="ignore"):
            value = value.astype("float32", copy=False)
        if not np.isfinite(value).all():
            raise ValueError(
                "Expected finite images. Received: NaN or infinity in "
                f"{np.sum(~np.isfinite(value))} place(s). Replace them first, with "
                "numpy.nan_to_num say."
            )
    return value


def _read(path: Path, channels: int | None) -> np.ndarray:
    """The pixels of an image file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return _pixels(image, channels, str(path))
    except FileNotFoundError:
        fault = "there is no such file"
    except IsADirectoryError:
        fault = "it is a folder; pass a list of the files in it"
    except (
        OSError,
        SyntaxError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
    ) as error:
        fault = f"it cannot be read as an image ({error})"
    raise ValueError(
        f"Expected the path of an image file. Received: {str(path)!r}: {fault}."
    )


def _is_pillow(value: Any) -> bool:
    # Pillow is loaded already where somebody holds one of its images.
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _pixels(image: Any, channels: int | None, words: str) -> np.ndarray:
    """uint8 `(height, width)` or `(height, width, channels)` of a PIL image."""
    mode = image.mode
    if mode not in GREY_MODES + COLOUR_MODES:
        raise ValueError(
            "Expected an image of 8 bits a channel. Received: "
            f"{words} of mode {mode!r}. Pass its numbers as the model wants them: "
            "numpy.asarray(image), scaled."
        )
    if channels == 1 and mode not in GREY_MODES:
        raise ValueError(
            f"Expected a grey image, for the model takes one channel. Received: {words}"
            f" of mode {mode!r}. Convert it with image.convert('L')."
        )
    if image.has_transparency_data:
        if np.asarray(image.convert("RGBA"))[..., 3].min(initial=255) < 255:
            raise ValueError(
                f"Expected an image without transparent places. Received: {words} of "
                f"mode {mode!r} with some. Paste it on a background first."
            )
    return np.asarray(image.convert("L" if channels == 1 else "RGB"))


def _position(arrays: list[np.ndarray], names: list[str], index: Any) -> int:
    if isinstance(index, str) and index in names:
        return names.index(index)
    if isinstance(index, (int, np.integer)) and 0 <= index < len(arrays):
        return int(index)
    if index is not None:
        raise ValueError(
            f"Expected input_index as one of {names}. Received: input_index={index!r}."
        )
    images = [i for i, array in enumerate(arrays) if array.ndim == 4]
    if len(images) == 1:
        return images[0]
    shapes = {n: a.shape for n, a in zip(names, arrays, strict=True)}
    raise ValueError(
        "Expected one input of shape (batch, height, width, channels). Received: "
        f"{shapes}. Say which one to explain with input_index=."
    )


def _check_rank(images: np.ndarray) -> None:
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(
            f"Expected images as {ACCEPTED}. Received: an array of shape "
            f"{images.shape}. Bring it into one of these shapes."
        )


def _check_shapes(wanted: list[Shape], arrays: list[np.ndarray]) -> None:
    """Compare with what a model of one fixed input wants."""
    if len(wanted) != 1:
        return
    fits = len(wanted[0]) == arrays[0].ndim and all(
        width in (None, got)
        for width, got in zip(wanted[0][1:], arrays[0].shape[1:], strict=True)
    )
    if not fits:
        raise ValueError(
            f"Expected images of shape {wanted[0]}, as the model wants images. "
            f"Received: images of shape {arrays[0].shape}. Resize or convert them."
        )
