"""Feature maps from which all that follows is computed, and nothing beside them."""

from __future__ import annotations

import math

import keras
from keras import layers

from keras_interp._network.call_record import LayerCall
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.output_dependence import last_maps_behind
from keras_interp.attribution.excitation._rules import WEIGHTED

# Sixteen as in the networks of the papers, and what their lost borders take away.
COARSEST_STRIDE = 18
_NO_ACTIVATION = (layers.BatchNormalization, layers.ZeroPadding2D)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


def default_maps(explained: ExplainedModel) -> LayerCall:
    """The maps from which the coarsest convolutions start.

    Args:
        explained: the model, one of its outputs, and pictures.

    Returns:
        The last call before the first convolution of the coarsest resolution whose maps
        are a bottleneck and have at least 1 / `COARSEST_STRIDE` of the picture's
        resolution; where there is none, the last such call that has a layer with
        weights after it; failing that, the last call with maps that the explained
        output depends on.
    """
    record, size = explained.record, explained.inputs.images.shape[1:3]
    calls = record.calls
    fine = [
        position
        for position in record.bottlenecks
        if _is_activation(calls[position]) and _is_fine(calls[position], size)
    ]
    areas = {
        position: math.prod(cells or 0 for cells in (call.shape_of_maps or ())[1:3])
        for position, call in enumerate(calls)
        if isinstance(call.operation(), _CONVOLUTIONS) and _is_known(call)
    }
    coarsest = [p for p, area in areas.items() if area == min(areas.values())]
    weighted = [p for p, c in enumerate(calls) if isinstance(c.operation(), WEIGHTED)]
    for first in (coarsest[:1], weighted[-1:]):
        before = [position for position in fine if first and position < first[0]]
        if before:
            return calls[before[-1]]
    return last_maps_behind(explained)


def _is_activation(call: LayerCall) -> bool:
    """Whether its maps are neither linear, nor padded, nor those inside a layer."""
    operation = call.operation()
    if operation is None or isinstance(operation, _NO_ACTIVATION):
        return False
    linear = getattr(operation, "activation", None) in (None, keras.activations.linear)
    return not (isinstance(operation, WEIGHTED) and linear)


def _is_known(call: LayerCall) -> bool:
    return call.has_maps and None not in (call.shape_of_maps or ())[1:3]


def _is_fine(call: LayerCall, size: tuple[int, int]) -> bool:
    cells = (call.shape_of_maps or ())[1:3]
    return _is_known(call) and all(
        (cell or 0) * COARSEST_STRIDE >= length
        for cell, length in zip(cells, size, strict=True)
    )
