"""Place and extent, in pixels, of what the units of a layer see."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import keras
import numpy as np

from keras_interp._network.graph import graph_of, input_names, nodes_of
from keras_interp._network.layer_names import find_layer, match_path
from keras_interp.receptive_fields._arithmetic import AxisField
from keras_interp.receptive_fields._layer_rules import (
    Field,
    MapField,
    NoPlace,
    NotKnown,
    given_fields,
    output_fields,
)

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
            try:
                pair = np.ravel(np.asarray(getattr(self, name), dtype="float64"))
            except (TypeError, ValueError):
                pair = np.empty(0)
            positive = name == "start" or np.all(pair > 0)
            if pair.size not in (1, 2) or not np.all(np.isfinite(pair)) or not positive:
                raise ValueError(
                    f"Expected `{name}` as a{'' if name == 'start' else ' positive'} "
                    "number, or two as (vertical, horizontal), in pixels. Received: "
                    f"{name}={getattr(self, name)!r}. Give finite numbers."
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
                "Expected `cells` of shape (..., 2) with (row, column). Received: "
                f"cells of shape {cells.shape}. Put the two numbers last."
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
    rules: Mapping[str | type, ReceptiveField] | None = None,
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
    `padding`. They need no rule if they work cell by cell on maps of one shape, which
    is found by trying; for any other give one in `rules`. A layer about which nothing
    is known is an error that names it.

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
        image_size: side or `(height, width)` of the images in pixels, for models that
            leave it open and whose padding depends on it. Defaults to None, the size
            that the model says.
        rules: for layers without a rule of their own, or in place of it: what one unit
            of the layer sees, in units of the layer's inputs. The key is the name or
            path of a layer, or a class of layers. `ReceptiveField(1, 1, 0)` says that
            a layer works cell by cell, `ReceptiveField(3, 2, 1)` that it works like a
            3 x 3 convolution of stride 2 without padding. Defaults to None, no rules.

    Returns:
        `ReceptiveField` with `.size`, `.stride` and `.start` in pixels.

    Raises:
        ValueError: if there is no such layer, if its units see the whole image (behind
            a flatten or a global pooling), if a layer before it is of an unknown kind,
            or if the model has a `call` of its own, which may do more than its graph
            of layers says.

    Reference:
        Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural
        Networks, Distill 2019.
    """
    graph = _graph(model)
    inputs = [_input_field(tensor, image_size) for tensor in graph.inputs]
    fields: Fields = {}
    _follow(graph, inputs, (), fields, _checked_rules(model, rules))
    field = fields[match_path(layer_name, fields, model.name)]
    if isinstance(field, NotKnown):
        raise ValueError(
            "Expected layers whose receptive field is known. Received: layer "
            f"{layer_name!r}, whose field cannot be told: {field.reason}."
        )
    if isinstance(field, NoPlace):
        raise ValueError(
            "Expected a layer with maps. Received: layer "
            f"{layer_name!r}, which has no receptive field smaller than the image: "
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
    wanted = "Expected a functional or Sequential Keras model. Received: "
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            f"{wanted}the Sequential model {model.name!r}, which is not built yet. "
            "Begin it with keras.Input((height, width, channels)) or call "
            "model.build(...)."
        )
    if isinstance(model, keras.Model):
        raise ValueError(
            f"{wanted}{model.name!r} of class {type(model).__name__}, whose `call` is "
            "its own and may do more than a graph of layers says. Make it a graph: "
            "x = keras.Input(shape); keras.Model(x, model.call(x))."
        )
    raise ValueError(f"{wanted}a {type(model).__name__}. Give the model itself.")


def _checked_rules(
    model: keras.Model, rules: Any
) -> dict[Any, tuple[AxisField, AxisField]]:
    """Rules by layer or class, as what a unit sees along each axis."""
    found = {}
    for key, rule in dict(rules or {}).items():
        if not isinstance(rule, ReceptiveField):
            raise ValueError(
                "Expected in `rules` a keras_interp.ReceptiveField for each layer. "
                f"Received: rules={{{key!r}: {rule!r}}}. Give size, stride and start "
                "in units of the layer's inputs."
            )
        place = key if isinstance(key, type) else id(find_layer(model, key).layer)
        pairs = (
            np.broadcast_to(np.asarray(value, dtype="float64"), 2)
            for value in (rule.size, rule.stride, rule.start)
        )
        vertical, horizontal = (
            AxisField(None, *map(Fraction, numbers))
            for numbers in zip(*pairs, strict=True)
        )
        found[place] = vertical, horizontal
    return found


def _rule_of(layer: Any, rules: Mapping[Any, Any]) -> Any:
    """The rule that the caller gives for a layer, or `None`."""
    if id(layer) in rules:
        return rules[id(layer)]
    return next((rules[kind] for kind in type(layer).__mro__ if kind in rules), None)


def _input_field(tensor: Any, image_size: int | tuple[int, int] | None) -> Field:
    if len(tensor.shape) != 4:
        return NotKnown(
            f"input {tensor.name!r} has shape {tensor.shape} and is no image"
        )
    given = image_size if isinstance(image_size, tuple | list) else (image_size,) * 2
    sides = [
        side is None
        or (type(side) is not bool and isinstance(side, int | np.integer) and side > 0)
        for side in given
    ]
    if len(given) != 2 or not all(sides):
        raise ValueError(
            "Expected image_size as a positive integer or (height, width) in pixels. "
            f"Received: image_size={image_size!r}. Leave it out where the model has a "
            "fixed size."
        )
    lengths = []
    for length, asked in zip(tensor.shape[1:3], given, strict=True):
        if length is not None and asked is not None and length != asked:
            raise ValueError(
                f"Expected image_size as the model takes images, "
                f"{tuple(tensor.shape[1:3])}. Received: image_size={image_size!r}. "
                "Leave it out."
            )
        lengths.append(asked if length is None else length)
    return MapField(AxisField(lengths[0]), AxisField(lengths[1]))


def _follow(
    graph: Any,
    inputs: list[Field],
    path: tuple[str, ...],
    fields: Fields,
    rules: Mapping[Any, Any],
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
        inner, rule = graph_of(node.operation), _rule_of(node.operation, rules)
        if rule is not None:
            outgoing = given_fields(node, incoming, rule)
        elif inner is not None:
            outgoing = _follow(inner, incoming, place, fields, rules)
        else:
            outgoing = output_fields(node, incoming)
        for tensor, field in zip(node.outputs, outgoing, strict=True):
            known.setdefault(id(tensor), field)
        fields.setdefault(place, outgoing[0])
    return [known[id(tensor)] for tensor in graph.outputs]


def _plain(field: MapField, name: str) -> Scalar | tuple[Scalar, Scalar]:
    """One number where both axes agree, otherwise (vertical, horizontal)."""
    vertical, horizontal = (_number(getattr(axis, name)) for axis in field.axes)
    return vertical if vertical == horizontal else (vertical, horizontal)


def _number(value: Fraction) -> Scalar:
    return int(value) if value.denominator == 1 else float(value)
