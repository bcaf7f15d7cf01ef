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


def grad_cam(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """Feature maps of a layer, weighted by the mean gradient of the class score.

    `map = max(0, sum_k a_k A_k)` with `a_k` the mean over the positions of the gradient
    of the score with respect to feature map `A_k`; enlarged bilinearly to the picture.

    Example:

    ```python
    maps = ki.attribution.grad_cam(model, images)
    maps = ki.attribution.grad_cam(model, images, 3, layer_name="backbone/conv5")
    ```

    Args:
        model: as for `keras_interp.attribution.gradient`.
        images: likewise.
        class_index: likewise.
        layer_name: layer whose feature maps are taken, by name or path, wherever it is
            in the model. By default the last call of a layer that puts out feature maps
            of more than one cell and that the explained output depends on. A named
            layer that it does not depend on has maps of zeros.
        batch_size: likewise.
        call_index: which call of the layer, where it is called several times.
        output_index: likewise.
        input_index: likewise.

    Returns:
        float32 `(batch, height, width)` of the picture's size, zero or positive, not
        normalised.

    Raises:
        ValueError: if the layer does not put out feature maps, and as for
            `keras_interp.attribution.gradient`.

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
    if call.shape is None or len(call.shape) != 4:
        raise ValueError(
            "Grad-CAM needs a layer of feature maps (batch, height, width, channels); "
            f"{call.name!r} puts out {call.shape or 'several tensors'}. "
            f"{last_maps_behind(explained).name!r}, say, has them."
        )
    key = ("grad_cam", call.path, call.index)
    (maps,) = explained.compute(key, _body_for(call), batch_size=batch_size)
    return maps


def _body_for(call: LayerCall) -> Callable[..., Any]:
    def body(forward: Forward, pictures: Any, targets: Any) -> Any:
        activation, slope = activation_and_gradient(forward, call, pictures, targets)
        activation = ops.cast(activation, "float32")
        weights = ops.mean(ops.cast(slope, "float32"), axis=(1, 2), keepdims=True)
        maps = ops.relu(ops.sum(weights * activation, axis=-1, keepdims=True))
        size = tuple(pictures.shape[1:3])
        return ops.image.resize(maps, size, "bilinear", data_format="channels_last")[
            ..., 0
        ]

    return body
