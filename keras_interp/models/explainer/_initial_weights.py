"""The weights that an explainer starts from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.opened_graph import OpenedCall
from keras_interp.models.explainer._plan import PerformerPlan

# Noise on the identity kernel, as a share of the usual initialisation: filters that
# start alike must be able to part.
IDENTITY_NOISE = 0.05


def set_initial_weights(
    model: keras.Model, plan: PerformerPlan, initialization: str
) -> None:
    """Copy what the performer knows into a new explainer.

    conv-interp-1 gets the weights of the performer's convolution above the target
    layer, the decoder those of its dense layers. With `"identity"` conv-interp-2 starts
    as the identity and conv-ordinary as the same convolution; with `"paper"` both stay
    random.
    """
    first = model.get_layer("conv_interp_1")
    convolution = convolution_above(plan)
    copied = _convolution_weights(convolution, plan)
    fits = copied is not None and copied[0].shape == tuple(first.kernel.shape)
    if fits and copied is not None:
        first.set_weights(list(copied))
    elif _is_square(first):
        _set_identity(first)
    if initialization == "identity":
        _set_identity(model.get_layer("conv_interp_2"))
        if fits and copied is not None:
            model.get_layer("conv_ordinary").set_weights(list(copied))
        elif _is_square(model.get_layer("conv_ordinary")):
            _set_identity(model.get_layer("conv_ordinary"))
    for number, dense in enumerate(plan.dense, 1):
        _set_dense(model.get_layer(f"fc_dec_{number}"), dense, plan)


def convolution_above(plan: PerformerPlan) -> OpenedCall | None:
    """The performer's first convolution above the target layer; None without one."""
    for call in plan.graph.after(plan.target.outputs):
        if type(call.operation) is keras.layers.Conv2D:
            return call
    return None


def _convolution_weights(
    call: OpenedCall | None, plan: PerformerPlan
) -> tuple[np.ndarray, np.ndarray] | None:
    """Kernel without groups and bias, a batch norm that follows folded in."""
    if call is None:
        return None
    layer = call.operation
    one = (1, 1)
    if tuple(layer.strides) != one or tuple(layer.dilation_rate) != one:
        return None
    kernel = _numpy(layer.kernel)
    bias = _numpy(layer.bias) if layer.use_bias else np.zeros(layer.filters, "float32")
    return _folded(_without_groups(kernel, layer.groups), bias, call, plan)


def _without_groups(kernel: np.ndarray, groups: int) -> np.ndarray:
    """The kernel on all channels that is zero outside each filter's group."""
    height, width, channels, filters = kernel.shape
    whole = np.zeros((height, width, channels * groups, filters), kernel.dtype)
    each = filters // groups
    for group in range(groups):
        rows = slice(group * channels, (group + 1) * channels)
        columns = slice(group * each, (group + 1) * each)
        whole[:, :, rows, columns] = kernel[..., columns]
    return whole


def _folded(
    kernel: np.ndarray, bias: np.ndarray, call: OpenedCall, plan: PerformerPlan
) -> tuple[np.ndarray, np.ndarray]:
    """Weights that do what a layer and the batch norm right above it do."""
    given = call.outputs[0]
    takers = [c for c in plan.graph.calls if any(t is given for t in c.inputs)]
    norm = takers[0].operation if len(takers) == 1 else None
    between = call.operation.activation is not keras.activations.linear
    if between or not isinstance(norm, keras.layers.BatchNormalization):
        return kernel, bias
    scale = 1.0 / np.sqrt(_numpy(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale = scale * _numpy(norm.gamma)
    shift = _numpy(norm.beta) if norm.center else 0.0
    return kernel * scale, (bias - _numpy(norm.moving_mean)) * scale + shift


def _is_square(layer: Any) -> bool:
    return bool(layer.kernel.shape[-2] == layer.kernel.shape[-1])


def _set_identity(layer: Any) -> None:
    """Hands its input on, but for some noise."""
    kernel = _numpy(layer.kernel) * IDENTITY_NOISE
    height, width, channels, _ = kernel.shape
    kernel[height // 2, width // 2] += np.eye(channels, dtype=kernel.dtype)
    layer.set_weights([kernel, np.zeros(channels, kernel.dtype)])


def _set_dense(layer: Any, dense: OpenedCall | None, plan: PerformerPlan) -> None:
    rows, columns = layer.kernel.shape
    if dense is None:
        if rows == columns:
            layer.set_weights([np.eye(rows, dtype="float32"), np.zeros(rows)])
        return
    kernel = dense_kernel(dense.operation)
    bias = (
        _numpy(dense.operation.bias) if dense.operation.use_bias else np.zeros(columns)
    )
    if kernel.ndim == 4:
        # A 1x1 convolution; its maps' mean is that of its input, zeros around it too.
        kernel = kernel[0, 0] * _share_of_maps(dense, plan)
    if kernel.shape == (rows, columns):
        layer.set_weights(list(_folded(kernel, bias, dense, plan)))


def dense_kernel(layer: Any) -> np.ndarray:
    """The kernel that a dense layer computes with, quantised or not.

    Raises:
        ValueError: If its quantised numbers cannot be told.
    """
    kernel = _numpy(layer.kernel)
    mode = getattr(layer, "quantization_mode", None)
    if mode == "int8":
        return kernel / _numpy(layer.kernel_scale)
    if mode in (None, "float8"):
        return kernel
    raise ValueError(
        "Expected a performer whose dense layers have weights that can be copied, as "
        f"they are or quantised to 'int8'. Received: {layer.name!r} quantised to "
        f"{mode!r}. Explain the network first and quantise it afterwards."
    )


def _share_of_maps(convolution: OpenedCall, plan: PerformerPlan) -> float:
    """Cells that a convolution takes and that are not padded, as a share."""
    padding = plan.graph.producer(convolution.inputs[0])
    if padding is None or not isinstance(padding.operation, keras.layers.ZeroPadding2D):
        return 1.0
    before, after = padding.inputs[0].shape, padding.outputs[0].shape
    return float(np.prod(before[1:3]) / np.prod(after[1:3]))


def _numpy(variable: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(ops.cast(variable, "float32")))
