"""SqueezeNet v1.0 for image classification."""

from __future__ import annotations

import os
from typing import Any

import keras

from keras_interp.models.backbone_parts import (
    check_classes,
    check_input_shape,
    finish_model,
)
from keras_interp.models.interpretable_top import interpretable_top
from keras_interp.models.weight_loading import load_backbone_weights

# Squeeze and expand widths of fire2 to fire9 (Iandola et al. 2016, Table 1).
FIRE_WIDTHS = {
    2: (16, 64),
    3: (16, 64),
    4: (32, 128),
    5: (32, 128),
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}
# In v1.0 the pools follow conv1, fire4 and fire8.
FIRES_BEFORE_POOL = (4, 8)
SMALLEST_INPUT = 35


def SqueezeNet(
    input_shape: tuple[int, int, int] = (227, 227, 3),
    classes: int = 1000,
    weights: str | os.PathLike | None = None,
    interpretable: bool = False,
    include_top: bool = True,
    classifier_activation: str | None = "softmax",
    name: str = "squeezenet",
    **interpretable_keywords: Any,
) -> keras.Model:
    """SqueezeNet v1.0, ordinary or with interpretable top layers.

    The maps are 111x111 after `"conv1"`, 55x55 after `"pool1"`, 27x27 after `"pool4"`
    and 13x13 after `"pool8"` for the published input of 227x227. `"fire2"` to `"fire9"`
    are the outputs of the fire modules.

    Example:

    ```python
    model = ki.models.SqueezeNet(weights="imagenet")
    images = ki.models.preprocess_input(rgb_images, backbone="squeezenet")
    probabilities = model.predict(images)
    ```

    Args:
        input_shape: `(height, width, channels)` in pixels, channels last.
        classes: number of outputs. With 1000 classes (and `interpretable=False`) the
            head is the published one, whose logits pass a ReLU before the mean; any
            other head has no such ReLU, because a sigmoid of a number that is never
            negative could not say "no".
        weights: `None` (random), `"imagenet"` (the file
            `squeezenet_v1.0_imagenet.npz` in the weights folder, see
            `keras_interp.models.find_weights`) or the path of an `.npz`,
            `.weights.h5` or `.keras` file.
        interpretable: `True` makes all the maps of `"fire9"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width; the head is then new.
        include_top: `False` ends the network at `"fire9"` (or
            `"conv_interpretable"`).
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits.
        name: name of the model.
        **interpretable_keywords: keywords of `InterpretableConv` for the
            interpretable layers; `fraction` is 1.0 by default here, as in the paper.

    Returns:
        A `keras.Model` (an `InterpretableModel` if `interpretable`).

    Raises:
        ValueError: for a wrong argument, a weight file that cannot be found or read,
            or one that does not fit the network.

    Reference:
        Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters
        and < 0.5 MB model size", 2016, Table 1; Zhang, Wu, Zhu, "Interpretable
        Convolutional Neural Networks", CVPR 2018, section 5, for the two interpretable
        layers.
    """
    check_input_shape(input_shape, SMALLEST_INPUT, name="SqueezeNet")
    check_classes(classes, classifier_activation, name="SqueezeNet")
    inputs = keras.Input(tuple(input_shape), name="images")
    x = keras.layers.Conv2D(96, 7, strides=2, name="conv1")(inputs)
    x = keras.layers.Activation("relu", name="relu1")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for number, (squeeze, expand) in FIRE_WIDTHS.items():
        x = fire_module(x, squeeze, expand, name=f"fire{number}")
        if number in FIRES_BEFORE_POOL:
            x = keras.layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(x)
    x = interpretable_top(x, interpretable, interpretable_keywords)
    published = include_top and classes == 1000 and not interpretable
    if include_top:
        x = classifier(x, classes, classifier_activation, rectify=published)
    model = finish_model(inputs, x, interpretable, name=name)
    load_backbone_weights(
        model,
        weights,
        backbone="squeezenet",
        head=("conv_final",),
        published_head=published,
    )
    return model


def fire_module(x: Any, squeeze: int, expand: int, *, name: str) -> Any:
    """A 1x1 squeeze, then 1x1 and 3x3 expansions side by side."""
    x = keras.layers.Conv2D(squeeze, 1, name=f"{name}_conv1x1_1")(x)
    x = keras.layers.Activation("relu", name=f"{name}_relu1x1_1")(x)
    one = keras.layers.Conv2D(expand, 1, name=f"{name}_conv1x1_2")(x)
    one = keras.layers.Activation("relu", name=f"{name}_relu1x1_2")(one)
    three = keras.layers.Conv2D(expand, 3, padding="same", name=f"{name}_conv3x3_2")(x)
    three = keras.layers.Activation("relu", name=f"{name}_relu3x3_2")(three)
    return keras.layers.Concatenate(name=name)([one, three])


def classifier(x: Any, classes: int, activation: str | None, *, rectify: bool) -> Any:
    """Dropout, a 1x1 convolution to the classes and the mean over positions.

    The published convolution is padded by 1, so its mean also counts a border on which
    only the bias speaks.
    """
    x = keras.layers.Dropout(0.5, name="drop9")(x)
    x = keras.layers.ZeroPadding2D(1, name="pad_final")(x)
    x = keras.layers.Conv2D(classes, 1, name="conv_final")(x)
    if rectify:
        x = keras.layers.Activation("relu", name="relu_final")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean_final")(x)
    return keras.layers.Activation(activation, name="predictions")(x)
