"""The backbones: AlexNet, VGG-M, VGG-S, VGG-16, VGG-19 and SqueezeNet."""

from __future__ import annotations

import os
from typing import Any

import keras

from keras_interp.models._architectures import (
    ARCHITECTURES,
    Architecture,
    apply_rows,
    convolutional_top,
    fully_connected_top,
)
from keras_interp.models.conversion import INTERPRETABLE_CONV_NAME, interpretable_top
from keras_interp.models.interpretable_model import InterpretableModel
from keras_interp.models.weights import load_backbone_weights


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
            least 67; `fc6` takes whatever map size results. Defaults to
            `(227, 227, 3)`.
        classes: number of outputs. Defaults to 1000.
        weights: `None` (random, the default), `"imagenet"` (`imagenet-caffe-alex.mat`
            in the weights folder, see `keras_interp.models.find_weights`), or the path
            of a MatConvNet `.mat`, Keras `.weights.h5`, `.h5` or `.keras` file. With
            `interpretable=True`, or another number of classes than 1000, `fc6` to `fc8`
            and `"conv_interpretable"` stay new, as in the paper, unless the file holds
            all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width. Defaults to `False`.
        include_top: `False` ends the network at `"pool5"`. Defaults to `True`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the model. Defaults to that of the network.
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
    return _built("alexnet", **locals())


def VGG_M(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    weights: str | os.PathLike | None = None,
    interpretable: bool = False,
    include_top: bool = True,
    classifier_activation: str | None = "softmax",
    name: str = "vgg_m",
    **interpretable_keywords: Any,
) -> keras.Model:
    """VGG-M (CNN-M), ordinary or with interpretable top layers.

    Layers: `conv1` 7x7/2, `pool1`, `conv2` 5x5/2, `pool2`, `conv3` to `conv5` 3x3,
    `pool5`, `fc6`, `fc7`, `fc8`; `norm1` and `norm2` normalise over channels before the
    pools. `relu5` is 13x13x512.

    Example:

    ```python
    model = ki.models.VGG_M(
        classes=1,
        interpretable=True,
        classifier_activation="sigmoid",
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ```

    Args:
        input_shape: `(height, width, channels)` in pixels, channels last, sides of at
            least 59; `fc6` takes whatever map size results. Defaults to
            `(224, 224, 3)`.
        classes: number of outputs. Defaults to 1000.
        weights: `None` (random, the default), `"imagenet"` (`imagenet-vgg-m.mat` in the
            weights folder, see `keras_interp.models.find_weights`), or the path of a
            MatConvNet `.mat`, Keras `.weights.h5`, `.h5` or `.keras` file. With
            `interpretable=True`, or another number of classes than 1000, `fc6` to `fc8`
            and `"conv_interpretable"` stay new, as in the paper, unless the file holds
            all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width. Defaults to `False`.
        include_top: `False` ends the network at `"pool5"`. Defaults to `True`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the model. Defaults to that of the network.
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
    return _built("vgg_m", **locals())


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
            least 43; `fc6` takes whatever map size results. Defaults to
            `(224, 224, 3)`.
        classes: number of outputs. Defaults to 1000.
        weights: `None` (random, the default), `"imagenet"` (`imagenet-vgg-s.mat` in the
            weights folder, see `keras_interp.models.find_weights`), or the path of a
            MatConvNet `.mat`, Keras `.weights.h5`, `.h5` or `.keras` file. With
            `interpretable=True`, or another number of classes than 1000, `fc6` to `fc8`
            and `"conv_interpretable"` stay new, as in the paper, unless the file holds
            all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width. Defaults to `False`.
        include_top: `False` ends the network at `"pool5"`. Defaults to `True`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the model. Defaults to that of the network.
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
    return _built("vgg_s", **locals())


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
            least 32; `fc6` takes whatever map size results. Defaults to
            `(224, 224, 3)`.
        classes: number of outputs. Defaults to 1000.
        weights: `None` (random, the default), `"imagenet"` (the file that
            `keras.applications.VGG16` uses, or `imagenet-vgg-verydeep-16.mat`, from the
            weights folder, see `keras_interp.models.find_weights`; otherwise Keras
            downloads it), or the path of a MatConvNet `.mat`, Keras `.weights.h5`,
            `.h5` or `.keras` file. With `interpretable=True`, or another number of
            classes than 1000, `fc6` to `fc8` and `"conv_interpretable"` stay new, as in
            the paper, unless the file holds all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5_3"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width. Defaults to `False`.
        include_top: `False` ends the network at `"pool5"`. Defaults to `True`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the model. Defaults to that of the network.
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
    return _built("vgg16", **locals())


def VGG19(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    weights: str | os.PathLike | None = None,
    interpretable: bool = False,
    include_top: bool = True,
    classifier_activation: str | None = "softmax",
    name: str = "vgg19",
    **interpretable_keywords: Any,
) -> keras.Model:
    """VGG-19, ordinary or with interpretable top layers.

    Layers: 3x3 convolutions `conv1_1` to `conv5_4`, each with its ReLU (`relu1_1`...),
    a 2x2 `pool1` to `pool5` after each block, then `fc6`, `fc7`, `fc8`. `relu5_4` is
    14x14x512. The input colours are those of `keras.applications.VGG19` (blue first); a
    MatConvNet file is turned accordingly.

    Example:

    ```python
    model = ki.models.VGG19(
        classes=1,
        interpretable=True,
        classifier_activation="sigmoid",
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ```

    Args:
        input_shape: `(height, width, channels)` in pixels, channels last, sides of at
            least 32; `fc6` takes whatever map size results. Defaults to
            `(224, 224, 3)`.
        classes: number of outputs. Defaults to 1000.
        weights: `None` (random, the default), `"imagenet"` (the file that
            `keras.applications.VGG19` uses, or `imagenet-vgg-verydeep-19.mat`, from the
            weights folder, see `keras_interp.models.find_weights`; otherwise Keras
            downloads it), or the path of a MatConvNet `.mat`, Keras `.weights.h5`,
            `.h5` or `.keras` file. With `interpretable=True`, or another number of
            classes than 1000, `fc6` to `fc8` and `"conv_interpretable"` stay new, as in
            the paper, unless the file holds all of them with the right shapes.
        interpretable: `True` makes all the maps of `"relu5_4"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width. Defaults to `False`.
        include_top: `False` ends the network at `"pool5"`. Defaults to `True`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the model. Defaults to that of the network.
        **interpretable_keywords: keywords of `InterpretableConv` for the interpretable
            layers; `fraction` is 1.0 by default here, as in the paper.

    Returns:
        A `keras.Model` (an `InterpretableModel` if `interpretable`).

    Raises:
        ValueError: for a wrong argument, a weight file that cannot be found or read,
            or one that does not fit the network.

    Reference:
        Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
        Recognition", ICLR 2015, Table 1 (configuration E); Zhang, Wu, Zhu,
        "Interpretable Convolutional Neural Networks", CVPR 2018, section 5, for the two
        interpretable layers.
    """
    return _built("vgg19", **locals())


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
        input_shape: `(height, width, channels)` in pixels, channels last, sides of at
            least 35. Defaults to `(227, 227, 3)`.
        classes: number of outputs, by default 1000. With 1000 classes (and
            `interpretable=False`) the head is the published one, whose logits pass a
            ReLU before the mean; any other head has no such ReLU, because a sigmoid of
            a number that is never negative could not say "no".
        weights: `None` (random, the default), `"imagenet"` (the file
            `squeezenet_v1.0_imagenet.npz` in the weights folder, see
            `keras_interp.models.find_weights`) or the path of an `.npz`, `.weights.h5`
            or `.keras` file.
        interpretable: `True` makes all the maps of `"fire9"` interpretable and adds
            above them `"conv_interpretable"`, an interpretable 3x3 convolution of the
            same width; the head is then new. Defaults to `False`.
        include_top: `False` ends the network at `"fire9"` (or
            `"conv_interpretable"`). Defaults to `True`.
        classifier_activation: activation of the outputs, e.g. `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the model. Defaults to that of the network.
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
    return _built("squeezenet", **locals())


def _built(
    backbone: str,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    weights: str | os.PathLike | None,
    interpretable: bool,
    include_top: bool,
    classifier_activation: Any,
    name: str,
    interpretable_keywords: dict[str, Any],
) -> keras.Model:
    """The network of one row of the table, with the arguments of its function."""
    table = ARCHITECTURES[backbone]
    _check_input_shape(input_shape, table)
    _check_classes(classes, classifier_activation, table)
    published = include_top and classes == 1000 and not interpretable
    inputs = keras.Input(tuple(input_shape), name="images")
    x = apply_rows(inputs, table.trunk)
    x = interpretable_top(x, interpretable, interpretable_keywords)
    if table.last_pool is not None:
        x = apply_rows(x, (table.last_pool,))
        if include_top:
            x = fully_connected_top(x, classes, classifier_activation)
    elif include_top:
        x = convolutional_top(x, classes, classifier_activation, rectify=published)
    # With interpretable layers the model hands on the labels.
    kind = InterpretableModel if interpretable else keras.Model
    model = kind(inputs, x, name=name)
    new = () if published else (*table.head, INTERPRETABLE_CONV_NAME)
    load_backbone_weights(model, weights, backbone, may_be_new=new)
    return model


def _check_input_shape(input_shape: Any, table: Architecture) -> None:
    """Refuse an input shape on which the network's maps would vanish."""
    wanted = (
        f"Expected `input_shape` of {table.display_name} as (height, width, channels) "
        f"in pixels, channels last, with sides of at least {table.smallest}. "
        f"Received: input_shape={input_shape!r}."
    )
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    if len(shape) != 3 or not all(
        isinstance(side, int) and not isinstance(side, bool) for side in shape
    ):
        raise ValueError(f"{wanted} Give three integers.")
    height, width, channels = shape
    if channels < 1 or min(height, width) < 1:
        raise ValueError(f"{wanted} Give positive sizes.")
    if min(height, width) < table.smallest:
        raise ValueError(
            f"{wanted} The smallest input is ({table.smallest}, {table.smallest}, "
            f"{channels}): enlarge the images."
        )
    layout = keras.config.image_data_format()
    if layout != "channels_last":
        raise ValueError(
            f"{wanted} The Keras image_data_format is {layout!r}. Call "
            "keras.config.set_image_data_format('channels_last')."
        )


def _check_classes(classes: Any, activation: Any, table: Architecture) -> None:
    """Refuse a number of classes that makes no classifier."""
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise ValueError(
            f"Expected `classes` of {table.display_name} as a positive integer. "
            f"Received: classes={classes!r}. Give 1 for one category against "
            "background."
        )
    if classes == 1 and activation == "softmax":
        raise ValueError(
            f"Expected another `classifier_activation` of {table.display_name} than "
            "'softmax' for one class, whose softmax is always 1. Received: classes=1, "
            "classifier_activation='softmax'. Choose 'sigmoid', or None for logits."
        )
