"""Receptive-field arithmetic along one axis, for every way a layer can move it.

A unit's place is affine in its index, `start + index * stride`; all numbers are
fractions, so that no chain of layers rounds them. The recursions are those of Araujo,
Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill
2019.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction

ONE = Fraction(1)
HALF = Fraction(1, 2)


class UnknownField(ValueError):
    """No receptive field can be told for the units of some layer."""


@dataclasses.dataclass(frozen=True)
class AxisField:
    """Receptive fields of a row of units along one axis of the image.

    Args:
        length: number of units, `None` where the model leaves it open.
        size: pixels that one unit sees.
        stride: pixels from one unit's centre to the next one's.
        start: centre of unit 0, in pixels from 0.
    """

    length: int | None
    size: Fraction = ONE
    stride: Fraction = ONE
    start: Fraction = Fraction(0)

    @property
    def half(self) -> Fraction:
        """Reach on either side of the centre."""
        return (self.size - 1) / 2

    def center(self, index: int) -> Fraction:
        """Centre of one unit in pixels."""
        return self.start + index * self.stride


def window(
    axis: AxisField, kernel: int, stride: int, dilation: int, padding: str
) -> AxisField:
    """Convolution or pooling."""
    reach = (kernel - 1) * dilation + 1
    before, length = 0, axis.length
    if padding == "valid":
        if length is not None:
            length = (length - reach) // stride + 1
    elif padding == "same":
        # Total padding as TensorFlow has it, the odd cell behind. With stride 1 it
        # does not depend on the length.
        total = reach - 1
        if stride > 1:
            if length is None:
                raise UnknownField(
                    "pads by an amount that depends on the image's size, which the "
                    "model leaves open; pass image_size=(height, width)"
                )
            total = max((math.ceil(length / stride) - 1) * stride + reach - length, 0)
            length = math.ceil(length / stride)
        before = total // 2
    else:
        raise UnknownField(f"has padding {padding!r}, known are 'valid' and 'same'")
    return AxisField(
        length,
        axis.size + (reach - 1) * axis.stride,
        axis.stride * stride,
        axis.start + (Fraction(reach - 1, 2) - before) * axis.stride,
    )


def transposed(
    axis: AxisField,
    kernel: int,
    stride: int,
    dilation: int,
    padding: str,
    output_padding: int | None,
) -> AxisField:
    """Transposed convolution.

    Unit o reads the inputs i with `o + before = i * stride + d`, 0 <= d < reach: an
    interval of width `(reach - 1) / stride` in input units, whose middle is affine in
    o. Some units see less of it than others; the size is that of the widest.
    """
    reach = (kernel - 1) * dilation + 1
    if padding not in ("valid", "same"):
        raise UnknownField(f"has padding {padding!r}, known are 'valid' and 'same'")
    before, length = 0, None
    if padding == "same":
        # Keras pads less when an output padding is given (its backend_utils).
        total = max(reach - stride, 0)
        if output_padding is not None:
            total = max(reach - reach % 2 - output_padding, 0)
        before = total // 2
    if axis.length is not None:
        length = _transposed_length(axis.length, reach, stride, padding, output_padding)
    return AxisField(
        length,
        axis.size + axis.stride * Fraction(reach - 1, stride),
        axis.stride / stride,
        axis.start + axis.stride * (before - Fraction(reach - 1, 2)) / stride,
    )


def _transposed_length(
    length: int, reach: int, stride: int, padding: str, output_padding: int | None
) -> int:
    if padding == "same":
        if output_padding is None:
            return length * stride
        return (length - 1) * stride + reach % 2 + output_padding
    extra = max(stride - reach, 0) if output_padding is None else output_padding
    return (length - 1) * stride + reach + extra


def resampled(axis: AxisField, factor: Fraction, interpolation: str) -> AxisField:
    """Enlarging or shrinking by a factor, without antialiasing.

    Unit o lies at `(o + 0.5) / factor - 0.5` in input units and reads inputs around
    that place. How far depends on the unit; the size covers the farthest.
    """
    taps = {"nearest": 0, "bilinear": 1, "bicubic": 2}.get(interpolation)
    if taps is None:
        raise UnknownField(
            f"resizes with {interpolation!r}, known are nearest, bilinear and bicubic"
        )
    # Fractional parts of the places repeat with the numerator of the factor.
    places = [(o + HALF) / factor - HALF for o in range(factor.numerator)]
    distance = max(_farthest(place, taps) for place in places)
    length = None if axis.length is None else int(axis.length * factor)
    return AxisField(
        length,
        axis.size + 2 * distance * axis.stride,
        axis.stride / factor,
        axis.start + axis.stride * (HALF / factor - HALF),
    )


def _farthest(place: Fraction, taps: int) -> Fraction:
    """Distance from a place to the farthest input unit that it reads."""
    if taps == 0:
        return abs(place - math.floor(place + HALF))
    rest = place - math.floor(place)
    return taps - min(rest, 1 - rest) if rest else Fraction(0)


def shifted(axis: AxisField, before: int, after: int) -> AxisField:
    """Padding with units in front and behind, cropping where negative."""
    length = None if axis.length is None else axis.length + before + after
    return dataclasses.replace(
        axis, length=length, start=axis.start - before * axis.stride
    )


def seen(axis: AxisField, rule: AxisField, length: int | None) -> AxisField:
    """Units that see what a rule says of those before them.

    Args:
        axis: the units before.
        rule: what one unit sees, in units before it.
        length: number of the new units.
    """
    return AxisField(
        length,
        axis.size + (rule.size - 1) * axis.stride,
        axis.stride * rule.stride,
        axis.start + rule.start * axis.stride,
    )


def union(axes: Sequence[AxisField]) -> AxisField:
    """Units that see what those of several branches see together.

    With one stride the field runs from the least to the greatest pixel of the
    branches and its centre is the middle of that. With several, stride and centre are
    those of the largest branch and the size is enlarged, on both sides alike, until it
    covers all branches at every unit.
    """
    # A row of one unit is spread over all others: a gate, which has no place.
    spread = [axis for axis in axes if axis.length != 1] or list(axes)
    largest = max(spread, key=lambda axis: axis.size)
    length = largest.length
    if len({axis.stride for axis in spread}) == 1:
        low = min(axis.start - axis.half for axis in spread)
        high = max(axis.start + axis.half for axis in spread)
        return AxisField(length, high - low + 1, largest.stride, (low + high) / 2)
    if length is None:
        raise UnknownField(
            "joins branches of different strides on maps of open size; pass "
            "image_size=(height, width)"
        )
    reach = max(
        abs(axis.center(index) - largest.center(index)) + axis.half
        for axis in spread
        for index in (0, length - 1)
    )
    return dataclasses.replace(largest, size=2 * reach + 1)
