"""Receptive field of a layer's units from that of its inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import keras

from keras_interp.receptive_field_rules import (
    AxisField,
    UnknownField,
    resampled,
    shifted,
    transposed,
    union,
    window,
)

_LAYERS = keras.layers
_MERGING = (
    _LAYERS.Add,
    _LAYERS.Subtract,
    _LAYERS.Multiply,
    _LAYERS.Average,
    _LAYERS.Maximum,
    _LAYERS.Minimum,
)
_WINDOWS = (
    _LAYERS.Conv2D,
    _LAYERS.DepthwiseConv2D,
    _LAYERS.SeparableConv2D,
    _LAYERS.MaxPooling2D,
    _LAYERS.AveragePooling2D,
)
_WHOLE = (
    _LAYERS.Flatten,
    _LAYERS.GlobalAveragePooling2D,
    _LAYERS.GlobalMaxPooling2D,
)
# Statistics over a whole map (group and layer normalisation) say nothing about place
# and are passed over, as those of batch normalisation are.
_POINTWISE = (
    _LAYERS.Activation,
    _LAYERS.ActivityRegularization,
    _LAYERS.AlphaDropout,
    _LAYERS.BatchNormalization,
    _LAYERS.Dense,
    _LAYERS.Dropout,
    _LAYERS.ELU,
    _LAYERS.GaussianDropout,
    _LAYERS.GaussianNoise,
    _LAYERS.GroupNormalization,
    _LAYERS.Identity,
    _LAYERS.LayerNormalization,
    _LAYERS.LeakyReLU,
    _LAYERS.Normalization,
    _LAYERS.PReLU,
    _LAYERS.ReLU,
    _LAYERS.Rescaling,
    _LAYERS.Softmax,
    _LAYERS.SpatialDropout2D,
    _LAYERS.UnitNormalization,
)
# Names of the operations of keras.ops that treat each place by itself.
_POINTWISE_OPERATIONS = frozenset(
    "Abs Absolute Add BatchNorm Cast Celu Clip Concatenate Cos Divide DivideNoNan Elu "
    "Erf Exp Expm1 Gelu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu "
    "Log Log10 Log1p Log2 LogSigmoid LogSoftmax Maximum Minimum Multiply Negative "
    "Normalize Power RMSNorm Reciprocal Relu Relu6 Rsqrt Selu Sigmoid Sign Silu Sin "
    "SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sqrt Square "
    "Squareplus StopGradient Subtract Tanh TanhShrink Threshold TrueDivide "
    "Where".split()
)
_REDUCING_OPERATIONS = frozenset("Amax Amin Max Mean Min Std Sum Var".split())


@dataclasses.dataclass(frozen=True)
class MapField:
    """Receptive fields of the units of a feature map."""

    vertical: AxisField
    horizontal: AxisField

    @property
    def axes(self) -> tuple[AxisField, AxisField]:
        """The two axes, vertical first as in shapes."""
        return self.vertical, self.horizontal


@dataclasses.dataclass(frozen=True)
class NoPlace:
    """Units that belong to no place of the picture.

    Args:
        reason: why, for messages.
        uniform: whether the values are the same at all places, as those of a global
            pooling are even where they are enlarged to a map again.
    """

    reason: str
    uniform: bool


@dataclasses.dataclass(frozen=True)
class NotKnown:
    """Units behind a layer that nothing can be said about."""

    reason: str


Field = MapField | NoPlace | NotKnown


def describe(operation: Any) -> str:
    """Name and class of a layer, for messages."""
    return f"{operation.name!r} ({type(operation).__name__})"


def output_field(
    operation: Any,
    fields: Sequence[Field],
    shapes: Sequence[tuple[int | None, ...]],
    output_shape: tuple[int | None, ...],
) -> Field:
    """Receptive fields of what a layer puts out.

    Args:
        operation: a Keras layer or operation.
        fields: of its input tensors.
        shapes: of its input tensors, batch axis included.
        output_shape: of its output tensor.
    """
    for field in fields:
        if isinstance(field, NotKnown):
            return field
    try:
        places = [
            field
            for field, shape in zip(fields, shapes, strict=True)
            if not _can_be_passed_over(field, shape)
        ]
        for field in places:
            if isinstance(field, NoPlace):
                if len(places) > 1:
                    raise UnknownField(f"joins maps with units whose {field.reason}")
                return _keep_no_place(operation, field, output_shape)
        maps = [field for field in places if isinstance(field, MapField)]
        if not maps:
            first = next(field for field in fields if isinstance(field, NoPlace))
            return _keep_no_place(operation, first, output_shape)
        return _map_output(operation, maps, shapes[0], output_shape)
    except UnknownField as error:
        return NotKnown(f"layer {describe(operation)} {error}")


def _can_be_passed_over(field: Field, shape: tuple[int | None, ...]) -> bool:
    """Whether an operand scales or shifts all places alike, as a gate does."""
    if not isinstance(field, NoPlace):
        return False
    return field.uniform or len(shape) < 4 or tuple(shape[1:3]) == (1, 1)


def _keep_no_place(
    operation: Any, field: NoPlace, output_shape: tuple[int | None, ...]
) -> NoPlace:
    if isinstance(operation, _LAYERS.Reshape):
        # What a reshape lays out as a map is no longer the same at all places.
        single = len(output_shape) < 4 or tuple(output_shape[1:3]) == (1, 1)
        return dataclasses.replace(field, uniform=field.uniform and single)
    return field


def _map_output(
    operation: Any,
    maps: Sequence[MapField],
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int | None, ...],
) -> Field:
    """The rule of one layer, with at least one map among its inputs."""
    if isinstance(operation, _LAYERS.SpectralNormalization):
        operation = operation.layer
    if getattr(operation, "data_format", None) == "channels_first":
        raise UnknownField("is channels_first; only channels_last is supported")
    if isinstance(operation, _WHOLE):
        return _pooled(operation, uniform=not isinstance(operation, _LAYERS.Flatten))
    if isinstance(operation, _LAYERS.Concatenate):
        if operation.axis not in (-1, 3):
            raise UnknownField("concatenates along another axis than the channels")
        return _joined(maps)
    if isinstance(operation, _MERGING):
        return _joined(maps)
    if type(operation).__module__.startswith("keras.src.ops."):
        return _operation_output(operation, maps, input_shape, output_shape)
    if len(maps) > 1:
        raise UnknownField("joins several maps in a way that is not known")
    (field,) = maps
    moved = _moved(operation, field)
    if moved is not None:
        return moved
    if isinstance(operation, _LAYERS.Reshape | _LAYERS.Permute):
        if len(output_shape) == 4 and output_shape[1:3] == input_shape[1:3]:
            if isinstance(operation, _LAYERS.Reshape):
                return field
        return _pooled(operation, uniform=False)
    if isinstance(operation, _POINTWISE) or _is_augmentation(operation):
        return field
    return _custom(operation, field, input_shape, output_shape)


def _pooled(operation: Any, uniform: bool) -> NoPlace:
    return NoPlace(f"places are merged by layer {describe(operation)}", uniform)


def _joined(maps: Sequence[MapField]) -> MapField:
    vertical, horizontal = zip(*(field.axes for field in maps), strict=True)
    return MapField(union(vertical), union(horizontal))


def _operation_output(
    operation: Any,
    maps: Sequence[MapField],
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int | None, ...],
) -> Field:
    """An operation of keras.ops that was called on the model's own tensors."""
    name = type(operation).__name__
    same_cells = len(output_shape) == 4 and output_shape[1:3] == input_shape[1:3]
    if name == "Concatenate" and operation.axis not in (-1, 3):
        raise UnknownField("concatenates along another axis than the channels")
    if name in _POINTWISE_OPERATIONS:
        return _joined(maps)
    if name in _REDUCING_OPERATIONS:
        return maps[0] if same_cells else _pooled(operation, uniform=True)
    raise UnknownField(
        "is an operation whose receptive field is not known; use a Keras layer"
    )


def _moved(layer: Any, field: MapField) -> MapField | None:
    """Layers that move places, `None` for all others."""
    if isinstance(layer, _LAYERS.Conv2DTranspose):
        outside = _pair(layer.output_padding)
        return _each(
            field,
            lambda axis, n: transposed(
                axis,
                _pair(layer.kernel_size)[n],
                _pair(layer.strides)[n],
                _pair(layer.dilation_rate)[n],
                layer.padding,
                outside[n],
            ),
        )
    if isinstance(layer, _WINDOWS) or _is_window(layer):
        return _windowed(layer, field)
    if isinstance(layer, _LAYERS.ZeroPadding2D):
        return _each(field, lambda axis, n: shifted(axis, *layer.padding[n]))
    if isinstance(layer, _LAYERS.Cropping2D):
        return _each(
            field, lambda axis, n: shifted(axis, *(-cut for cut in layer.cropping[n]))
        )
    if isinstance(layer, _LAYERS.UpSampling2D):
        return _each(
            field,
            lambda axis, n: resampled(
                axis, Fraction(layer.size[n]), layer.interpolation
            ),
        )
    if isinstance(layer, _LAYERS.Resizing):
        return _resized(layer, field)
    if isinstance(layer, _LAYERS.CenterCrop | _LAYERS.RandomCrop):
        raise UnknownField("crops at a place that depends on the picture; crop before")
    return None


def _windowed(layer: Any, field: MapField) -> MapField:
    kernel = _pair(getattr(layer, "kernel_size", getattr(layer, "pool_size", None)))
    dilation = _pair(getattr(layer, "dilation_rate", 1))
    strides = _pair(layer.strides)
    return _each(
        field,
        lambda axis, n: window(axis, kernel[n], strides[n], dilation[n], layer.padding),
    )


def _resized(layer: Any, field: MapField) -> MapField:
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.antialias:
        raise UnknownField("resizes with cropping, padding or antialiasing")
    lengths = [axis.length for axis in field.axes]
    if None in lengths:
        raise UnknownField(
            "resizes pictures of open size; pass image_size=(height, width)"
        )
    sizes = layer.height, layer.width
    return _each(
        field,
        lambda axis, n: resampled(
            axis, Fraction(sizes[n], axis.length), layer.interpolation
        ),
    )


def _each(field: MapField, rule: Any) -> MapField:
    """Applies a rule to both axes; it is given the axis and its number."""
    return MapField(rule(field.vertical, 0), rule(field.horizontal, 1))


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def _is_keras(layer: Any) -> bool:
    return type(layer).__module__.startswith("keras.src.layers.")


def _is_window(layer: Any) -> bool:
    """Whether a layer of somebody's own shows itself to be a convolution."""
    return not _is_keras(layer) and all(
        hasattr(layer, name) for name in ("kernel_size", "strides", "padding")
    )


def _is_augmentation(layer: Any) -> bool:
    """Random changes of pictures, which do nothing outside training."""
    return _is_keras(layer) and type(layer).__name__.startswith("Random")


def _custom(
    layer: Any,
    field: MapField,
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int | None, ...],
) -> MapField:
    """A layer of somebody's own: pointwise if nothing speaks against it."""
    inner = [one for one in layer._flatten_layers(include_self=False)]
    speaks_against = _is_keras(layer) or any(
        not isinstance(one, _POINTWISE) and (_is_keras(one) or _is_window(one))
        for one in inner
    )
    same_cells = len(output_shape) == 4 and output_shape[1:3] == input_shape[1:3]
    if speaks_against or not same_cells:
        raise UnknownField(
            "is of a kind whose receptive field is not known. A layer of your own "
            "counts as a convolution if it has kernel_size, strides and padding, and "
            "as pointwise if its maps are as large as its input's and it holds no "
            "layer that moves places"
        )
    return field
