"""Prepare images for the pretrained backbones."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.models._architectures import ARCHITECTURES


def preprocess_input(images: Any, backbone: str = "squeezenet") -> np.ndarray:
    """Subtract the mean colour and put the channels in a backbone's order.

    Example:

    ```python
    model = ki.models.SqueezeNet(weights="imagenet")
    images = ki.models.preprocess_input(rgb_images, backbone="squeezenet")
    ```

    Args:
        images: `(batch, height, width, 3)` or one `(height, width, 3)`, red
            green blue, values 0 to 255 (uint8 or float). They are not resized.
        backbone: `"squeezenet"`, `"alexnet"`, `"vgg_m"`, `"vgg_s"`, `"vgg16"` or
            `"vgg19"`; also the name of a model that the functions of those names
            built. Defaults to `"squeezenet"`.

    Returns:
        float32 array of the same shape. SqueezeNet, VGG-16 and VGG-19 get blue, green,
        red; AlexNet, VGG-M and VGG-S get red, green, blue, as their MatConvNet files
        expect.

    Raises:
        ValueError: if the backbone is not known or the last axis is not 3 colours.
    """
    if backbone not in ARCHITECTURES:
        raise ValueError(
            f"Expected `backbone` as one of {sorted(ARCHITECTURES)}. Received: "
            f"backbone={backbone!r}. Choose the network that the images are for."
        )
    array = _to_numpy(images)
    if array.ndim not in (3, 4) or array.shape[-1] != 3:
        raise ValueError(
            "Expected `images` of shape (batch, height, width, 3) with red, green, "
            f"blue from 0 to 255. Received: images of shape {array.shape}. Put the "
            "colours last."
        )
    table = ARCHITECTURES[backbone]
    prepared = array.astype("float32") - np.asarray(table.mean_colour, "float32")
    return np.ascontiguousarray(prepared[..., ::-1]) if table.blue_first else prepared


def _to_numpy(images: Any) -> np.ndarray:
    if isinstance(images, (np.ndarray, list, tuple)):
        return np.asarray(images)
    from keras import ops

    return ops.convert_to_numpy(images)
