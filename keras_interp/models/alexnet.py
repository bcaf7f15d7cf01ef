"""AlexNet for image classification."""

from __future__ import annotations

import os
from typing import Any

import keras

from keras_interp.models.backbone_parts import (
    build_chain,
    conv_relu,
    max_pool,
)
from keras_interp.models.local_response_normalization import (
    LocalResponseNormalization,
)

SMALLEST_INPUT = 67


def AlexNet(
    input_shape: tuple[int, int, int] = (227, 227, 3),
    classes: int = 1000,
    weights: str | os.PathLike | None = None,
    interpretable: bool = False,
    include_top: bool = True,
    classifier_activation: str | None = "softmax",
    name: str = "alexnet",
    **interpretable_keywords: Any,
) -> keras.Model:
    """AlexNet, ordinary or with interpretable top layers.

    Layers: `conv1` 11x11/4, `pool1`, `conv2` 5x5 in two groups, `pool2`, `conv3`,
    `conv4` and `conv5` 3x3 (the last two in two groups), `pool5`, `fc6`, `fc7`, `fc8`;
    `norm1` and `norm2` normalise over channels before the pools. `relu5` is 13x13x256.

    Example:

    ```python
    model = ki.models.AlexNet(
        classes=1,
        interpretable=True,
        classifier_activation="sigmoid",
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ```

    Args:
        input_shape: `(height, width, channels)` in pixels, channels last, sides of at
            least 67; `fc6` takes whatever map size results.
        classes: number of outputs.
        weights: `None` (random), `"imagenet"` (`imagenet-caffe-alex.mat` in the weights
            folder, see `keras_interp.models.find_weights`), or the path of a MatConvNet
            `.mat`, Keras `.weights.h5`, `.h5` or `.keras` file. With
            `interpretable=True`, or another number of classes than 1000, `fc6` to `fc8`
            and `"conv_interpretable"` stay new, as in the paper, unless the file holds
            all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5"` interpretable and adds
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
        Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional
        Neural Networks", NIPS 2012, in Caffe's single-column form; Zhang, Wu, Zhu,
        "Interpretable Convolutional Neural Networks", CVPR 2018, section 5, for the two
        interpretable layers.
    """
    return build_chain(
        trunk,
        last_pool,
        display_name="AlexNet",
        smallest=SMALLEST_INPUT,
        backbone="alexnet",
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
    """conv1 to relu5; `norm` comes before `pool`, as in Caffe's AlexNet."""
    x = conv_relu(x, 96, 11, 1, strides=4)
    x = LocalResponseNormalization(
        depth=5, offset=1.0, alpha=2e-5, beta=0.75, name="norm1"
    )(x)
    x = max_pool(x, 3, 2, 1)
    x = conv_relu(x, 256, 5, 2, padding="same", groups=2)
    x = LocalResponseNormalization(
        depth=5, offset=1.0, alpha=2e-5, beta=0.75, name="norm2"
    )(x)
    x = max_pool(x, 3, 2, 2)
    x = conv_relu(x, 384, 3, 3, padding="same")
    x = conv_relu(x, 384, 3, 4, padding="same", groups=2)
    return conv_relu(x, 256, 3, 5, padding="same", groups=2)


def last_pool(x: Any) -> Any:
    return max_pool(x, 3, 2, 5)
