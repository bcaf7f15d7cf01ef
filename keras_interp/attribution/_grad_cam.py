"""Where the feature maps of a layer speak for a class: Grad-CAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.call_record import LayerCall
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward, activation_and_gradient
from keras_interp._network.output_dependence import last_maps_behind
from keras_interp.attribution._shared_arguments import with_shared_arguments


@with_shared_arguments
def grad_cam(
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
    """Feature maps of a layer, weighted by the mean gradient of the class score.

    `map = max(0, sum_k a_k A_k)` with `a_k` the mean over the positions of the gradient
    of the score with respect to feature map `A_k`.

    Example:

    ```python
    maps = ki.attribution.grad_cam(model, images)
    maps = ki.attribution.grad_cam(model, images, 3, layer_name="backbone/conv5")
    cells = ki.attribution.grad_cam(model, images, resize=False)  # (batch, 7, 7), say
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index}
        layer_name: layer whose feature maps are taken, by name or path, wherever it is
            in the model. By default the last call of a layer that puts out feature maps
            of more than one cell and that the explained output depends on. A named
            layer that it does not depend on has maps of zeros.
        batch_size: {batch_size}
        resize: {resize}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}

    Returns:
        float32 `(batch, height, width)` of the size of the images (of the layer's maps
        with `resize=False`), zero or positive, not normalised.

    Raises:
        ValueError: if the layer does not put out feature maps; and
            {raises}

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
        Gradient-based Localization", 2017, equations 1 and 2.
    """
    explained = ExplainedModel(
        model,
        images,
        class_index,
        output_index=output_index,
        input_index=input_index,
    )
    if layer_name is None:
        call = last_maps_behind(explained)
    else:
        call = explained.find_call(layer_name, call_index)
    if not call.may_have_maps:
        raise ValueError(
            "Expected a layer of feature maps (batch, height, width, channels). "
            f"Received: layer_name={call.name!r}, which puts out "
            f"{call.shape or 'several tensors'}. Choose "
            f"{last_maps_behind(explained).name!r}, say."
        )
    key = ("grad_cam", call.path, call.index, bool(resize))
    (maps,) = explained.compute(key, _body_for(call, resize), batch_size=batch_size)
    return maps


def _body_for(call: LayerCall, resize: bool) -> Callable[..., Any]:
    def body(forward: Forward, images: Any, targets: Any) -> Any:
        activation, slope = activation_and_gradient(forward, call, images, targets)
        activation = ops.cast(activation, "float32")
        weights = ops.mean(ops.cast(slope, "float32"), axis=(1, 2), keepdims=True)
        maps = ops.relu(ops.sum(weights * activation, axis=-1, keepdims=True))
        return (enlarged(maps, images) if resize else maps)[..., 0]

    return body


def enlarged(maps: Any, images: Any) -> Any:
    """Maps `(batch, rows, columns, 1)`, bilinearly in the size of the images."""
    size = tuple(images.shape[1:3])
    return ops.image.resize(maps, size, "bilinear", data_format="channels_last")
