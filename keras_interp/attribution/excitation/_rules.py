"""The rules of excitation backpropagation: which layer has which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import layers, ops

from keras_interp._backend import vector_jacobian_product
from keras_interp._network.calls import ACTIVATIONS, is_rectifier
from keras_interp.layers import InterpretableMask, PartMask
from keras_interp.models import LocalResponseNormalization

# Below this a sum of evidence counts as zero, and nothing is divided by it.
TINY = 1e-30

WEIGHTED = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.Dense,
)
# What each layer does with the winning probability of its output.
LAYERS: dict[str, tuple[type, ...]] = {
    "weighted": WEIGHTED,
    "normalized": (layers.BatchNormalization,),
    "added": (layers.Add,),
    "gated": (layers.Multiply,),
    "shared": (
        layers.Average,
        layers.AveragePooling2D,
        layers.GlobalAveragePooling2D,
        layers.UpSampling2D,
    ),
    "routed": (
        layers.Concatenate,
        layers.Cropping2D,
        layers.Flatten,
        layers.GlobalMaxPooling2D,
        layers.MaxPooling2D,
        layers.Permute,
        layers.Reshape,
        layers.ZeroPadding2D,
    ),
    "passed": (
        layers.Activation,
        layers.ActivityRegularization,
        layers.Dropout,
        layers.ELU,
        layers.GaussianDropout,
        layers.GaussianNoise,
        layers.Identity,
        layers.LeakyReLU,
        layers.PReLU,
        layers.ReLU,
        layers.Softmax,
        layers.SpatialDropout2D,
        InterpretableMask,
        LocalResponseNormalization,
        PartMask,
    ),
}
# The same for operations of a functional graph, `ops.add` say, by class name.
OPERATIONS = {
    "Add": "added",
    "Multiply": "gated",
    "AveragePool": "shared",
    "Mean": "shared",
    "Sum": "shared",
    "Concatenate": "routed",
    "ExpandDims": "routed",
    "GetItem": "routed",
    "Max": "routed",
    "MaxPool": "routed",
    "Pad": "routed",
    "Ravel": "routed",
    "Reshape": "routed",
    "Squeeze": "routed",
    "Transpose": "routed",
    "Cast": "passed",
    "Identity": "passed",
}
# And for functions that a model calls on tensors.
FUNCTIONS = {
    "add": "added",
    "concatenate": "routed",
    "expand_dims": "routed",
    "reshape": "routed",
    "squeeze": "routed",
    "cast": "passed",
}
# Weights that are numbers of one scale for each unit, which the formula cancels. Those
# of four bits have scales for groups of inputs.
KNOWN_MODES = (None, "int8", "float8")
# Activations between 0 and 1, with which a model multiplies to switch something off.
GATES = ("hard_sigmoid", "sigmoid", "softmax")


def quantization(operation: Any) -> str | None:
    """How the weights of a layer are quantised, `None` where they are not."""
    return getattr(operation, "quantization_mode", None)


def rule_of_operation(operation: Any) -> str | None:
    """Name of the rule of a layer or of an operation of a graph.

    A user's subclass with a `call` of its own computes something else and has none.

    Args:
        operation: the layer or operation.

    Returns:
        A key of `LAYERS`, or `None`.
    """
    if not isinstance(operation, layers.Layer):
        name = type(operation).__name__
        known = _plain(name) in map(_plain, ACTIVATIONS)
        return "passed" if known else OPERATIONS.get(name)
    for rule, kinds in LAYERS.items():
        if isinstance(operation, kinds):
            own = all(_is_ours(operation, m) for m in ("call", "convolution_op"))
            return rule if own and quantization(operation) in KNOWN_MODES else None
    return None


def rule_of_function(name: str, args: Any, kwargs: Any) -> str | None:
    """Name of the rule of a function that a model calls, or `None`."""
    if name in ACTIVATIONS or is_rectifier(name, args, kwargs):
        return "passed"
    return FUNCTIONS.get(name)


def layers_with_a_rule() -> str:
    """Their class names, for a message."""
    return ", ".join(
        sorted(kind.__name__ for kinds in LAYERS.values() for kind in kinds)
    )


def is_gate(operation: Any) -> bool:
    """Whether a layer, an operation or a function of this name ends in a gate."""
    activation = getattr(operation, "activation", operation)
    name = operation if isinstance(operation, str) else ""
    name = name or getattr(activation, "__name__", type(activation).__name__)
    return _plain(name) in map(_plain, GATES)


def is_average(operation: Any, output: Any) -> bool:
    """Whether a layer or operation takes the mean over all places of its maps."""
    if isinstance(operation, layers.GlobalAveragePooling2D):
        return True
    if isinstance(operation, layers.AveragePooling2D):
        return tuple(output.shape[1:3]) == (1, 1)
    axis = getattr(operation, "axis", None)
    return type(operation).__name__ == "Mean" and tuple(axis or ()) == (1, 2)


def shared_in_proportion(
    function: Callable[..., Any], inputs: Sequence[Any], upstream: Any
) -> list[Any]:
    """Share the winning probability among inputs in proportion to what they contribute.

    With the linear `function` of positive weights `w_ij` and `x = max(inputs, 0)`, the
    part of input `j` is `sum_i p_i x_j w_ij / sum_k x_k w_ik`. Where nothing
    contributes to an output, its probability goes nowhere.

    Args:
        function: takes tensors, gives one; linear, with weights that are not negative.
        inputs: tensors.
        upstream: winning probability `p` of the output.

    Returns:
        Winning probability of each input.
    """
    evidence = [ops.relu(tensor) for tensor in inputs]

    def ratio(total: Any) -> Any:
        some = total > TINY
        return ops.where(some, upstream / ops.where(some, total, 1.0), 0.0)

    slopes = vector_jacobian_product(function, evidence, ratio)
    return [part * slope for part, slope in zip(evidence, slopes, strict=True)]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _is_ours(operation: Any, method: str) -> bool:
    """Whether a method is Keras's or this package's, and not overridden by a user."""
    for kind in type(operation).__mro__:
        if method in vars(kind):
            return kind.__module__.split(".")[0] in ("keras", "keras_interp")
    return True
