"""Prepare pictures for the pretrained backbones."""

from __future__ import annotations

from typing import Any

import numpy as np

# Mean colours (red, green, blue) of ImageNet as each network's training subtracted
# them, and whether the network reads blue first.
PREPARATIONS = {
    "squeezenet": ((123.0, 117.0, 104.0), True),
    "alexnet": ((123.68, 116.779, 103.939), False),
    "vgg_m": ((123.68, 116.779, 103.939), False),
    "vgg_s": ((123.68, 116.779, 103.939), False),
    "vgg16": ((123.68, 116.779, 103.939), True),
    "vgg19": ((123.68, 116.779, 103.939), True),
}


def preprocess_input(images: Any, backbone: str = "squeezenet") -> np.ndarray:
    """Subtract the mean colour and put the channels in a backbone's order.

    Example:

    ```python
    model = ki.models.SqueezeNet(weights="imagenet")
    images = ki.models.preprocess_input(rgb_images, backbone="squeezenet")
    ```

    Args:
        images: pictures `(batch, height, width, 3)` or one `(height, width, 3)`, red
            green blue, values 0 to 255 (uint8 or float). They are not resized.
        backbone: `"squeezenet"`, `"alexnet"`, `"vgg_m"`, `"vgg_s"`, `"vgg16"` or
            `"vgg19"`; also the name of a model that the functions of those names
            built.

    Returns:
        float32 array of the same shape. SqueezeNet, VGG-16 and VGG-19 get blue, green,
        red; AlexNet, VGG-M and VGG-S get red, green, blue, as their MatConvNet files
        expect.

    Raises:
        ValueError: if the backbone is not known or the last axis is not 3 colours.
    """
    if backbone not in PREPARATIONS:
        raise ValueError(
            f"Expected `backbone` as one of {sorted(PREPARATIONS)}, got {backbone!r}. "
            "Choose the network that the pictures are for."
        )
    pictures = _to_numpy(images)
    if pictures.ndim not in (3, 4) or pictures.shape[-1] != 3:
        raise ValueError(
            "Expected `images` of shape (batch, height, width, 3) with red, green, "
            f"blue from 0 to 255, got shape {pictures.shape}. Put the colours last."
        )
    mean, blue_first = PREPARATIONS[backbone]
    prepared = pictures.astype("float32") - np.asarray(mean, "float32")
    return np.ascontiguousarray(prepared[..., ::-1]) if blue_first else prepared


def _to_numpy(images: Any) -> np.ndarray:
    if isinstance(images, (np.ndarray, list, tuple)):
        return np.asarray(images)
    from keras import ops

    return ops.convert_to_numpy(images)
