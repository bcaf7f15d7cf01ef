"""In which numbers a model takes its images: found in the model, or asked for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp._network.images import image_inputs
from keras_interp._network.prepared_images import prepared_images
from keras_interp.models._architectures import ARCHITECTURES
from keras_interp.models.preprocessing import preprocess_input

Preprocess = Callable[[np.ndarray], np.ndarray]

# What each choice does with images from 0 to 255, in words.
PREPARATIONS = {
    "none": "0 to 255, as they are in the file",
    "unit": "0 to 1",
    "tf": "-1 to 1",
    "caffe": "blue, green, red from 0 to 255 without ImageNet's mean colour",
    "torch": "0 to 1, less ImageNet's mean colour and divided by its deviation",
}
# Beginnings of the names of the networks of keras.applications, and what their
# published weights take. Those that are not here prepare images themselves.
_OF_APPLICATIONS = {
    "tf": (
        "inception",
        "mobilenet_",
        "mobilenetv2",
        "nasnet",
        "resnet50v2",
        "resnet101v2",
        "resnet152v2",
        "xception",
    ),
    "caffe": ("resnet50", "resnet101", "resnet152", "vgg16", "vgg19"),
    "torch": ("densenet",),
}
# A network is fed with numbers whose span is about 1: 2 of [-1, 1], 4.4 of images
# that are divided by their deviation.
_LEAST_SPAN, _LARGEST_SPAN = 0.3, 20.0


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What is done with images from 0 to 255 before a model.

    Attributes:
        name: one of `PREPARATIONS`, or a network of `ki.models`.
        reason: where that is known from, as a sentence.
    """

    name: str
    reason: str

    @property
    def sentence(self) -> str:
        """What is done, and where that is known from."""
        words = PREPARATIONS.get(self.name, f"the numbers that {self.name} takes")
        return f"The model is given {words}. {self.reason}"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images from 0 to 255 in the numbers that the model takes."""
        return images if self.function is None else self.function(images)

    @property
    def function(self) -> Preprocess | None:
        """What `ki.explain` takes as `preprocess`."""
        if self.name == "none":
            return None
        if self.name == "unit":
            return lambda images: images / 255.0
        if self.name in PREPARATIONS:
            return functools.partial(
                keras.applications.imagenet_utils.preprocess_input,
                data_format="channels_last",
                mode=self.name,
            )
        return functools.partial(preprocess_input, backbone=self.name)


def prepared_by(
    model: keras.Model,
    given: Callable[[np.ndarray], Any] | str | None,
    are_pixels: bool,
) -> tuple[Callable[[np.ndarray], Any] | None, str, bool]:
    """What prepares images for a model, and a sentence that says why.

    Args:
        model: built Keras model.
        given: a function, a name as in `preparation_of`, or `None`.
        are_pixels: whether the images are known to be from 0 to 255. Then a model that
            tells what it takes is asked; other numbers go in as they are.

    Returns:
        The function, or `None` where images go in as they are; the sentence; and
        whether it is known what the model takes.
    """
    if isinstance(given, str):
        given = preparation_of(model, given, option="preprocess=")
    if isinstance(given, Preparation):
        return given.function, given.sentence, True
    if given is not None:
        return given, "The image was prepared by the function that was given.", True
    if not are_pixels:
        return None, "The model is given the numbers as they came.", True
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) == 1 and len(inputs[0].shape) == 4 and inputs[0].shape[-1]:
        try:
            found = preparation_of(model)
        except ValueError:
            hint = _hint(model, "preprocess=")
        else:
            return found.function, found.sentence, True
    else:
        hint = None
    words = (
        "It cannot be known in which numbers the model takes its images, for nothing "
        "in it rescales them: it is given 0 to 255, which may be wrong. Pass "
        f"preprocess= as one of {', '.join(PREPARATIONS)}, or as the function that was "
        "used in training."
    )
    return None, words if hint is None else f"{words} {hint}", False


def preparation_of(
    model: keras.Model, given: str | None = None, option: str = "--preprocess "
) -> Preparation:
    """How images from 0 to 255 are prepared for a model.

    Example:

    ```python
    preparation_of(model).function        # or a ValueError that says what to pass
    preparation_of(model, "tf").function
    ```

    Args:
        model: built Keras model of one input of images.
        given: one of `PREPARATIONS` or a network of `ki.models`. Default: looked for
            in the model.
        option: how the caller passes `given`, for messages.

    Returns:
        The `Preparation`.

    Raises:
        ValueError: for an unknown name, one that needs colours where the model takes
            none, or where nothing is given and the model does not tell.
    """
    if given is not None:
        return Preparation(_checked(model, given, option), "It was given.")
    dtype = keras.backend.standardize_dtype(model.inputs[0].dtype)
    if keras.backend.is_int_dtype(dtype):
        return Preparation("none", f"The model's input is {dtype}.")
    found, layer = _found(model)
    if found is None:
        raise ValueError(_question(model, layer, option))
    return Preparation(
        found,
        f"Before its first layer with weights, {layer!r}, the model itself brings "
        f"images of {PREPARATIONS[found].split(',')[0]} to the numbers that it wants.",
    )


def _checked(model: keras.Model, given: str, option: str) -> str:
    if given not in PREPARATIONS and given not in ARCHITECTURES:
        raise ValueError(
            f"Expected {option.strip(' =')} as a name below, or a network of "
            f"ki.models: {', '.join(ARCHITECTURES)}. Received: {given!r}. {_choices()}"
        )
    channels = model.inputs[0].shape[-1]
    if given not in ("none", "unit", "tf") and channels != 3:
        raise ValueError(
            f"Expected a model of three colours for {option}{given}. Received: "
            f"one of {channels} channel(s). Pass none, unit or tf."
        )
    return given


def _found(model: keras.Model) -> tuple[str | None, str | None]:
    """What the model tells of its input, and the layer that its preparation ends at."""
    _, *shape = model.inputs[0].shape
    height, width, channels = (length or 64 for length in shape)
    black = np.zeros((1, height, width, channels), "float32")
    # One by one: a model may have been built for a single image.
    answers = [prepared_images(model, black + value) for value in (0.0, 1.0, 255.0)]
    reached = [answer for answer in answers if answer is not None]
    if len(reached) < 3:
        return None, None
    at_0, at_1, at_255 = (prepared for prepared, _ in reached)
    layer = reached[0][1]
    if _is_normal(np.abs(at_255 - at_0)):
        return "none", layer
    if not _is_normal(np.abs(at_1 - at_0)):
        return None, layer
    if at_0.min() < -20:
        # A mean colour is taken off, which is one of images from 0 to 255.
        return "none", layer
    # Scaled for the numbers from 0 to 1, unless black ends up grey: then it may have
    # been -1.
    unchanged = np.allclose([at_0, at_1 - 1], 0, atol=0.01)
    is_black = at_0.max() <= 0.1
    return ("unit" if is_black and not unchanged else None), layer


def _is_normal(span: np.ndarray) -> bool:
    return bool(_LEAST_SPAN <= span.max() <= _LARGEST_SPAN)


def _question(model: keras.Model, layer: str | None, option: str) -> str:
    before = "" if layer is None else f" before its first layer with weights, {layer!r}"
    text = (
        f"Expected {option.strip(' =')}, for it cannot be known in which numbers model "
        f"{model.name!r} takes its images: nothing{before} rescales them. "
        f"Pass what it was trained on. {_choices()}"
    )
    hint = _hint(model, option)
    return text if hint is None else f"{text}\n{hint}"


def _choices() -> str:
    """The choices, a line each."""
    lines = [f"  {name}: {words}" for name, words in PREPARATIONS.items()]
    return "\n".join(["One of", *lines])


def _hint(model: keras.Model, option: str) -> str | None:
    """What the name of the model, or of one inside it, speaks for."""
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    for network in (model, *inner):
        name = network.name.lower()
        for choice, beginnings in _OF_APPLICATIONS.items():
            if name.startswith(beginnings):
                return (
                    f"{network.name!r} is called like a network of keras.applications "
                    f"whose published weights take {option}{choice}; weights that "
                    "were trained from the beginning may take others."
                )
        if name in ARCHITECTURES:
            return (
                f"{network.name!r} is called like a network of ki.models whose "
                f"published weights take {option}{name}."
            )
    return None


def shown_image(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """A photograph's pixels in the channels that a model takes.

    Args:
        model: built Keras model of one input of images.
        pixels: uint8 `(height, width, 3)`.

    Returns:
        float32 `(height, width, channels)`, from 0 to 255.
    """
    if model.inputs[0].shape[-1] == 1:
        from PIL import Image

        pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    return image_inputs(model, pixels).images[0]
