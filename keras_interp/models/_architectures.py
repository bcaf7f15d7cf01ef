"""The six backbones in one table, and the layers that its rows stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from keras_interp.models.local_response_normalization import (
    LocalResponseNormalization,
)

FULLY_CONNECTED = ("fc6", "fc7", "fc8")
_CAFFE_COLOURS = (123.68, 116.779, 103.939)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One backbone.

    Attributes:
        display_name: Name of the public function, for messages.
        smallest: Side in pixels of the smallest image whose maps do not vanish.
        trunk: Rows `(kind, number, *arguments)` up to the maps that are made
            interpretable; `_LAYERS` says what each kind stands for.
        last_pool: The row between these maps and the fully connected layers, or None
            for a network that classifies with a convolution (SqueezeNet).
        weight_files: Files that hold the published weights, most complete first.
        mean_colour: Red, green and blue of ImageNet as the training subtracted them.
        blue_first: Whether the network reads blue first.
    """

    display_name: str
    smallest: int
    trunk: tuple[tuple[Any, ...], ...]
    last_pool: tuple[Any, ...] | None
    weight_files: tuple[str, ...]
    mean_colour: tuple[float, float, float] = _CAFFE_COLOURS
    blue_first: bool = False

    @property
    def head(self) -> tuple[str, ...]:
        """Layers that may stay new where the classes are not those of ImageNet."""
        return ("conv_final",) if self.last_pool is None else FULLY_CONNECTED

    @property
    def chain(self) -> tuple[str, ...]:
        """Layers with weights of the MatConvNet file, in its order."""
        if self.last_pool is None:
            return ()
        convs = (f"conv{row[1]}" for row in self.trunk if row[0] == "conv")
        return (*convs, *FULLY_CONNECTED)


def _same(number: int | str, filters: int, groups: int = 1) -> tuple[Any, ...]:
    """The row of a 3x3 convolution that keeps the size of the maps."""
    return "conv", number, filters, 3, {"padding": "same", "groups": groups}


def _vgg(*counts: int) -> tuple[tuple[Any, ...], ...]:
    """Five blocks of 3x3 convolutions with a pool between."""
    rows: list[tuple[Any, ...]] = []
    for block, (width, count) in enumerate(
        zip((64, 128, 256, 512, 512), counts, strict=True), 1
    ):
        if block > 1:
            rows.append(("pool", block - 1, 2, 2))
        rows.extend(_same(f"{block}_{n}", width) for n in range(1, count + 1))
    return tuple(rows)


def _keras_files(depth: int) -> tuple[str, ...]:
    """The files of `keras.applications`, with and without head, and MatConvNet's."""
    stem = f"vgg{depth}_weights_tf_dim_ordering_tf_kernels"
    return f"{stem}.h5", f"{stem}_notop.h5", f"imagenet-vgg-verydeep-{depth}.mat"


# Offset and alpha of Caffe's and of MatConvNet's local response normalisation.
_CAFFE_NORM, _VGG_NORM = (1.0, 2e-5), (2.0, 1e-4)

ARCHITECTURES = {
    "alexnet": Architecture(
        "AlexNet",
        67,
        # The norm comes before the pool, as in Caffe's AlexNet.
        (
            ("conv", 1, 96, 11, {"strides": 4}),
            ("norm", 1, *_CAFFE_NORM),
            ("pool", 1, 3, 2),
            ("conv", 2, 256, 5, {"padding": "same", "groups": 2}),
            ("norm", 2, *_CAFFE_NORM),
            ("pool", 2, 3, 2),
            _same(3, 384),
            _same(4, 384, groups=2),
            _same(5, 256, groups=2),
        ),
        ("pool", 5, 3, 2),
        ("imagenet-caffe-alex.mat",),
    ),
    "vgg_m": Architecture(
        "VGG_M",
        59,
        (
            ("conv", 1, 96, 7, {"strides": 2}),
            ("norm", 1, *_VGG_NORM),
            ("pool", 1, 3, 2),
            # By 1 on every side, which `padding="same"` would not do with a stride.
            ("pad", "conv2", 1),
            ("conv", 2, 256, 5, {"strides": 2}),
            ("norm", 2, *_VGG_NORM),
            ("pool", 2, 3, 2, 1),
            _same(3, 512),
            _same(4, 512),
            _same(5, 512),
        ),
        ("pool", 5, 3, 2),
        ("imagenet-vgg-m.mat",),
    ),
    "vgg_s": Architecture(
        "VGG_S",
        43,
        (
            ("conv", 1, 96, 7, {"strides": 2}),
            ("norm", 1, *_VGG_NORM),
            ("pool", 1, 3, 3, 2),
            ("conv", 2, 256, 5, {}),
            ("pool", 2, 2, 2, 1),
            _same(3, 512),
            _same(4, 512),
            _same(5, 512),
        ),
        ("pool", 5, 3, 3, 1),
        ("imagenet-vgg-s.mat",),
    ),
    "vgg16": Architecture(
        "VGG16",
        32,
        _vgg(2, 2, 3, 3, 3),
        ("pool", 5, 2, 2),
        _keras_files(16),
        blue_first=True,
    ),
    "vgg19": Architecture(
        "VGG19",
        32,
        _vgg(2, 2, 4, 4, 4),
        ("pool", 5, 2, 2),
        _keras_files(19),
        blue_first=True,
    ),
    # Squeeze and expand widths of Iandola et al. (2016), Table 1.
    "squeezenet": Architecture(
        "SqueezeNet",
        35,
        (
            ("conv", 1, 96, 7, {"strides": 2}),
            ("pool", 1, 3, 2),
            ("fire", 2, 16, 64),
            ("fire", 3, 16, 64),
            ("fire", 4, 32, 128),
            ("pool", 4, 3, 2),
            ("fire", 5, 32, 128),
            ("fire", 6, 48, 192),
            ("fire", 7, 48, 192),
            ("fire", 8, 64, 256),
            ("pool", 8, 3, 2),
            ("fire", 9, 64, 256),
        ),
        None,
        ("squeezenet_v1.0_imagenet.npz",),
        mean_colour=(123.0, 117.0, 104.0),
        blue_first=True,
    ),
}


def apply_rows(x: Any, rows: tuple[tuple[Any, ...], ...]) -> Any:
    """Put the layers of some rows of the table on maps."""
    for kind, number, *arguments in rows:
        x = _LAYERS[kind](x, number, *arguments)
    return x


def _conv_relu(
    x: Any, number: int | str, filters: int, size: int, keywords: dict[str, Any]
) -> Any:
    """The layers `conv<number>` and `relu<number>`."""
    x = keras.layers.Conv2D(filters, size, name=f"conv{number}", **keywords)(x)
    return keras.layers.Activation("relu", name=f"relu{number}")(x)


def _norm(x: Any, number: int, offset: float, alpha: float) -> Any:
    return LocalResponseNormalization(
        depth=5, offset=offset, alpha=alpha, beta=0.75, name=f"norm{number}"
    )(x)


def _pad(x: Any, name: str, cells: int) -> Any:
    return keras.layers.ZeroPadding2D(cells, name=f"pad_{name}")(x)


def _max_pool(
    x: Any, number: int, size: int, strides: int, end_padding: int = 0
) -> Any:
    """Max-pool; `end_padding` cells are added at the bottom and the right alone.

    The maps come from a ReLU, so padding with zeros pads with nothing.
    """
    if end_padding:
        ends = ((0, end_padding), (0, end_padding))
        x = keras.layers.ZeroPadding2D(ends, name=f"pad_pool{number}")(x)
    return keras.layers.MaxPooling2D(size, strides=strides, name=f"pool{number}")(x)


def _fire(x: Any, number: int, squeeze: int, expand: int) -> Any:
    """A 1x1 squeeze, then 1x1 and 3x3 expansions side by side."""
    name = f"fire{number}"
    x = keras.layers.Conv2D(squeeze, 1, name=f"{name}_conv1x1_1")(x)
    x = keras.layers.Activation("relu", name=f"{name}_relu1x1_1")(x)
    one = keras.layers.Conv2D(expand, 1, name=f"{name}_conv1x1_2")(x)
    one = keras.layers.Activation("relu", name=f"{name}_relu1x1_2")(one)
    three = keras.layers.Conv2D(expand, 3, padding="same", name=f"{name}_conv3x3_2")(x)
    three = keras.layers.Activation("relu", name=f"{name}_relu3x3_2")(three)
    return keras.layers.Concatenate(name=name)([one, three])


_LAYERS: dict[str, Callable[..., Any]] = {
    "conv": _conv_relu,
    "norm": _norm,
    "pad": _pad,
    "pool": _max_pool,
    "fire": _fire,
}


def fully_connected_top(x: Any, classes: int, activation: Any) -> Any:
    """fc6 and fc7 with ReLU and dropout, then fc8 and the output activation."""
    x = keras.layers.Flatten(name="flatten")(x)
    for number in (6, 7):
        x = keras.layers.Dense(4096, name=f"fc{number}")(x)
        x = keras.layers.Activation("relu", name=f"relu{number}")(x)
        x = keras.layers.Dropout(0.5, name=f"dropout{number}")(x)
    x = keras.layers.Dense(classes, name="fc8")(x)
    return keras.layers.Activation(activation, name="predictions")(x)


def convolutional_top(x: Any, classes: int, activation: Any, *, rectify: bool) -> Any:
    """SqueezeNet's dropout, 1x1 convolution to the classes and mean over positions.

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
