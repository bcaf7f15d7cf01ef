"""Receptive field of a layer's units from that of its inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import keras

from keras_interp._network.graph import Node
from keras_interp._network.layer_names import flattened_layers
from keras_interp.layers import InterpretableMask, PartMask
from keras_interp.receptive_fields._arithmetic import (
    AxisField,
    UnknownField,
    resampled,
    seen,
    shifted,
    transposed,
    union,
    window,
)
from keras_interp.receptive_fields._probing import works_cell_by_cell

Shape = tuple[int | None, ...]
GIVE_A_RULE = "say what one of its units sees with rules={name: ki.ReceptiveField(...)}"
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
    """Units that belong to no place of the image.

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


def output_fields(node: Node, fields: Sequence[Field]) -> list[Field]:
    """Receptive fields of what a layer puts out, one for each output.

    Args:
        node: the call of a Keras layer or operation.
        fields: of its input tensors.
    """
    return [_output_field(node, fields, tuple(one.shape)) for one in node.outputs]


def _output_field(node: Node, fields: Sequence[Field], output_shape: Shape) -> Field:
    for field in fields:
        if isinstance(field, NotKnown):
            return field
    shapes = [tuple(tensor.shape) for tensor in node.inputs]
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
                return _keep_no_place(node.operation, field, output_shape)
        if not places:
            first = next(field for field in fields if isinstance(field, NoPlace))
            return _keep_no_place(node.operation, first, output_shape)
        return _map_output(node, fields, output_shape)
    except UnknownField as error:
        return NotKnown(f"layer {describe(node.operation)} {error}")


def given_fields(
    node: Node, fields: Sequence[Field], rule: tuple[AxisField, AxisField]
) -> list[Field]:
    """Receptive fields of what a layer puts out, by a rule that the caller gives.

    Args:
        node: the call of the layer.
        fields: of its input tensors.
        rule: what each unit sees of the layer's inputs, vertically and horizontally,
            in units of these.
    """
    maps = [field for field in fields if isinstance(field, MapField)]
    if len(maps) < len(fields):
        other = next(field for field in fields if not isinstance(field, MapField))
        return [other] * len(node.outputs)
    found: list[Field] = []
    for tensor in node.outputs:
        shape = tuple(tensor.shape)
        if len(shape) != 4:
            raise ValueError(
                "Expected in `rules` layers whose output is (batch, height, width, "
                f"channels). Received: a rule for layer {describe(node.operation)} "
                f"with the output {shape}. Leave it out."
            )
        vertical, horizontal = _joined(maps).axes
        found.append(
            MapField(
                seen(vertical, rule[0], shape[1]), seen(horizontal, rule[1], shape[2])
            )
        )
    return found


def _can_be_passed_over(field: Field, shape: Shape) -> bool:
    """Whether an operand scales or shifts all places alike, as a gate does."""
    if not isinstance(field, NoPlace):
        return False
    return field.uniform or len(shape) < 4 or tuple(shape[1:3]) == (1, 1)


def _keep_no_place(operation: Any, field: NoPlace, output_shape: Shape) -> NoPlace:
    if isinstance(operation, _LAYERS.Reshape):
        # What a reshape lays out as a map is no longer the same at all places.
        single = len(output_shape) < 4 or tuple(output_shape[1:3]) == (1, 1)
        return dataclasses.replace(field, uniform=field.uniform and single)
    return field


def _map_output(node: Node, fields: Sequence[Field], output_shape: Shape) -> Field:
    """The rule of one layer, with at least one map among its inputs."""
    operation = node.operation
    maps = [field for field in fields if isinstance(field, MapField)]
    input_shape = tuple(node.inputs[0].shape)
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
    if not isinstance(operation, _LAYERS.Layer):
        return _operation_output(node, fields, output_shape)
    if len(maps) > 1:
        return _own(node, fields, output_shape)
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
    return _own(node, fields, output_shape)


def _pooled(operation: Any, uniform: bool) -> NoPlace:
    return NoPlace(f"places are merged by layer {describe(operation)}", uniform)


def _joined(maps: Sequence[MapField]) -> MapField:
    vertical, horizontal = zip(*(field.axes for field in maps), strict=True)
    return MapField(union(vertical), union(horizontal))


def _operation_output(
    node: Node, fields: Sequence[Field], output_shape: Shape
) -> Field:
    """An operation of keras.ops that was called on the model's own tensors."""
    operation = node.operation
    maps = [field for field in fields if isinstance(field, MapField)]
    input_shape = tuple(node.inputs[0].shape)
    name = type(operation).__name__
    same_cells = len(output_shape) == 4 and output_shape[1:3] == input_shape[1:3]
    if name == "Concatenate" and operation.axis not in (-1, 3):
        raise UnknownField("concatenates along another axis than the channels")
    if name in _POINTWISE_OPERATIONS:
        return _joined(maps)
    if name in _REDUCING_OPERATIONS:
        return maps[0] if same_cells else _pooled(operation, uniform=True)
    if _needs_no_rule(node, fields, output_shape):
        return _joined(maps)
    raise UnknownField(
        "is an operation whose receptive field is not known; use a Keras layer, or "
        f"{GIVE_A_RULE}"
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
        raise UnknownField("crops at a place that depends on the image; crop before")
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
            "resizes images of open size; pass image_size=(height, width)"
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
    """Whether a layer is of a class that Keras offers."""
    return type(layer) is getattr(_LAYERS, type(layer).__name__, None)


def _is_window(layer: Any) -> bool:
    """Whether a layer of somebody's own shows itself to be a convolution."""
    return not _is_keras(layer) and all(
        hasattr(layer, name) for name in ("kernel_size", "strides", "padding")
    )


def _is_augmentation(layer: Any) -> bool:
    """Random changes of images, which do nothing outside training."""
    return _is_keras(layer) and type(layer).__name__.startswith("Random")


def _own(node: Node, fields: Sequence[Field], output_shape: Shape) -> MapField:
    """A layer without a rule, which needs none if it works cell by cell."""
    # The masks look at whole maps, but leave what they keep where it is.
    masks = isinstance(node.operation, (InterpretableMask, PartMask))
    holds = not masks and _holds_windows(node.operation)
    if masks or (not holds and _needs_no_rule(node, fields, output_shape)):
        return _joined([field for field in fields if isinstance(field, MapField)])
    raise UnknownField(
        "is of a kind whose receptive field is not known. A layer of your own counts "
        "as a convolution if it has kernel_size, strides and padding, and needs no "
        "rule if it works cell by cell on maps of one shape and holds no layer that "
        f"moves places; otherwise {GIVE_A_RULE}"
    )


def _holds_windows(layer: Any) -> bool:
    """Whether a layer holds others that move places."""
    return any(
        not isinstance(one, _POINTWISE) and (_is_keras(one) or _is_window(one))
        for one in flattened_layers(layer, include_self=False)
    )


def _needs_no_rule(node: Node, fields: Sequence[Field], output_shape: Shape) -> bool:
    """Whether an operation works cell by cell on maps of one shape."""
    are_maps = [isinstance(field, MapField) for field in fields]
    shapes = [tuple(tensor.shape) for tensor in node.inputs]
    cells = {s[1:3] for s, is_map in zip(shapes, are_maps, strict=True) if is_map}
    same = len(output_shape) == 4 and cells == {output_shape[1:3]}
    return same and works_cell_by_cell(node, are_maps)
