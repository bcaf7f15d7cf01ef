"""VGG-16 for image classification."""

from __future__ import annotations

import os
from typing import Any

import keras

from keras_interp.models.backbone_parts import (
    build_chain,
    max_pool,
    vgg_blocks,
)

SMALLEST_INPUT = 32


def VGG16(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    weights: str | os.PathLike | None = None,
    interpretable: bool = False,
    include_top: bool = True,
    classifier_activation: str | None = "softmax",
    name: str = "vgg16",
    **interpretable_keywords: Any,
) -> keras.Model:
    """VGG-16, ordinary or with interpretable top layers.

    Layers: 3x3 convolutions `conv1_1` to `conv5_3`, each with its ReLU (`relu1_1`...),
    a 2x2 `pool1` to `pool5` after each block, then `fc6`, `fc7`, `fc8`. `relu5_3` is
    14x14x512. The input colours are those of `keras.applications.VGG16` (blue first); a
    MatConvNet file is turned accordingly.

    Example:

    ```python
    model = ki.models.VGG16(
        classes=1,
        interpretable=True,
        classifier_activation="sigmoid",
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ```

    Args:
        input_shape: `(height, width, channels)` in pixels, channels last, sides of at
            least 32; `fc6` takes whatever map size results.
        classes: number of outputs.
        weights: `None` (random), `"imagenet"` (the file that `keras.applications.VGG16`
            uses, or `imagenet-vgg-verydeep-16.mat`, from the weights folder, see
            `keras_interp.models.find_weights`; otherwise Keras downloads it), or the
            path of a MatConvNet `.mat`, Keras `.weights.h5`, `.h5` or `.keras` file.
            With `interpretable=True`, or another number of classes than 1000, `fc6` to
            `fc8` and `"conv_interpretable"` stay new, as in the paper, unless the file
            holds all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5_3"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width.
        include_top: `False` ends the network at `"pool5"`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits.
        name: name of the model.
        **interpretable_keywords: keywords of `InterpretableConv` for the interpretable
            layers; `fraction` is 1.0 by default here, as in the paper.

    Returns:
        A `keras.Model` (an `InterpretableModel` if `interpretable`).

    Raises:
        ValueError: for a wrong argument, a weight file that cannot be found or read,
            or one that does not fit the network.

    Reference:
        Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
        Recognition", ICLR 2015, Table 1 (configuration D); Zhang, Wu, Zhu,
        "Interpretable Convolutional Neural Networks", CVPR 2018, section 5, for the two
        interpretable layers.
    """
    return build_chain(
        trunk,
        last_pool,
        display_name="VGG16",
        smallest=SMALLEST_INPUT,
        backbone="vgg16",
        input_shape=input_shape,
        classes=classes,
        weights=weights,
        interpretable=interpretable,
        include_top=include_top,
        classifier_activation=classifier_activation,
        name=name,
        interpretable_keywords=interpretable_keywords,
    )


def trunk(x: Any) -> Any:
    """conv1_1 to relu5_3."""
    return vgg_blocks(x, convolutions=(2, 2, 3, 3, 3))


def last_pool(x: Any) -> Any:
    return max_pool(x, 2, 2, 5)
