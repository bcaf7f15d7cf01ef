"""Place and extent, in pixels, of what the units of a layer see."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import keras
import numpy as np

from keras_interp._network.graph import graph_of, input_names, nodes_of
from keras_interp._network.layer_names import match_path
from keras_interp.receptive_field_layers import (
    Field,
    MapField,
    NoPlace,
    NotKnown,
    output_field,
)
from keras_interp.receptive_field_rules import AxisField

Scalar = int | float
Fields = dict[tuple[str, ...], Field]


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """Receptive fields of the units of a feature map.

    Unit (row, column) sees a rectangle of `size` pixels around the pixel `start +
    index * stride`; pixel 0 is the first one and its centre lies at 0. Each of the
    three is a number where both axes agree and a tuple `(vertical, horizontal)` where
    they do not.

    Example:

    >>> import keras_interp as ki
    >>> field = ki.ReceptiveField(size=196, stride=16, start=7.5)
    >>> field.centers(14, 14)[5, 6]
    array([103.5,  87.5])

    Args:
        size: pixels that one unit sees.
        stride: pixels from one unit's centre to the next one's.
        start: centre of unit 0, in pixels.
    """

    size: Scalar | tuple[Scalar, Scalar]
    stride: Scalar | tuple[Scalar, Scalar]
    start: Scalar | tuple[Scalar, Scalar]

    def __post_init__(self) -> None:
        for name in ("size", "stride", "start"):
            pair = np.ravel(np.asarray(getattr(self, name), dtype="float64"))
            positive = name == "start" or np.all(pair > 0)
            if pair.size not in (1, 2) or not np.all(np.isfinite(pair)) or not positive:
                raise ValueError(
                    f"{name} must be a number or (vertical, horizontal) in pixels"
                    f"{'' if name == 'start' else ', positive'}; got "
                    f"{getattr(self, name)!r}."
                )

    def pixels(self, cells: Any) -> np.ndarray:
        """Turns units into pixels.

        Args:
            cells: `(..., 2)`, (row, column) of units; fractions are allowed and NaN
                stays NaN.

        Returns:
            float64 `(..., 2)`, (x, y) in pixels.
        """
        cells = np.asarray(cells, dtype="float64")
        if cells.ndim == 0 or cells.shape[-1] != 2:
            raise ValueError(
                "cells must have shape (..., 2) with (row, column); got shape "
                f"{cells.shape}."
            )
        start = np.broadcast_to(np.asarray(self.start, dtype="float64"), 2)
        stride = np.broadcast_to(np.asarray(self.stride, dtype="float64"), 2)
        return (start + cells * stride)[..., ::-1]

    def centers(self, height: int, width: int) -> np.ndarray:
        """Centres of all units of a map.

        Args:
            height: rows of the map.
            width: columns of the map.

        Returns:
            float64 `(height, width, 2)`, (x, y) in pixels.
        """
        rows, columns = np.mgrid[:height, :width]
        return self.pixels(np.stack([rows, columns], axis=-1))


def receptive_field(
    model: keras.Model,
    layer_name: str,
    image_size: int | tuple[int, int] | None = None,
) -> ReceptiveField:
    """Computes where the units of a layer look and how much they see.

    The graph of a functional or Sequential model, nested models included, is followed
    from the input to the layer. Where branches join, a unit sees the union of what
    they see: from the least to the greatest pixel, with the centre in the middle. (If
    branches of different strides join, stride and centre are those of the largest and
    the size grows until all are covered at every unit.) Enlarging layers let some
    units see more than others; the size is that of the widest.

    Size is an upper bound by arithmetic, clipped by no border. Gates that come from
    global pooling (squeeze and excitation) act on all places alike and do not count.
    Layers of your own count as convolutions if they have `kernel_size`, `strides` and
    `padding`, and as pointwise if they keep the size of the maps; anything else that
    is not known is an error that names the layer.

    Example:

    >>> import keras
    >>> import keras_interp as ki
    >>> model = keras.Sequential([
    ...     keras.Input((64, 64, 3)),
    ...     keras.layers.Conv2D(8, 3, padding="same", name="first"),
    ...     keras.layers.MaxPooling2D(),
    ...     keras.layers.Conv2D(8, 3, padding="same", name="second"),
    ... ])
    >>> ki.receptive_field(model, "second")
    ReceptiveField(size=8, stride=2, start=0.5)

    Args:
        model: functional or Sequential, built, with one or more inputs of shape
            `(batch, height, width, channels)`.
        layer_name: name of the layer whose output is meant; for a layer inside a
            nested model its name, or the path such as `"backbone/conv5"` where the
            name alone is not unique. A layer used several times is taken where it is
            used first.
        image_size: side or `(height, width)` of the pictures, for models that leave it
            open and whose padding depends on it.

    Returns:
        `ReceptiveField` with `.size`, `.stride` and `.start` in pixels.

    Raises:
        ValueError: if there is no such layer, if its units see the whole picture
            (behind a flatten or a global pooling), or if a layer before it is of an
            unknown kind.

    Reference:
        Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural
        Networks, Distill 2019.
    """
    graph = _graph(model)
    inputs = [_input_field(tensor, image_size) for tensor in graph.inputs]
    fields: Fields = {}
    _follow(graph, inputs, (), fields)
    field = fields[match_path(layer_name, fields, model.name)]
    if isinstance(field, NotKnown):
        raise ValueError(
            f"The receptive field of layer {layer_name!r} cannot be told: "
            f"{field.reason}."
        )
    if isinstance(field, NoPlace):
        raise ValueError(
            f"Layer {layer_name!r} has no receptive field smaller than the picture: "
            f"{field.reason}. Choose a layer before it, such as a convolution."
        )
    return ReceptiveField(
        size=_plain(field, "size"),
        stride=_plain(field, "stride"),
        start=_plain(field, "start"),
    )


def _graph(model: Any) -> Any:
    """The functional graph of a model, refused where there is none."""
    graph = graph_of(model)
    if graph is not None:
        return graph
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            "The Sequential model is not built yet. Begin it with "
            "keras.Input((height, width, channels)) or call model.build(...)."
        )
    raise ValueError(
        "receptive_field needs a functional or Sequential Keras model, whose layers "
        f"form a known graph; got {type(model).__name__}. A subclassed model can be "
        "made one: x = keras.Input(shape); keras.Model(x, model.call(x))."
    )


def _input_field(tensor: Any, image_size: int | tuple[int, int] | None) -> Field:
    if len(tensor.shape) != 4:
        return NotKnown(
            f"input {tensor.name!r} has shape {tensor.shape} and is no picture"
        )
    given = image_size if isinstance(image_size, tuple | list) else (image_size,) * 2
    if len(given) != 2:
        raise ValueError(
            f"image_size must be a number or (height, width); got {image_size!r}."
        )
    lengths = []
    for length, asked in zip(tensor.shape[1:3], given, strict=True):
        if length is not None and asked is not None and length != asked:
            raise ValueError(
                f"image_size is {image_size!r} but the model takes pictures of "
                f"{tuple(tensor.shape[1:3])}; leave image_size out."
            )
        lengths.append(asked if length is None else length)
    return MapField(AxisField(lengths[0]), AxisField(lengths[1]))


def _follow(
    graph: Any, inputs: list[Field], path: tuple[str, ...], fields: Fields
) -> list[Field]:
    """Follows a graph from its inputs, notes every layer's field, gives the outputs."""
    known: dict[int, Field] = {}
    for tensor, name, field in zip(
        graph.inputs, input_names(graph), inputs, strict=True
    ):
        known[id(tensor)] = field
        if name is not None:
            fields.setdefault((*path, name), field)
    for node in nodes_of(graph):
        if node.is_input:
            continue
        place = (*path, node.operation.name)
        incoming = [known[id(tensor)] for tensor in node.inputs]
        inner = graph_of(node.operation)
        if inner is not None:
            outgoing = _follow(inner, incoming, place, fields)
        else:
            outgoing = _outputs(node.operation, incoming, node)
        for tensor, field in zip(node.outputs, outgoing, strict=True):
            known.setdefault(id(tensor), field)
        fields.setdefault(place, outgoing[0])
    return [known[id(tensor)] for tensor in graph.outputs]


def _outputs(operation: Any, incoming: list[Field], node: Any) -> list[Field]:
    """Fields of the output tensors of one layer."""
    shapes = [tuple(tensor.shape) for tensor in node.inputs]
    return [
        output_field(operation, incoming, shapes, tuple(tensor.shape))
        for tensor in node.outputs
    ]


def _plain(field: MapField, name: str) -> Scalar | tuple[Scalar, Scalar]:
    """One number where both axes agree, otherwise (vertical, horizontal)."""
    vertical, horizontal = (_number(getattr(axis, name)) for axis in field.axes)
    return vertical if vertical == horizontal else (vertical, horizontal)


def _number(value: Fraction) -> Scalar:
    return int(value) if value.denominator == 1 else float(value)
