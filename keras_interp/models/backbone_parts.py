"""The pieces that all the backbones share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras

from keras_interp.models.interpretable_model import InterpretableModel
from keras_interp.models.interpretable_top import interpretable_top
from keras_interp.models.weight_loading import load_backbone_weights

FULLY_CONNECTED = ("fc6", "fc7", "fc8")


def check_input_shape(input_shape: Any, smallest: int, *, name: str) -> None:
    """Refuse an input shape on which the network's maps would vanish."""
    wanted = (
        f"{name} expects `input_shape` as (height, width, channels) in pixels, "
        f"channels last, with sides of at least {smallest}"
    )
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(side, int) for side in shape):
        raise ValueError(f"{wanted}, got {input_shape!r}. Give three integers.")
    height, width, channels = shape
    if channels < 1 or min(height, width) < 1:
        raise ValueError(f"{wanted}, got {input_shape!r}. Give positive sizes.")
    if min(height, width) < smallest:
        raise ValueError(
            f"{wanted}, got {input_shape!r}. The smallest input is "
            f"({smallest}, {smallest}, {channels}): enlarge the images."
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"{wanted}, but the Keras image_data_format is "
            f"{keras.config.image_data_format()!r}. Call "
            "keras.config.set_image_data_format('channels_last')."
        )


def check_classes(classes: int, classifier_activation: Any, *, name: str) -> None:
    """Refuse a number of classes that makes no classifier."""
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise ValueError(
            f"{name} expects `classes` as a positive integer, got {classes!r}. "
            "Give 1 for one category against background."
        )
    if classes == 1 and classifier_activation == "softmax":
        raise ValueError(
            f"{name} expects another classifier_activation than 'softmax' for one "
            "class, whose softmax is always 1. Choose 'sigmoid', or None for logits."
        )


def conv_relu(
    x: Any, filters: int, kernel_size: int, number: str | int, **conv_keywords: Any
) -> Any:
    """The layers `conv<number>` and `relu<number>`."""
    x = keras.layers.Conv2D(
        filters, kernel_size, name=f"conv{number}", **conv_keywords
    )(x)
    return keras.layers.Activation("relu", name=f"relu{number}")(x)


def max_pool(
    x: Any, size: int, strides: int, number: int, *, end_padding: int = 0
) -> Any:
    """Max-pool; `end_padding` cells are added at the bottom and the right alone.

    The maps come from a ReLU, so padding with zeros pads with nothing.
    """
    if end_padding:
        ends = ((0, end_padding), (0, end_padding))
        x = keras.layers.ZeroPadding2D(ends, name=f"pad_pool{number}")(x)
    return keras.layers.MaxPooling2D(size, strides=strides, name=f"pool{number}")(x)


def vgg_blocks(x: Any, convolutions: tuple[int, ...]) -> Any:
    """Five blocks of 3x3 convolutions with a pool between, without the last pool."""
    widths = (64, 128, 256, 512, 512)
    for block, (width, count) in enumerate(zip(widths, convolutions, strict=True), 1):
        if block > 1:
            x = max_pool(x, 2, 2, block - 1)
        for number in range(1, count + 1):
            x = conv_relu(x, width, 3, f"{block}_{number}", padding="same")
    return x


def fully_connected_top(x: Any, classes: int, classifier_activation: Any) -> Any:
    """fc6 and fc7 with ReLU and dropout, then fc8 and the output activation."""
    x = keras.layers.Flatten(name="flatten")(x)
    for number in (6, 7):
        x = keras.layers.Dense(4096, name=f"fc{number}")(x)
        x = keras.layers.Activation("relu", name=f"relu{number}")(x)
        x = keras.layers.Dropout(0.5, name=f"dropout{number}")(x)
    x = keras.layers.Dense(classes, name="fc8")(x)
    return keras.layers.Activation(classifier_activation, name="predictions")(x)


def build_chain(
    trunk: Callable[[Any], Any],
    last_pool: Callable[[Any], Any],
    *,
    display_name: str,
    smallest: int,
    backbone: str,
    input_shape: tuple[int, int, int],
    classes: int,
    weights: str | os.PathLike | None,
    interpretable: bool,
    include_top: bool,
    classifier_activation: Any,
    name: str,
    interpretable_keywords: dict[str, Any],
) -> keras.Model:
    """The network of a trunk of convolutions, a last pool and fc6 to fc8."""
    check_input_shape(input_shape, smallest, name=display_name)
    check_classes(classes, classifier_activation, name=display_name)
    inputs = keras.Input(tuple(input_shape), name="images")
    x = interpretable_top(trunk(inputs), interpretable, interpretable_keywords)
    x = last_pool(x)
    if include_top:
        x = fully_connected_top(x, classes, classifier_activation)
    model = finish_model(inputs, x, interpretable, name=name)
    load_backbone_weights(
        model,
        weights,
        backbone=backbone,
        head=FULLY_CONNECTED,
        published_head=include_top and classes == 1000 and not interpretable,
    )
    return model


def finish_model(
    inputs: Any, outputs: Any, interpretable: bool, *, name: str
) -> keras.Model:
    """The model of these tensors; with interpretable layers it hands on the labels."""
    model_class = InterpretableModel if interpretable else keras.Model
    return model_class(inputs, outputs, name=name)
