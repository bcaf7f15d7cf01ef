"""Which places most probably made a class win: excitation backpropagation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_interp._backend import value_and_gradient
from keras_interp._network.call_record import LayerCall
from keras_interp._network.class_scores import (
    class_scores,
    filter_scores,
    number_of_classes,
)
from keras_interp._network.explained_model import ExplainedModel, Forward
from keras_interp._network.map_layouts import as_channels_last
from keras_interp._network.output_dependence import last_maps_behind
from keras_interp.attribution._grad_cam import enlarged
from keras_interp.attribution._shared_arguments import with_shared_arguments
from keras_interp.attribution.excitation._rules import WEIGHTED
from keras_interp.attribution.excitation._trace import ExcitationTrace

# Sixteen as in the networks of the papers, and what their lost borders take away.
COARSEST_STRIDE = 18
_NO_ACTIVATION = (layers.BatchNormalization, layers.ZeroPadding2D)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


@with_shared_arguments
def excitation_backprop(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    layer_name: str | None = None,
    batch_size: int = 32,
    resize: bool = True,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """Probability that each place of a layer wins, when the winner of all is a class.

    Winner-take-all, as a probability: the class's logit has probability 1, and each
    unit hands its own down to the units `j` that excite it, in proportion to what they
    contribute through their connection of positive weight:

        P(a_j) = sum_i  a_j max(w_ji, 0) / (sum_k a_k max(w_ki, 0))  P(a_i)

    - Convolution (any stride, dilation, groups), depthwise and separable convolution,
      dense: the formula; the bias is ignored.
    - Batch normalisation: folded into the convolution or dense layer before it, where a
      negative scale turns the signs of the connections; elsewhere it hands on.
    - Average pooling, add, average, upsampling: the formula, all weights positive.
    - Max pooling: to the largest of each window, the first of several.
    - Multiply: to the factor that is no gate, a gate being a sigmoid, a softmax or one
      number for a whole map.
    - Activation, dropout, local response normalisation, part mask: handed on.
    - Concatenate, flatten, reshape, permute, padding, cropping: back to its place.

    Activations that are negative (of GELU or of a linear bottleneck, say) are no
    evidence and count as 0. What no connection of positive weight supports is lost;
    otherwise the map of the layer sums to 1.

    Example:

    ```python
    maps = ki.attribution.excitation_backprop(model, images)
    maps = ki.attribution.excitation_backprop(model, images, 3, layer_name="fire8")
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index}
        layer_name: layer at which it ends, by name or path: one of feature maps, after
            the first convolution, or else with no negative numbers. By default the maps
            from which the coarsest convolutions start (`block4_pool` of VGG,
            `conv4_block6_out` of ResNet-50), at least a 1/18 of the image's
            resolution, such that all that follows is computed from them alone.
        batch_size: {batch_size}
        resize: {resize}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}

    Returns:
        float32 `(batch, height, width)` of the size of the images (of the layer's maps
        with `resize=False`), summed over the channels, zero or positive, not
        normalised.

    Raises:
        ValueError: if a layer between has no rule, or the model computes something
            between its layers that cannot be followed (`x + y` on tensors); if the
            layer does not put out feature maps; and
            {raises}

    Reference:
        Zhang, Lin, Brandt, Shen, Sclaroff, "Top-Down Neural Attention by Excitation
        Backprop", 2016, section 3.2.
    """
    explained = _explained(model, images, class_index, output_index, input_index)
    target = _target(explained, layer_name, call_index)
    return _maps(explained, target, False, resize, batch_size)


@with_shared_arguments
def contrastive_excitation_backprop(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    layer_name: str | None = None,
    batch_size: int = 32,
    resize: bool = True,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """Excitation backpropagation for a class, less that for its opposite.

    The opposite is a class whose connections to the last convolution or dense layer are
    negated. Its probabilities one layer down are subtracted, and the difference is
    handed further down by the same rules. What speaks for all classes alike cancels:
    the map shows what tells the class from others. Where the maps of a last convolution
    are averaged to the logits, convolution and average count as the one layer.

    Example:

    ```python
    maps = ki.attribution.contrastive_excitation_backprop(model, images, 3)
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index}
        layer_name: layer at which it ends, by name or path: one of feature maps, after
            the first convolution, or else with no negative numbers. By default the maps
            from which the coarsest convolutions start (`block4_pool` of VGG,
            `conv4_block6_out` of ResNet-50), at least a 1/18 of the image's resolution,
            such that all that follows is computed from them alone.
        batch_size: {batch_size}
        resize: {resize}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}

    Returns:
        float32 `(batch, height, width)` of the size of the images (of the layer's maps
        with `resize=False`), the positive part of the sum over the channels, not
        normalised.

    Raises:
        ValueError: if there is no layer with weights above the layer `layer_name`; if a
            layer between has no rule, or the model computes something between its
            layers that cannot be followed (`x + y` on tensors); if the layer does not
            put out feature maps; and
            {raises}

    Reference:
        Zhang, Lin, Brandt, Shen, Sclaroff, "Top-Down Neural Attention by Excitation
        Backprop", 2016, section 3.3.
    """
    explained = _explained(model, images, class_index, output_index, input_index)
    target = _target(explained, layer_name, call_index)
    return _maps(explained, target, True, resize, batch_size)


def winning_probability(
    explained: ExplainedModel,
    target: LayerCall,
    *,
    contrastive: bool = False,
    batch_size: int = 32,
) -> np.ndarray:
    """Winning probability of every unit of a layer, not summed over the channels.

    Example:

    ```python
    explained = ExplainedModel(model, images, 3, layer_name="dense_2")  # its unit 3
    target = explained.record.find_call("block4_pool")
    probability = winning_probability(explained, target)
    ```

    Args:
        explained: model, images and class, or unit of a layer, from which it starts.
        target: call of the layer at which it ends.
        contrastive: whether the opposite unit's is subtracted.
        batch_size: most images that are computed at once.

    Returns:
        float32 array of the shape of the layer's output.
    """

    def body(forward: Forward, images: Any, targets: Any) -> Any:
        return start(forward, images, targets)[0]

    start = _probability(explained, target, contrastive)
    key = ("winning_probability", target.path, target.index, contrastive)
    (probability,) = explained.compute(key, body, batch_size=batch_size)
    return probability


def _explained(
    model: Any, images: Any, class_index: Any, output_index: Any, input_index: Any
) -> ExplainedModel:
    return ExplainedModel(
        model, images, class_index, output_index=output_index, input_index=input_index
    )


def _target(
    explained: ExplainedModel, layer_name: str | None, call_index: int | None
) -> LayerCall:
    """The call of the layer at which the method ends."""
    if layer_name is None:
        return default_maps(explained)
    call = explained.record.find_call(layer_name, call_index)
    if not call.may_have_maps:
        raise ValueError(
            "Expected a layer of feature maps (batch, height, width, channels). "
            f"Received: layer_name={call.name!r}, which puts out "
            f"{call.shape or 'several tensors'}. Choose "
            f"{last_maps_behind(explained).name!r}, say."
        )
    return call


def _maps(
    explained: ExplainedModel,
    target: LayerCall,
    contrastive: bool,
    resize: bool,
    batch_size: int,
) -> np.ndarray:
    """Sum over the channels, enlarged to the image."""
    probability = _probability(explained, target, contrastive)
    check = is_input(explained, target)

    def body(forward: Forward, images: Any, targets: Any) -> list[Any]:
        winning, activation = probability(forward, images, targets)
        maps = ops.sum(winning, axis=-1, keepdims=True)
        maps = ops.relu(maps) if contrastive else maps
        if resize:
            maps = enlarged(maps, images)
        lowest = [ops.min(activation, axis=(1, 2, 3))] if check else []
        return [maps[..., 0], *lowest]

    key = ("excitation", target.path, target.index, contrastive, bool(resize))
    maps, *lowest = explained.compute(key, body, batch_size=batch_size)
    if check and np.min(lowest[0], initial=0.0) < 0:
        raise ValueError(
            "Expected a layer of activations of zero or more, which can win. Received: "
            f"layer_name={target.name!r}, which hands on the image itself, with "
            "negative numbers. Choose a layer after the first convolution."
        )
    return maps


def _probability(
    explained: ExplainedModel, target: LayerCall, contrastive: bool
) -> Callable[..., tuple[Any, Any]]:
    """Function that gives winning probability and activation of the target layer."""
    unit = explained.unit
    output = explained.record.outputs.index(explained.output)
    classes = None if unit else number_of_classes(explained.output.shape)

    def probability(forward: Forward, images: Any, targets: Any) -> tuple[Any, Any]:
        def score(zeros: Any) -> tuple[Any, Any]:
            trace = ExcitationTrace(target, unit, output, zeros)
            _, chosen = forward.scores(images, targets, trace)
            end = trace.end(contrastive)
            if unit is not None:
                units = as_channels_last(end, unit.layout)
                scores, _ = filter_scores(units, chosen)
            else:
                scores, _ = class_scores(ops.reshape(end, (-1, classes)), chosen)
            return ops.sum(scores), trace.activation

        sizes = (ops.shape(images)[0], *(target.shape or ())[1:])
        _, activation, winning = value_and_gradient(score, ops.zeros(sizes, "float32"))
        layout = target.layout
        return as_channels_last(winning, layout), as_channels_last(activation, layout)

    return probability


def is_input(explained: ExplainedModel, target: LayerCall) -> bool:
    """Whether no layer with weights is called before the target layer's output."""
    calls = explained.record.calls
    before = calls[: calls.index(target) + 1]
    return not any(isinstance(call.operation(), WEIGHTED) for call in before)


def default_maps(explained: ExplainedModel) -> LayerCall:
    """The maps from which the coarsest convolutions start.

    Args:
        explained: the model, one of its outputs, and images.

    Returns:
        The last call before the first convolution of the coarsest resolution whose maps
        are a bottleneck and have at least 1 / `COARSEST_STRIDE` of the image's
        resolution; where there is none, the last such call that has a layer with
        weights after it; failing that, the last call with maps that the explained
        output depends on.
    """
    record, size = explained.record, explained.inputs.images.shape[1:3]
    calls = record.calls
    fine = [
        position
        for position in record.bottlenecks
        if is_activation(calls[position]) and _is_fine(calls[position], size)
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


def is_activation(call: LayerCall) -> bool:
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
