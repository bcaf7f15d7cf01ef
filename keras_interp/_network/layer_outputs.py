"""What layers make of images: their outputs, and the slopes of a class score there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import CapturedCall
from keras_interp._network.explained_model import ExplainedModel, ObservedModel
from keras_interp._network.forward_pass import Forward, activation_and_gradient
from keras_interp._network.map_layouts import as_channels_last


def feature_maps(
    model: Any,
    images: Any,
    layer_names: str | Sequence[str],
    batch_size: int = 32,
    *,
    input_index: int | str | None = None,
) -> np.ndarray | dict[str, np.ndarray]:
    """What one or several layers of a network put out for images.

    The network is run once for each batch, in inference mode, up to the last of the
    layers; nothing of it is changed, no statistics and no random state.

    Example:

    ```python
    maps = ki.feature_maps(model, images, "conv5")
    both = ki.feature_maps(model, images, ["backbone/conv4", "backbone/conv5"])
    both["backbone/conv4"].shape
    ```

    Args:
        model: any built Keras model: functional, Sequential, nested, subclassed.
        images: `(batch, height, width, channels)`, as the model takes them; whatever
            the methods of `keras_interp.attribution` take.
        layer_names: name of a layer, or its path through inner models such as
            `"backbone/conv5"`; or a list of them. A layer that is called several times
            is read at its first call.
        batch_size: most images that are computed at once.
        input_index: which input of a model with several are the images: position or
            key. By default the only one of shape `(batch, height, width, channels)`.

    Returns:
        float32 `(batch, height, width, channels)` for a name, or `(batch, units)` of a
        layer of units, and so on. Maps have their channels last. For a list a dict of
        such arrays, by the names that were given.

    Raises:
        ValueError: before anything is computed, if `model` is no built Keras model, a
            name is no layer of it, a layer puts out several tensors, or the images are
            not what the model takes.
    """
    names = [layer_names] if isinstance(layer_names, str) else layer_names
    listed = isinstance(names, (list, tuple)) and len(names) > 0
    if not listed or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "Expected layer_names as the name of a layer or a list of names. Received: "
            f"layer_names={layer_names!r}. Pass 'conv5', say."
        )
    observed = ObservedModel(model, images, input_index)
    calls = [_first_call(observed, name) for name in names]
    key = ("feature_maps", *((call.path, call.index) for call in calls))
    maps = observed.compute(key, _reading(calls), batch_size=batch_size)
    found = dict(zip(names, maps, strict=True))
    return found[layer_names] if isinstance(layer_names, str) else found


# Documentation and pickles name it as users do.
feature_maps.__module__ = "keras_interp"


def activations_and_gradients(
    model: Any,
    images: Any,
    layer_name: str,
    class_index: Any = None,
    batch_size: int = 32,
    *,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What a layer puts out for images, and how a class score changes with it.

    Example:

    ```python
    maps, slopes = activations_and_gradients(model, images, "conv5", class_index=3)
    ```

    Args:
        model: any built Keras model.
        images: as for `feature_maps`.
        layer_name: name or path of a layer; it is read at its first call.
        class_index: class of the score, one for all or one for each image; `None` for
            the class of highest score. The score is the logit.
        batch_size: most images that are computed at once.
        output_index: which output of a model with several: position or name.
        input_index: which input of a model with several are the images.

    Returns:
        Two float32 arrays of the shape of the layer's output, maps with their channels
        last: activations, and gradients, zero where the score does not depend on them.

    Raises:
        ValueError: as `feature_maps`, and for a class out of range.
    """
    explained = ExplainedModel(
        model,
        images,
        class_index,
        output_index=output_index,
        input_index=input_index,
    )
    call = _first_call(explained, layer_name)

    def body(forward: Forward, tensor: Any, targets: Any) -> list[Any]:
        found = activation_and_gradient(forward, call, tensor, targets)
        return [ops.cast(x, "float32") for x in found]

    key = ("activations_and_gradients", call.path, call.index)
    activations, gradients = explained.compute(key, body, batch_size=batch_size)
    return activations, gradients


def _first_call(observed: ObservedModel, layer_name: str) -> LayerCall:
    call = observed.find_call(layer_name, call_index=0)
    if call.shape is None:
        raise ValueError(
            "Expected a layer that puts out one tensor. Received: layer_name="
            f"{layer_name!r}, which puts out several. Choose a layer before or after."
        )
    return call


class _AllReadError(BaseException):
    """All layers were read, and what follows them need not be computed.

    It is no `Exception`: Keras adds its own words to those, and a layer may catch them.
    """


class _Reading(CapturedCall):
    """Keeps what a layer puts out, and ends the pass with the last of several."""

    def __init__(self, call: LayerCall, missing: set[tuple[int, int]]):
        operation = call.operation()
        super().__init__(operation, call.index)
        self._place = id(operation), call.index
        self._missing = missing

    def _capture(self, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        output = super()._capture(call, args, kwargs)
        self._missing.discard(self._place)
        if not self._missing:
            raise _AllReadError
        return output


def _reading(calls: Sequence[LayerCall]) -> Callable[..., Any]:
    def body(forward: Forward, images: Any) -> list[Any]:
        missing = {(id(call.operation()), call.index) for call in calls}
        readings = [_Reading(call, missing) for call in calls]
        try:
            forward.outputs(images, *readings)
        except _AllReadError:
            pass
        return [
            ops.cast(as_channels_last(reading.output, call.layout), "float32")
            for reading, call in zip(readings, calls, strict=True)
        ]

    return body
