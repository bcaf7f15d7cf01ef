"""VGG-S (CNN-S) for image classification."""

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

SMALLEST_INPUT = 43


def VGG_S(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    weights: str | os.PathLike | None = None,
    interpretable: bool = False,
    include_top: bool = True,
    classifier_activation: str | None = "softmax",
    name: str = "vgg_s",
    **interpretable_keywords: Any,
) -> keras.Model:
    """VGG-S (CNN-S), ordinary or with interpretable top layers.

    Layers: `conv1` 7x7/2, `pool1` 3x3/3, `conv2` 5x5, `pool2` 2x2/2, `conv3` to `conv5`
    3x3, `pool5` 3x3/3, `fc6`, `fc7`, `fc8`; `norm1` normalises over channels before
    `pool1`. `relu5` is 17x17x512.

    Example:

    ```python
    model = ki.models.VGG_S(
        classes=1,
        interpretable=True,
        classifier_activation="sigmoid",
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ```

    Args:
        input_shape: `(height, width, channels)` in pixels, channels last, sides of at
            least 43; `fc6` takes whatever map size results.
        classes: number of outputs.
        weights: `None` (random), `"imagenet"` (`imagenet-vgg-s.mat` in the weights
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
        Chatfield, Simonyan, Vedaldi, Zisserman, "Return of the Devil in the Details",
        BMVC 2014, Table 1; Zhang, Wu, Zhu, "Interpretable Convolutional Neural
        Networks", CVPR 2018, section 5, for the two interpretable layers.
    """
    return build_chain(
        trunk,
        last_pool,
        display_name="VGG_S",
        smallest=SMALLEST_INPUT,
        backbone="vgg_s",
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
    """conv1 to relu5, with the paddings of the published network."""
    x = conv_relu(x, 96, 7, 1, strides=2)
    x = LocalResponseNormalization(
        depth=5, offset=2.0, alpha=1e-4, beta=0.75, name="norm1"
    )(x)
    x = max_pool(x, 3, 3, 1, end_padding=2)
    x = conv_relu(x, 256, 5, 2)
    x = max_pool(x, 2, 2, 2, end_padding=1)
    for number in (3, 4, 5):
        x = conv_relu(x, 512, 3, number, padding="same")
    return x


def last_pool(x: Any) -> Any:
    return max_pool(x, 3, 3, 5, end_padding=1)
