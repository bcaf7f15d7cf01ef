"""One call of a convolution or dense layer, as the linear map that it is."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_interp.attribution.excitation._rules import is_gate, shared_in_proportion


class WeightedCall:
    """Hands the winning probability of a layer's output to its inputs.

    The connections of positive weight share it in proportion to what they contribute;
    the bias is ignored. A batch normalisation after the layer scales each filter by
    `gamma / sigma`; the scale itself cancels, and its sign is that of the connections.

    Example:

    ```python
    call = WeightedCall(layer)
    (probability_of_inputs,) = call.rule([inputs], probability_of_outputs)
    ```

    Args:
        layer: `Conv2D`, `DepthwiseConv2D`, `SeparableConv2D` or `Dense`.
        normalization: `BatchNormalization` between the layer and its activation.

    Attributes:
        contrast: whether what the connections of negative weight would hand down is
            subtracted.
        averaged: whether the output is averaged over all places, and nothing else,
            before it is explained. The average is then part of the contrasted layer:
            place by place, what is subtracted would leave nothing in the sum over the
            channels.
    """

    def __init__(self, layer: Any, normalization: Any = None):
        # A rule is kept with the compiled function and must not hold the model.
        self._layer: Callable[[], Any] = weakref.ref(layer)
        self._normalization: Callable[[], Any] | None = None
        if normalization is not None:
            self._normalization = weakref.ref(normalization)
        self.contrast = False
        self.averaged = False

    @property
    def ends_in_gate(self) -> bool:
        """Whether the layer's activation lies between 0 and 1."""
        return is_gate(self._layer())

    def with_normalization(self, normalization: Any, rank: int) -> WeightedCall | None:
        """The layer and a batch normalisation as one call.

        Args:
            normalization: the `BatchNormalization` layer.
            rank: number of axes of the layer's output.

        Returns:
            The call, or `None` where the layer has an activation of its own or the
            normalisation has no scale for each filter.
        """
        layer = self._layer()
        if getattr(normalization, "gamma", None) is None or self._normalization:
            return None
        if layer.activation not in (None, keras.activations.linear):
            return None
        first = getattr(layer, "data_format", None) == "channels_first"
        if normalization.axis % rank != (1 if first else rank - 1):
            return None
        return WeightedCall(layer, normalization)

    def rule(self, inputs: list[Any], upstream: Any) -> list[Any]:
        """The winning probability of the inputs.

        Args:
            inputs: one float32 tensor, what the layer was called with.
            upstream: winning probability of its output.

        Returns:
            One tensor of the shape of the input.
        """
        kernel = self._kernel()
        if not self.contrast:
            return self._handed_down(ops.relu(kernel), inputs, upstream)
        (excited,) = self._handed_down(ops.relu(kernel), inputs, upstream)
        (inhibited,) = self._handed_down(ops.relu(-kernel), inputs, upstream)
        return [excited - inhibited]

    def _handed_down(self, kernel: Any, inputs: list[Any], upstream: Any) -> list[Any]:
        """What the connections of a kernel without negative weights hand down."""
        together = self.contrast and self.averaged
        if together:
            upstream = self._over_places(upstream)

        def linear(tensor: Any) -> Any:
            output = self._linear(tensor, kernel)
            return self._over_places(output) if together else output

        return shared_in_proportion(linear, inputs, upstream)

    def _over_places(self, maps: Any) -> Any:
        first = getattr(self._layer(), "data_format", None) == "channels_first"
        return ops.sum(maps, axis=(2, 3) if first else (1, 2))

    def _kernel(self) -> Any:
        """float32 weights with the sign that a batch normalisation gives them."""
        layer = self._layer()
        if isinstance(layer, layers.SeparableConv2D):
            kernel = _full_kernel(layer)
        else:
            kernel = ops.cast(layer.kernel, "float32")
        if self._normalization is None:
            return kernel
        sign = ops.sign(ops.cast(self._normalization().gamma, "float32"))
        if isinstance(layer, layers.DepthwiseConv2D):
            sign = ops.reshape(sign, kernel.shape[2:])
        return kernel * sign

    def _linear(self, tensor: Any, kernel: Any) -> Any:
        layer = self._layer()
        if isinstance(layer, layers.Dense):
            return ops.matmul(tensor, kernel)
        if isinstance(layer, layers.Conv2D):
            return layer.convolution_op(tensor, kernel)
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        return (ops.depthwise_conv if depthwise else ops.conv)(
            tensor,
            kernel,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format=layer.data_format,
        )


def _full_kernel(layer: Any) -> Any:
    """The kernel of the one convolution that a separable convolution amounts to."""
    depthwise = ops.cast(layer.depthwise_kernel, "float32")
    pointwise = ops.cast(layer.pointwise_kernel, "float32")
    channels, multiplier = depthwise.shape[2:]
    pointwise = ops.reshape(pointwise, (channels, multiplier, -1))
    return ops.einsum("hwcm,cmf->hwcf", depthwise, pointwise)
