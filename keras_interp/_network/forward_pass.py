"""The forward pass of a model as the body of a method sees it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_interp import _backend
from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import CapturedCall, Interceptor, called_in_inference
from keras_interp._network.class_scores import (
    FinalActivation,
    class_scores,
    filter_scores,
    number_of_classes,
)
from keras_interp._network.layer_names import flattened_layers
from keras_interp._network.map_layouts import as_channels_last

# What is sent down from a score in place of 1, and taken back at the end.
HALF_PRECISION_SIGNAL = 1024.0


class Forward:
    """The forward pass of a model inside a compiled function.

    Args:
        model: weak reference to the model.
        structure: of its inputs.
        position: of the images among them.
        others: tensors of the other inputs.
        output: position of the explained output among the outputs.
        unit: the call of the layer whose filter is explained; `None` for a class.
    """

    def __init__(
        self,
        model: weakref.ref[Any],
        structure: Any,
        position: int,
        others: Sequence[Any],
        output: int,
        unit: LayerCall | None,
    ):
        self._model = model
        self._structure = structure
        self._position = position
        self._others = list(others)
        self._output = output
        self._unit = unit
        # In half precision a small signal would vanish on its way down.
        dtypes = {layer.compute_dtype for layer in flattened_layers(alive(model))}
        self._signal = HALF_PRECISION_SIGNAL if "float16" in dtypes else 1.0

    def repeated(self, times: int) -> Forward:
        """The same for images that each come several times, one after another."""
        others = [ops.repeat(tensor, times, axis=0) for tensor in self._others]
        return Forward(
            self._model,
            self._structure,
            self._position,
            others,
            self._output,
            self._unit,
        )

    def logits(self, images: Any, *interceptors: Interceptor) -> Any:
        """What the model says, before a final softmax or sigmoid.

        Args:
            images: tensor `(batch, height, width, channels)`.
            *interceptors: that see the calls of the model.

        Returns:
            float32 tensor `(batch, classes)`.
        """
        seen = FinalActivation()
        outputs = self.outputs(images, *interceptors, seen)
        tensor = keras.tree.flatten(outputs)[self._output]
        logits, _ = seen.look_through(tensor)
        classes = number_of_classes(tuple(logits.shape))
        return ops.cast(ops.reshape(logits, (-1, classes)), "float32")

    def outputs(self, images: Any, *interceptors: Interceptor) -> Any:
        """What the model returns, in inference mode."""
        arrays = list(self._others)
        arrays.insert(self._position, images)
        inputs = keras.tree.pack_sequence_as(self._structure, arrays)
        return called_in_inference(alive(self._model), inputs, *interceptors)

    def scores(
        self,
        images: Any,
        targets: Any,
        *interceptors: Interceptor,
        all_given: bool = False,
    ) -> tuple[Any, Any]:
        """Score of the explained class, or of the explained filter, of each image.

        Args:
            images: tensor `(batch, height, width, channels)`.
            targets: int32 tensor `(batch,)`, class or filter; -1 for the one of highest
                score.
            *interceptors: that see the calls of the model.
            all_given: whether no target is -1; a setting that belongs in the key of
                the compiled function.

        Returns:
            float32 tensor of scores `(batch,)` and int32 tensor of the classes or
            filters that were meant.
        """
        if self._unit is None:
            logits = self.logits(images, *interceptors)
            return class_scores(logits, targets, all_given=all_given)
        captured = CapturedCall(self._unit.operation(), self._unit.index)
        self.outputs(images, *interceptors, captured)
        maps = as_channels_last(captured.output, self._unit.layout)
        return filter_scores(maps, targets, all_given=all_given)

    def gradient(
        self, scores_of: Callable[[Any], tuple[Any, Any]], at: Any
    ) -> tuple[Any, Any]:
        """Gradient of the sum of scores, and what else came of computing them.

        Args:
            scores_of: takes a tensor like `at`; gives scores `(batch,)` and a structure
                of other tensors.
            at: tensor at which the gradient is taken.

        Returns:
            Gradient of the shape and dtype of `at`, and the other tensors.
        """

        def total(tensor: Any) -> tuple[Any, Any]:
            scores, others = scores_of(tensor)
            return ops.sum(scores) * self._signal, others

        _, others, slope = _backend.value_and_gradient(total, at)
        return slope / ops.cast(self._signal, slope.dtype), others


def activation_and_gradient(
    forward: Forward, call: LayerCall, images: Any, targets: Any, *interceptors: Any
) -> tuple[Any, Any]:
    """What a layer puts out, and the gradient of the score with respect to it.

    Args:
        forward: the forward pass inside a compiled function.
        call: of the layer.
        images: tensor `(batch, height, width, channels)`.
        targets: int32 tensor `(batch,)`.
        *interceptors: that see the calls of the model.

    Returns:
        Two tensors of the shape and dtype of the layer's output, the channels last.
    """
    sizes = (ops.shape(images)[0], *(call.shape or ())[1:])
    zeros = ops.zeros(sizes, call.dtype)

    def scores_of(added: Any) -> tuple[Any, Any]:
        captured = CapturedCall(call.operation(), call.index, added)
        scores, _ = forward.scores(images, targets, *interceptors, captured)
        return scores, captured.output

    slope, activation = forward.gradient(scores_of, zeros)
    return (
        as_channels_last(activation, call.layout),
        as_channels_last(slope, call.layout),
    )


def alive(model: weakref.ref[Any]) -> Any:
    """The model behind a weak reference, which its caller keeps alive."""
    found = model()
    if found is None:
        raise ReferenceError("The model was freed while it was being explained.")
    return found
