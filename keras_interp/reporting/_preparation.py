"""In which numbers a model takes its images: found in the model, or asked for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

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


def preparation_of(model: keras.Model, given: str | None = None) -> Preparation:
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

    Returns:
        The `Preparation`.

    Raises:
        ValueError: for an unknown name, one that needs colours where the model takes
            none, or where nothing is given and the model does not tell.
    """
    if given is not None:
        return Preparation(_checked(model, given), "It was given.")
    dtype = keras.backend.standardize_dtype(model.inputs[0].dtype)
    if keras.backend.is_int_dtype(dtype):
        return Preparation("none", f"The model's input is {dtype}.")
    found, layer = _found(model)
    if found is None:
        raise ValueError(_question(model, layer))
    return Preparation(
        found,
        f"Before its first layer with weights, {layer!r}, the model itself brings "
        f"images of {PREPARATIONS[found].split(',')[0]} to the numbers that it wants.",
    )


def _checked(model: keras.Model, given: str) -> str:
    if given not in PREPARATIONS and given not in ARCHITECTURES:
        raise ValueError(
            "Expected --preprocess as a name below, or a network of ki.models: "
            f"{', '.join(ARCHITECTURES)}. Received: {given!r}. {_choices()}"
        )
    channels = model.inputs[0].shape[-1]
    if given not in ("none", "unit", "tf") and channels != 3:
        raise ValueError(
            f"Expected a model of three colours for --preprocess {given}. Received: "
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


def _question(model: keras.Model, layer: str | None) -> str:
    before = "" if layer is None else f" before its first layer with weights, {layer!r}"
    text = (
        "Expected --preprocess, for it cannot be known in which numbers model "
        f"{model.name!r} takes its images: nothing{before} rescales them. "
        f"Pass what it was trained on. {_choices()}"
    )
    hint = _hint(model)
    return text if hint is None else f"{text}\n{hint}"


def _choices() -> str:
    """The choices, a line each."""
    lines = [f"  {name}: {words}" for name, words in PREPARATIONS.items()]
    return "\n".join(["One of", *lines])


def _hint(model: keras.Model) -> str | None:
    """What the name of the model, or of one inside it, speaks for."""
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    for network in (model, *inner):
        name = network.name.lower()
        for choice, beginnings in _OF_APPLICATIONS.items():
            if name.startswith(beginnings):
                return (
                    f"{network.name!r} is called like a network of keras.applications "
                    f"whose published weights take --preprocess {choice}; weights that "
                    "were trained from the beginning may take others."
                )
        if name in ARCHITECTURES:
            return (
                f"{network.name!r} is called like a network of ki.models whose "
                f"published weights take --preprocess {name}."
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
