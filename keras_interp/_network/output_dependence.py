"""Which calls of a model an output depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_interp import _backend
from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import CapturedCall, Interceptor, called_in_inference
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.model_state import lock


def last_maps_behind(explained: ExplainedModel) -> LayerCall:
    """The last call with feature maps that the explained output depends on.

    Example:

    ```python
    explained = ExplainedModel(model, images, output_index="species")
    last_maps_behind(explained).name  # "species_head/conv"
    ```

    Args:
        explained: the model and one of its outputs.

    Returns:
        The call.

    Raises:
        ValueError: if there is none.
    """
    record = explained.record
    last = record.last_maps()
    bottlenecks = [record.calls[position] for position in record.bottlenecks]
    several = len(explained.inputs.arrays) > 1
    if len(record.outputs) == 1 and last in bottlenecks and not several:
        return last
    position = record.outputs.index(explained.output)
    with lock:
        if position not in record.maps_behind:
            record.maps_behind[position] = _maps_behind(explained, position)
    behind = record.maps_behind[position]
    if several:
        behind = [call for call in behind[::-1] if _is_of_images(explained, call)][:1]
    if not behind:
        raise ValueError(
            "Expected an output that depends on a layer with feature maps (batch, "
            "height, width, channels) of the images and of more than one cell. "
            f"Received: output {explained.output.name!r}, which depends on none. "
            "Choose another output or input, or a method that explains the input."
        )
    return behind[-1]


def _maps_behind(explained: ExplainedModel, position: int) -> list[LayerCall]:
    """All calls with feature maps that an output depends on."""
    model, inputs = explained.model, explained.inputs
    calls = [call for call in explained.record.calls if call.has_maps]

    def function(*tensors: Any) -> list[Any]:
        added, arrays = tensors[: len(calls)], list(tensors[len(calls) :])
        images = keras.tree.pack_sequence_as(inputs.structure, arrays)
        outputs = called_in_inference(model, images, _AddedToCalls(calls, added))
        return [keras.tree.flatten(outputs)[position]]

    specs = [_backend.ArraySpec((), "float32")] * len(calls) + [
        _backend.ArraySpec((None, *array.shape[1:]), array.dtype.name)
        for array in inputs.arrays
    ]
    used = _backend.used_inputs(function, specs, lambda: model.variables)
    return [call for call, is_used in zip(calls, used, strict=False) if is_used]


def _is_of_images(explained: ExplainedModel, call: LayerCall) -> bool:
    """Whether what a call puts out depends on the images that are explained."""
    model, inputs = explained.model, explained.inputs

    def function(*tensors: Any) -> list[Any]:
        captured = CapturedCall(call.operation(), call.index)
        structure = keras.tree.pack_sequence_as(inputs.structure, list(tensors))
        called_in_inference(model, structure, captured)
        return [captured.output]

    specs = [
        _backend.ArraySpec((None, *array.shape[1:]), array.dtype.name)
        for array in inputs.arrays
    ]
    used = _backend.used_inputs(function, specs, lambda: model.variables)
    return used[inputs.position]


class _AddedToCalls(Interceptor):
    """Adds a number to what comes out of each call, so that its way can be followed.

    Args:
        calls: of layers and operations.
        added: a scalar tensor for each.
    """

    def __init__(self, calls: Sequence[LayerCall], added: Sequence[Any]):
        places = [(id(call.operation()), call.index) for call in calls]
        self._added = dict(zip(places, added, strict=True))
        self._times: dict[int, int] = {}

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        index = self._times.get(id(operation), 0)
        self._times[id(operation)] = index + 1
        output = call(*args, **kwargs)
        added = self._added.get((id(operation), index))
        if added is None:
            return output
        return keras.tree.map_structure(
            lambda tensor: tensor + ops.cast(added, tensor.dtype), output
        )
