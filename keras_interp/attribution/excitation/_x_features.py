"""Where the x-features of an explanation module look, and where single units do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_interp._backend import value_and_gradient
from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import ReplacedCall
from keras_interp._network.explained_model import ExplainedModel, Forward
from keras_interp._network.map_layouts import as_channels_last
from keras_interp.attribution._grad_cam import enlarged
from keras_interp.attribution._shared_arguments import with_shared_arguments
from keras_interp.attribution.excitation._backprop import (
    default_maps,
    is_activation,
    is_input,
)
from keras_interp.attribution.excitation._rules import TINY
from keras_interp.attribution.excitation._trace import ExcitationTrace

if TYPE_CHECKING:
    from keras_interp.models import ExplanationModule

# Share of the positive contribution that significant x-features make.
COVERED = 0.9
# Images whose signals at the features are held at once.
IMAGES_AT_ONCE = 256
UNITS_AT_ONCE = 16


@dataclasses.dataclass(frozen=True)
class XFeatureMaps:
    """Result of `x_feature_maps`.

    Attributes:
        maps: float32 `(N, x-features, height, width)`, where each x-feature looks; zero
            or positive, not normalised, all zero where it is 0 in the image.
        weights: float32 `(N, x-features)`, what each adds to the logit, `v_n E_n`.
        x_features: float32 `(N, x-features)`, E.
        significant: bool `(N, x-features)`, the fewest x-features that make 90 % of the
            positive contribution.
        logits: float32 `(N,)`, what the network says.
        approximated: float32 `(N,)`, what the module makes of it.
        class_index: the explained class.
        target_layer: path of the layer at which the maps end.
    """

    maps: np.ndarray
    weights: np.ndarray
    x_features: np.ndarray
    significant: np.ndarray
    logits: np.ndarray
    approximated: np.ndarray
    class_index: int
    target_layer: str


@with_shared_arguments
def x_feature_maps(
    module: ExplanationModule,
    images: Any,
    layer_name: str | None = None,
    class_index: int | None = None,
    *,
    contrastive: bool = True,
    resize: bool = False,
    batch_size: int = 32,
) -> XFeatureMaps:
    """Where in images each x-feature of an explanation module looks.

    Excitation backpropagation from one x-feature at a time: through the module's
    encoder to the features Z that it explains, and on through the network. It is
    contrastive in the x-feature's own dense layer, where the probabilities of a dual
    unit of opposite weights are subtracted.

    Example:

    ```python
    found = ki.attribution.x_feature_maps(module, images, "relu5_2")
    print(found.maps.shape, found.weights[0], found.significant[0])
    ```

    Args:
        module: a trained `keras_interp.models.ExplanationModule`.
        images: {images}
        layer_name: name or path of the layer at which the maps end, below the one that
            is explained; one that hands on the image, such as `Identity`, where images
            have no negative numbers. By default the maps from which the coarsest
            convolutions start.
        class_index: which of the module's classes, where it has several.
        contrastive: whether the dual unit is subtracted. Defaults to True.
        resize: whether the maps are enlarged bilinearly to the size of the images.
            False (default) gives those of the layer, which are many times smaller.
        batch_size: {batch_of_copies}

    Returns:
        `XFeatureMaps`.

    Raises:
        ValueError: if the module does not explain the class, the layer is not below the
            explained one, a layer between has no rule; and
            {raises}

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, section 2;
        Zhang et al., "Top-Down Neural Attention by Excitation Backprop", 2016.
    """
    number = _number_of(module, class_index)
    features, logits = module.features(images, batch_size)
    network, output = module.performer, module.output_index
    explained = ExplainedModel(network, images, 0, output_index=output)
    unit = explained.find_call(module.layer_name)
    target = _target(explained, unit, layer_name)
    arrays = explained.inputs.images
    maps = []
    for start in range(0, len(features), IMAGES_AT_ONCE):
        rows = slice(start, start + IMAGES_AT_ONCE)
        seeds = _signals_at_features(module, features[rows], number, contrastive)
        part = ExplainedModel(network, arrays[rows], 0, output_index=output)
        maps.append(_maps(part, unit, target, seeds, contrastive, resize, batch_size))
    if not logits.ndim == 1:
        logits = logits[:, number]
    several = len(features), len(module.classes), -1
    x_features = module.x_features(features).reshape(several)[:, number]
    weights = module.contributions(features).reshape(several)[:, number]
    return XFeatureMaps(
        maps=np.concatenate(maps),
        weights=weights,
        x_features=x_features,
        significant=_significant(weights),
        logits=logits,
        approximated=module.predict(features).reshape(several)[:, number, 0],
        class_index=module.classes[number],
        target_layer=target.name,
    )


@with_shared_arguments
def unit_maps(
    model: Any,
    images: Any,
    unit_layer: str,
    units: Sequence[int] | None = None,
    *,
    layer_name: str | None = None,
    resize: bool = False,
    batch_size: int = 32,
) -> np.ndarray:
    """Where in images each unit of a layer looks, by excitation backpropagation.

    Example:

    ```python
    maps = ki.attribution.unit_maps(model, images, "fc6", units=range(4))
    ```

    Args:
        model: {model}
        images: {images}
        unit_layer: layer of the units, of zero or more, as after a ReLU. Maps are
            counted flattened.
        units: which units, numbered from 0. None (default) is all of them.
        layer_name: name or path of the layer at which the maps end, below the units.
            By default the maps from which the coarsest convolutions start.
        resize: whether the maps are enlarged bilinearly to the size of the images.
            False (default) gives those of the layer, which are many times smaller.
        batch_size: {batch_of_copies}

    Returns:
        float32 `(N, units, height, width)`, zero or positive, not normalised; all zero
        where a unit is 0 in the image.

    Raises:
        ValueError: if a unit does not exist or the layer is not below the units, a
            layer between has no rule; and
            {raises}

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, section 3,
        the row Z of table 1.
    """
    explained = ExplainedModel(model, images, 0)
    unit = explained.find_call(unit_layer)
    count = math.prod(n or 0 for n in (unit.shape or (None,))[1:])
    wanted = np.asarray(range(count) if units is None else list(units))
    whole = wanted.ndim == 1 and len(wanted) and wanted.dtype.kind in "iu"
    if not whole or wanted.min() < 0 or wanted.max() >= count:
        raise ValueError(
            f"Expected units from 0 to {count - 1}, those of layer {unit.name!r}. "
            f"Received: units={units!r}. Number the units from 0."
        )
    target = _target(explained, unit, layer_name)
    maps = []
    for start in range(0, len(wanted), UNITS_AT_ONCE):
        one_hot = np.eye(count, dtype="float32")[wanted[start : start + UNITS_AT_ONCE]]
        seeds = np.broadcast_to(one_hot, (len(explained.inputs), *one_hot.shape))
        maps.append(_maps(explained, unit, target, seeds, False, resize, batch_size))
    return np.concatenate(maps, axis=1)


def _number_of(module: ExplanationModule, class_index: int | None) -> int:
    classes = module.classes
    if class_index is None and len(classes) == 1:
        return 0
    if class_index not in classes:
        raise ValueError(
            f"Expected class_index as one of the module's classes {list(classes)}. "
            f"Received: class_index={class_index!r}. Choose one of them."
        )
    return classes.index(class_index)


def _target(
    explained: ExplainedModel, unit: LayerCall, layer_name: str | None
) -> LayerCall:
    """The call at which the maps end, below the units."""
    record = explained.record
    calls = record.calls
    place = calls.index(record.find_call(unit.name))
    if layer_name is not None:
        call = record.find_call(layer_name)
        if not call.may_have_maps or calls.index(call) >= place:
            raise ValueError(
                "Expected a layer of feature maps (batch, height, width, channels) "
                f"below layer {unit.name!r}. Received: layer_name={call.name!r}. "
                "Choose one of the layers that it is computed from."
            )
        return call
    usual = default_maps(explained)
    if calls.index(usual) < place:
        return usual
    below = [
        calls[position]
        for position in record.bottlenecks
        if position < place
        and calls[position].has_maps
        and is_activation(calls[position])
    ]
    if not below:
        raise ValueError(
            f"Expected feature maps below layer {unit.name!r}. Received: a model with "
            "none through which everything goes. Choose one with layer_name=."
        )
    return below[-1]


def _signals_at_features(
    module: ExplanationModule, features: np.ndarray, number: int, contrastive: bool
) -> np.ndarray:
    """Winning probability of the features, `(N, x-features, features)`.

    Methods as published: one-hot at the x-feature, contrast in its own layer, the
    ordinary rule in the layers below.
    """
    block = module.srae
    activations = [
        ops.cast(layer[0], "float32")
        for layer in block.encoder_activations(module.scaled(features), number)
    ]
    count = block.num_features
    kernels = [ops.cast(k[number], "float32") for k in block.encoder_kernels]
    # Rows are images and x-features: each image comes once for each x-feature.
    activations = [ops.repeat(layer, count, axis=0) for layer in activations]
    one_hot = ops.tile(ops.eye(count, dtype="float32"), (len(features), 1))
    # One that is 0 says nothing and looks nowhere.
    signal = one_hot * ops.cast(activations[-1] > 0, "float32")
    last = len(kernels) - 1
    for layer in range(last, -1, -1):
        handed = _handed_down(kernels[layer], activations[layer], signal)
        if layer == last and contrastive:
            handed = handed - _handed_down(-kernels[layer], activations[layer], signal)
        signal = handed
    found = np.asarray(ops.convert_to_numpy(signal), "float32")
    return found.reshape(len(features), count, -1)


def _handed_down(kernel: Any, inputs: Any, signal: Any) -> Any:
    """What a dense layer's connections of positive weight hand down."""
    positive = ops.relu(kernel)
    total = ops.matmul(inputs, positive)
    some = total > TINY
    ratio = ops.where(some, signal / ops.where(some, total, 1.0), 0.0)
    return inputs * ops.matmul(ratio, ops.transpose(positive))


def _maps(
    explained: ExplainedModel,
    unit: LayerCall,
    target: LayerCall,
    seeds: np.ndarray,
    contrastive: bool,
    resize: bool,
    batch_size: int,
) -> np.ndarray:
    """Maps of several signals at the units of each image, `(N, signals, h, w)`."""
    times = seeds.shape[1]
    winning = _winning(explained, unit, target, times)
    check = is_input(explained, target)

    def body(forward: Forward, images: Any, _: Any, signals: Any) -> list[Any]:
        found, activation = winning(forward, images, signals)
        maps = ops.sum(found, axis=-1, keepdims=True)
        maps = ops.relu(maps) if contrastive else maps
        maps = enlarged(maps, images) if resize else maps
        maps = ops.reshape(maps, (-1, times, *maps.shape[1:3]))
        lowest = ops.min(activation, axis=(1, 2, 3))
        return [maps, ops.reshape(lowest, (-1, times))]

    key = ("signals", unit.path, unit.index, target.path, target.index)
    maps, lowest = explained.compute(
        (*key, contrastive, resize),
        body,
        np.ascontiguousarray(seeds),
        batch_size=max(1, batch_size // times),
    )
    if check and np.min(lowest, initial=0.0) < 0:
        raise ValueError(
            "Expected a layer of activations of zero or more, which can win. Received: "
            f"layer_name={target.name!r}, which hands on the image itself, with "
            "negative numbers. Choose a layer after the first convolution."
        )
    return maps


def _winning(
    explained: ExplainedModel, unit: LayerCall, target: LayerCall, times: int
) -> Callable[..., tuple[Any, Any]]:
    """Function that hands signals at the units down to the target layer."""
    record = explained.record
    # What lies below the target is the same for all signals of an image, and computed
    # once where nothing but the target's output goes on.
    position = record.calls.index(target)
    whole = position not in record.bottlenecks

    def repeated(call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return ops.repeat(call(*args, **kwargs), times, axis=0)

    def winning(forward: Forward, images: Any, signals: Any) -> tuple[Any, Any]:
        signals = ops.reshape(signals, (-1, signals.shape[-1]))
        if whole:
            forward, images = forward.repeated(times), ops.repeat(images, times, axis=0)

        def score(zeros: Any) -> tuple[Any, Any]:
            trace = ExcitationTrace(target, unit, 0, zeros)
            copies = ReplacedCall(target.operation(), repeated, target.index)
            forward.outputs(images, *([] if whole else [copies]), trace)
            end = ops.reshape(trace.end(), (-1, signals.shape[-1]))
            # A unit that is 0 says nothing and looks nowhere.
            firing = ops.cast(ops.stop_gradient(end) > 0, "float32")
            return ops.sum(end * signals * firing), trace.activation

        sizes = (ops.shape(signals)[0], *(target.shape or ())[1:])
        _, activation, found = value_and_gradient(score, ops.zeros(sizes, "float32"))
        layout = target.layout
        return as_channels_last(found, layout), as_channels_last(activation, layout)

    return winning


def _significant(weights: np.ndarray) -> np.ndarray:
    """The fewest x-features of each image that make 90 % of what speaks for it."""
    positive = np.maximum(weights, 0.0)
    order = np.argsort(-positive, axis=1, kind="stable")
    ordered = np.take_along_axis(positive, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    wanted = COVERED * positive.sum(axis=1, keepdims=True)
    kept = (before < wanted * (1 - 1e-6)) & (ordered > 0)
    found = np.zeros(weights.shape, bool)
    np.put_along_axis(found, order, kept, axis=1)
    return found
