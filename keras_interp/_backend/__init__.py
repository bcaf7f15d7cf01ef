"""The only file that names TensorFlow, JAX or torch."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

# Takes tensors, gives tensors.
TensorFunction = Callable[..., Sequence[Any]]
# Gives Keras variables, so that nobody has to hold their model.
Variables = Callable[[], list[Any]]
# From the inputs, the output and the signal above it to the signal for each input.
BackwardRule = Callable[[list[Any], Any, Any], Sequence[Any]]
# Names that a backend's own activation functions have, in whichever module.
ACTIVATION_NAMES = (
    "celu elu gelu glu hard_sigmoid hard_silu hard_swish hardsigmoid hardswish "
    "leaky_relu log_sigmoid log_softmax logsigmoid mish relu relu6 selu sigmoid silu "
    "softmax softplus softsign swish tanh"
).split()


def gradient(function: Callable[[Any], Any], inputs: Any) -> np.ndarray:
    """Gradient of a scalar-valued function at a tensor.

    Args:
        function: Takes a tensor of the active Keras backend, gives a scalar tensor.
        inputs: Array or tensor.

    Returns:
        Array of the shape of `inputs`.
    """
    inputs = ops.convert_to_tensor(inputs)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(inputs)
        slope = tape.gradient(value, inputs, unconnected_gradients="zero")
    else:
        slope = value_and_gradient(lambda x: (function(x), ()), inputs)[2]
    return ops.convert_to_numpy(slope)


def batches_of_arrays(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> Any:
    """A `tf.data.Dataset` of (float32 images, int32 labels) batches of two arrays."""
    import tensorflow as tf

    with tf.device("CPU"):
        all_images = tf.convert_to_tensor(images)
        all_labels = tf.convert_to_tensor(labels, tf.int32)
    # Positions are shuffled, not pictures: no buffer of pictures is needed.
    positions = tf.data.Dataset.range(len(images))
    if shuffle:
        positions = positions.shuffle(max(1, len(images)), seed=seed)

    def gather(rows: Any) -> tuple[Any, Any]:
        pictures = tf.cast(tf.gather(all_images, rows), tf.float32)
        return pictures, tf.gather(all_labels, rows)

    batches = positions.batch(batch_size).map(gather, tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """Shape, `None` for an open number of pictures, and dtype of an array."""

    shape: tuple[int | None, ...]
    dtype: str

    def with_batch(self, size: int) -> tuple[int, ...]:
        """The shape for that number of pictures."""
        return tuple(size if width is None else width for width in self.shape)


def has_open_batches() -> bool:
    """Whether a compiled function takes other numbers of pictures without a trace."""
    return keras.backend.backend() != "jax"


def most_bytes_at_once() -> int | None:
    """Size of a tensor above which more pictures at once are slower, if there is one.

    torch on a CPU takes its memory from glibc, and glibc fetches what is larger than
    this from the system each time anew, page by page.
    """
    if keras.backend.backend() != "torch" or ops.zeros(()).device.type != "cpu":
        return None
    return 32 * 1024**2


def value_and_gradient(
    function: Callable[[Any], tuple[Any, Any]], at: Any
) -> tuple[Any, Any, Any]:
    """Value, by-products and gradient of a function, inside a compiled function.

    Args:
        function: takes a tensor; gives a scalar and a structure of other tensors.
        at: tensor at which the gradient is taken.

    Returns:
        The scalar, the other tensors, and the gradient in the shape of `at`, zero where
        the scalar does not depend on it.
    """
    value, others, slopes = _pulled_back(function, [at], None)
    return value, others, slopes[0]


def vector_jacobian_product(
    function: Callable[..., Any], inputs: Sequence[Any], upstream: Any
) -> list[Any]:
    """Pull a signal at a function's output back to each of its inputs.

    It runs inside a compiled function or a backward rule. `function` gives one tensor.
    The signal may be a function that makes it from the output.
    """
    return _pulled_back(lambda *x: (function(*x), ()), inputs, upstream)[2]


def _pulled_back(
    function: Callable[..., tuple[Any, Any]], inputs: Sequence[Any], upstream: Any
) -> tuple[Any, Any, list[Any]]:
    """Output, by-products and slopes; a signal of `None` is 1 at a scalar."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # Copies, so that an input which depends on another is held constant.
        inputs = [tf.identity(tensor) for tensor in inputs]
        output, others = function(*inputs)
        # A tape would also compute the gradients of the filters, and throw them away.
        signal = _signal_at(output, upstream)
        slopes = tf.gradients(output, inputs, signal, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        output, pull_back, others = jax.vjp(function, *inputs, has_aux=True)
        signal = _signal_at(output, upstream)
        slopes = pull_back(ops.ones_like(output) if signal is None else signal)
    elif backend == "torch":
        import torch

        with torch.enable_grad():
            inputs = [tensor.detach().requires_grad_(True) for tensor in inputs]
            output, others = function(*inputs)
            slopes = [None] * len(inputs)
            if output.requires_grad:
                signal = _signal_at(output.detach(), upstream)
                slopes = torch.autograd.grad(output, inputs, signal, allow_unused=True)
        slopes = [
            torch.zeros_like(tensor) if slope is None else slope
            for tensor, slope in zip(inputs, slopes, strict=True)
        ]
        output, others = keras.tree.map_structure(ops.stop_gradient, (output, others))
    else:
        raise _unknown_backend()
    return output, others, list(slopes)


def _signal_at(output: Any, upstream: Any) -> Any:
    return upstream(output) if callable(upstream) else upstream


def with_backward_rule(
    function: Callable[..., Any], rule: BackwardRule, *, signal_alone: bool = False
) -> Callable[..., Any]:
    """The same function with another backward pass, inside a compiled function.

    Args:
        function: takes tensors, gives one. What else it uses is held constant.
        rule: gives the signal for each input; `None` where there is none.
        signal_alone: whether the rule looks at the signal above and nothing else. torch
            then keeps no tensor for it, and the rule is given none.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return functools.partial(_with_rule_tensorflow, function, rule)
    if backend == "jax":
        return _with_rule_jax(function, rule)
    if backend == "torch":
        operation = _rule_operation_torch()
        return functools.partial(operation.apply, function, rule, signal_alone)
    raise _unknown_backend()


def _with_rule_tensorflow(
    function: Callable[..., Any], rule: BackwardRule, *inputs: Any
) -> Any:
    import tensorflow as tf

    graph = tf.compat.v1.get_default_graph()
    output = function(*inputs)
    with graph.gradient_override_map({"IdentityN": _rule_gradient_tensorflow()}):
        output, *_ = tf.identity_n([output, *inputs])
    # The rules live and die with their graph. `tf.custom_gradient` would register each
    # of them for the life of the process.
    if not hasattr(graph, "keras_interp_rules"):
        graph.keras_interp_rules = {}
    graph.keras_interp_rules[output.op.name] = rule
    return output


@functools.cache
def _rule_gradient_tensorflow() -> str:
    import tensorflow as tf

    name = "KerasInterpBackwardRule"

    @tf.RegisterGradient(name)
    def backward(operation: Any, *upstream: Any) -> list[Any]:
        rule = operation.graph.keras_interp_rules[operation.name]
        output, *inputs = operation.inputs
        return [None, *rule(inputs, output, upstream[0])]

    return name


def _with_rule_jax(
    function: Callable[..., Any], rule: BackwardRule
) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    with_rule = jax.custom_vjp(lambda *inputs: function(*inputs))

    def forward(*inputs: Any) -> tuple[Any, Any]:
        output = function(*inputs)
        return output, (inputs, output)

    def backward(kept: Any, upstream: Any) -> tuple[Any, ...]:
        inputs, output = kept
        slopes = rule(list(inputs), output, upstream)
        return tuple(
            jnp.zeros_like(tensor) if slope is None else slope
            for tensor, slope in zip(inputs, slopes, strict=True)
        )

    with_rule.defvjp(forward, backward)
    return with_rule


@functools.cache
def _rule_operation_torch() -> Any:
    import torch

    class WithRule(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, function: Any, rule: Any, signal_alone: bool, *inputs: Any
        ) -> Any:
            output = function(*inputs)
            ctx.rule = rule
            if not signal_alone:
                ctx.save_for_backward(output, *inputs)
            return output

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            output, *inputs = ctx.saved_tensors or (None,)
            return None, None, None, *ctx.rule(inputs, output, upstream)

    return WithRule


def compiled(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """Compile a function of arrays and of Keras variables, which it cannot change.

    Args:
        function: takes tensors, gives tensors. TensorFlow traces it at once and JAX at
            the first call; torch runs it as it is.
        specs: what the function takes. JAX traces once for every size that comes in
            place of `None`.
        variables: gives the variables whose present values are used at each call.

    Returns:
        Function from a list of arrays to a list of arrays.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        graph = _graph_function(function, specs)
        return lambda arrays: [
            tensor.numpy() for tensor in graph(*map(ops.convert_to_tensor, arrays))
        ]
    if backend == "jax":
        import jax

        of_values = jax.jit(functools.partial(_with_values, function, variables))
        return lambda arrays: [
            np.asarray(tensor)
            for tensor in of_values([v.value for v in variables()], *arrays)
        ]
    if backend == "torch":
        return lambda arrays: [
            ops.convert_to_numpy(tensor)
            for tensor in _called_torch(function, variables, arrays)[1]
        ]
    raise _unknown_backend()


def rectifiers_in(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[str]:
    """Trace a function once, for one picture, and name each ReLU that is in it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        definition = _graph_function(function, specs).graph.as_graph_def()
        nodes = [*definition.node]
        for inner in definition.library.function:
            nodes.extend(inner.node_def)
        return [node.op for node in nodes if node.op in ("Relu", "Relu6", "LeakyRelu")]
    if backend == "jax":
        return _rectifiers_in_jaxpr(_jaxpr_of(function, specs, variables))
    if backend == "torch":
        arrays = [np.zeros(spec.with_batch(1), spec.dtype) for spec in specs]
        _, outputs = _called_torch(function, variables, arrays, tracking=True)
        return _rectifiers_among(_steps_behind(outputs))
    raise _unknown_backend()


def used_inputs(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> list[bool]:
    """Trace a function once, for one picture: does its result depend on each input?

    torch knows it of floating inputs alone, and only where a gradient could flow.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        graph = _graph_function(function, specs).graph
        steps = {tensor.op for tensor in graph.outputs}
        waiting = [*steps]
        while waiting:
            before = {tensor.op for tensor in waiting.pop().inputs} - steps
            steps |= before
            waiting.extend(before)
        return [tensor.op in steps for tensor in graph.inputs[: len(specs)]]
    if backend == "jax":
        jaxpr = _jaxpr_of(function, specs, variables)
        # By identity, for constants stand among the variables.
        used = {id(value) for value in jaxpr.outvars}
        for equation in reversed(jaxpr.eqns):
            if any(id(value) in used for value in equation.outvars):
                used |= {id(value) for value in equation.invars}
        return [id(value) in used for value in jaxpr.invars[-len(specs) :]]
    if backend == "torch":
        arrays = [np.zeros(spec.with_batch(1), spec.dtype) for spec in specs]
        inputs, outputs = _called_torch(function, variables, arrays, tracking=True)
        # Where a gradient ends, the step knows the tensor.
        leaves = [getattr(step, "variable", None) for step in _steps_behind(outputs)]
        used = {id(tensor) for tensor in [*leaves, *outputs]}
        return [id(tensor) in used for tensor in inputs]
    raise _unknown_backend()


def _with_values(
    function: TensorFunction, variables: Variables, values: Sequence[Any], *tensors: Any
) -> tuple[Any, ...]:
    """A function of the variables' values too, none of which it changes."""
    with keras.StatelessScope(list(zip(variables(), values, strict=True))):
        return tuple(function(*tensors))


def _graph_function(function: TensorFunction, specs: Sequence[ArraySpec]) -> Any:
    import tensorflow as tf

    # The graph reads the variables themselves: no values stand in for them.
    without_updates = functools.partial(_with_values, function, list, ())
    signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in specs]
    traced = tf.function(without_updates, autograph=False)
    return traced.get_concrete_function(*signature)


def _jaxpr_of(
    function: TensorFunction, specs: Sequence[ArraySpec], variables: Variables
) -> Any:
    import jax

    shapes = [jax.ShapeDtypeStruct(s.with_batch(1), s.dtype) for s in specs]
    values = [v.value for v in variables()]
    of_values = functools.partial(_with_values, function, variables)
    return jax.make_jaxpr(of_values)(values, *shapes).jaxpr


def _rectifiers_in_jaxpr(jaxpr: Any) -> list[str]:
    found = []
    for equation in jaxpr.eqns:
        inner = [
            getattr(value, "jaxpr", value)
            for value in equation.params.values()
            if hasattr(getattr(value, "jaxpr", value), "eqns")
        ]
        names = {getattr(j.debug_info, "func_name", "") for j in inner}
        names.add(str(equation.params.get("name", "")))
        known = names & {"relu", "relu6", "leaky_relu"}
        if known:
            found.append(known.pop())
        else:
            found.extend(name for j in inner for name in _rectifiers_in_jaxpr(j))
    return found


def _called_torch(
    function: TensorFunction,
    variables: Variables,
    arrays: Sequence[np.ndarray],
    *,
    tracking: bool = False,
) -> tuple[list[Any], tuple[Any, ...]]:
    """The arrays as tensors, and what the function makes of them."""
    import torch

    # Values without a history of their own: no gradient of a weight is prepared, and
    # none can be left on the model.
    values = [variable.value.detach() for variable in variables()]
    with torch.inference_mode(False), torch.set_grad_enabled(tracking):
        tensors = [ops.convert_to_tensor(array) for array in arrays]
        for tensor in tensors:
            tensor.requires_grad_(tracking and tensor.is_floating_point())
        return tensors, _with_values(function, variables, values, *tensors)


def _steps_behind(tensors: Sequence[Any]) -> set[Any]:
    """All steps of the backward pass from some tensors, in torch."""
    waiting = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        links = waiting.pop().next_functions
        before = {link for link, _ in links if link is not None} - seen
        seen |= before
        waiting.extend(before)
    return seen


def _rectifiers_among(steps: set[Any]) -> list[str]:
    names = ("ReluBackward", "LeakyReluBackward", "HardtanhBackward")
    found = [step.name() for step in steps if step.name().startswith(names)]
    return [name.rstrip("0123456789").removesuffix("Backward") for name in found]


def activation_functions() -> list[tuple[Any, str]]:
    """The backend's own activation functions, as (module or class, attribute)."""
    backend = keras.backend.backend()
    owners: list[Any]
    if backend == "tensorflow":
        import tensorflow as tf

        owners = [tf.nn, tf.math, tf]
    elif backend == "jax":
        import jax

        owners = [jax.nn]
    elif backend == "torch":
        import torch

        owners = [torch.nn.functional, torch, torch.Tensor]
    else:
        raise _unknown_backend()
    return [(o, name) for o in owners for name in ACTIVATION_NAMES if hasattr(o, name)]


def faster_functions() -> list[tuple[Any, str, Callable[..., Any]]]:
    """Functions of Keras that can be faster, as (owner, attribute, faster one).

    On torch Keras copies all feature maps before each convolution and pooling so that
    the channels come first in memory, and before a convolution copies them back, which
    is how torch reads them best. A view of them is all that either needs. The bias of a
    convolution is added in a pass, and a tensor, of its own, and its kernel is brought
    into order element by element.
    """
    if keras.backend.backend() != "torch":
        return []
    from keras.src.backend import nn
    from keras.src.layers.convolutional.base_conv import BaseConv

    faster: list[tuple[Any, str, Callable[..., Any]]] = [
        (BaseConv, "call", _convolved_torch),
        (nn, "_transpose_spatial_inputs", _channels_first_torch),
        (nn, "_maybe_convert_to_channels_last", _channels_last_torch),
    ]
    return [
        (owner, name, functools.partial(function, getattr(owner, name)))
        for owner, name, function in faster
        if hasattr(owner, name)
    ]


def _channels_first_torch(copied: Callable[..., Any], maps: Any) -> Any:
    return maps.permute(0, 3, 1, 2) if maps.ndim == 4 else copied(maps)


def _channels_last_torch(copied: Callable[..., Any], tensor: Any) -> Any:
    """Maps or a kernel `(out, in, height, width)` as torch's convolutions read them.

    A kernel of Keras is the transpose of that, read as a matrix, and so it is turned
    three times as fast.
    """
    if tensor.ndim != 4 or tensor.device.type != "cpu":
        return copied(tensor)
    of_keras = tensor.permute(2, 3, 1, 0)
    if not of_keras.is_contiguous():
        return copied(tensor)
    outputs, inputs, height, width = tensor.shape
    turned = of_keras.reshape(-1, outputs).t().contiguous()
    return turned.view(outputs, height, width, inputs).permute(0, 3, 1, 2)


def _convolved_torch(call: Callable[..., Any], layer: Any, maps: Any) -> Any:
    """What a convolutional layer makes of maps, its bias added by torch."""
    import torch
    from keras.src.layers.convolutional.base_conv import BaseConv

    # A user's layer may do something else with its weights.
    own = type(layer).convolution_op is BaseConv.convolution_op
    last = layer.rank == 2 and layer.data_format == "channels_last"
    sizes = zip(layer.kernel_size, layer.dilation_rate, strict=True)
    # Where more zeros go to one side than to the other, Keras adds them itself.
    even = set(layer.strides) == {1} and all((k - 1) * d % 2 == 0 for k, d in sizes)
    padded = layer.padding == "same" and not even
    if not (own and last and layer.use_bias) or padded:
        return call(layer, maps)
    kernel = ops.convert_to_tensor(layer.kernel)
    convolved = torch.conv2d(
        ops.convert_to_tensor(maps).permute(0, 3, 1, 2),
        _channels_last_torch(lambda other: other, kernel.permute(3, 2, 0, 1)),
        ops.convert_to_tensor(layer.bias),
        layer.strides,
        layer.padding,
        layer.dilation_rate,
        layer.groups,
    ).permute(0, 2, 3, 1)
    return convolved if layer.activation is None else layer.activation(convolved)


def compiled_function_class() -> Any:
    """The class of a user's compiled functions, whose calls must be run inline."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return type(tf.function(lambda: None))


@contextlib.contextmanager
def inner_functions_inline() -> Iterator[None]:
    """Run functions that the user compiled as plain Python, in this thread alone.

    A trace of theirs that was made while calls are intercepted would stay with them.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.disable_jit():
        yield


def _unknown_backend() -> ValueError:
    return ValueError(
        f"keras_interp computes gradients with TensorFlow, JAX or torch, not with "
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND to one of them before "
        "importing keras."
    )
