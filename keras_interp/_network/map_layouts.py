"""Which tensors of a network are feature maps, and where their channels stand.

Four axes are not enough: the heads of an attention layer have `(batch, tokens, heads,
size)`. A tensor is a map if it is the image, comes out of a layer that has a
`data_format`, or is made of maps by a call that keeps their axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

CHANNELS_LAST = "channels_last"
CHANNELS_FIRST = "channels_first"
# Of a tensor with four axes that are known to mean something else.
NO_MAP = "no_map"
# After these nobody knows what an axis means.
_MOVING_AXES = ("Einsum", "Moveaxis", "Swapaxes")


class MapLayouts:
    """Follows the layout of feature maps from call to call.

    Example:

    ```python
    layouts = MapLayouts()
    layouts.start([images])
    layouts.follow(layer, [images], maps)       # "channels_last"
    ```

    Attributes:
        channels_first: name of a layer that takes what is channels-last, such as the
            image, as channels-first; `None` where there is none.
    """

    def __init__(self) -> None:
        # By the identity of a tensor; the tensor itself keeps the identity taken.
        self._known: dict[int, tuple[Any, str]] = {}
        self.channels_first: str | None = None

    def start(self, tensors: Sequence[Any]) -> None:
        """The inputs of a model: those with four axes are images."""
        for tensor in tensors:
            if len(tensor.shape) == 4:
                self._known[id(tensor)] = tensor, CHANNELS_LAST

    def hand_over(self, tensors: Sequence[Any], others: Sequence[Any]) -> None:
        """Tensors that stand for others, as the inputs of an inner model do."""
        for tensor, other in zip(tensors, others, strict=True):
            layout = self.of(tensor)
            if layout is not None:
                self._known[id(other)] = other, layout

    def of(self, tensor: Any) -> str | None:
        """Layout of a tensor, `"no_map"` for another meaning, `None` if unknown."""
        if len(tensor.shape) != 4:
            return NO_MAP
        return self._known.get(id(tensor), (None, None))[1]

    def follow(
        self,
        operation: Any,
        inputs: Sequence[Any],
        output: Any,
        *,
        among_tokens: bool = False,
    ) -> str | None:
        """Note what comes out of a call.

        Args:
            operation: the layer or operation, or the name of a function.
            inputs: its tensors of real numbers.
            output: the tensor that it gave.
            among_tokens: whether it is called inside a layer that was given no maps.

        Returns:
            Layout of the output, as `of` gives it.
        """
        if len(output.shape) != 4:
            return NO_MAP
        layout = self.of(output)
        if layout is None:
            layout = self._layout_after(operation, inputs, output)
            if layout is None and among_tokens:
                layout = NO_MAP
            if layout is not None:
                self._known[id(output)] = output, layout
        return layout

    def _layout_after(
        self, operation: Any, inputs: Sequence[Any], output: Any
    ) -> str | None:
        kind = operation if isinstance(operation, str) else type(operation).__name__
        with_cells = [tensor for tensor in inputs if len(tensor.shape) == 4]
        layouts = [self.of(tensor) for tensor in with_cells]
        maps = [x for x in layouts if x in (CHANNELS_LAST, CHANNELS_FIRST)]
        data_format = getattr(operation, "data_format", None)
        if with_cells and data_format is not None:
            if data_format == CHANNELS_FIRST and CHANNELS_LAST in maps:
                self.channels_first = self.channels_first or operation.name
            return data_format
        if kind in ("Permute", "Transpose"):
            return _permuted(maps, _axes_of(operation))
        if kind.lower() == "reshape":
            return _reshaped(maps, inputs, output)
        if kind in _MOVING_AXES:
            return None
        if maps:
            return maps[0]
        return NO_MAP if inputs and None not in layouts else None


def _permuted(maps: Sequence[str], axes: Sequence[int] | None) -> str | None:
    if not maps or axes is None:
        return None
    turned: dict[tuple[str, tuple[int, ...]], str] = {
        (CHANNELS_LAST, (0, 3, 1, 2)): CHANNELS_FIRST,
        (CHANNELS_LAST, (0, 2, 1, 3)): CHANNELS_LAST,
        (CHANNELS_FIRST, (0, 2, 3, 1)): CHANNELS_LAST,
        (CHANNELS_FIRST, (0, 1, 3, 2)): CHANNELS_FIRST,
    }
    axes = tuple(axes)
    return maps[0] if axes == (0, 1, 2, 3) else turned.get((maps[0], axes), NO_MAP)


def _axes_of(operation: Any) -> Sequence[int] | None:
    if isinstance(operation, keras.layers.Permute):
        return (0, *operation.dims)
    return getattr(operation, "axes", None)


def _reshaped(maps: Sequence[str], inputs: Sequence[Any], output: Any) -> str | None:
    """Maps stay maps if nothing moves, and tokens become maps again cell by cell."""
    before, after = tuple(inputs[0].shape) if inputs else (), tuple(output.shape)
    if None in before[1:] or None in after[1:]:
        return None
    if len(before) == 4 and before[1:] == after[1:]:
        return maps[0] if maps else None
    cells = (math.prod(after[1:3]), after[3])
    return CHANNELS_LAST if len(before) == 3 and before[1:] == cells else NO_MAP


def as_channels_last(tensor: Any, layout: str | None) -> Any:
    """Maps with their channels last."""
    return ops.transpose(tensor, (0, 2, 3, 1)) if layout == CHANNELS_FIRST else tensor
