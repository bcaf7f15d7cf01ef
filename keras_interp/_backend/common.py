"""What the files of the backends share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras

# Takes tensors, gives tensors.
TensorFunction = Callable[..., Sequence[Any]]
# Gives Keras variables, so that nobody has to hold their model.
Variables = Callable[[], list[Any]]
# From the inputs, the output and the signal above it to the signal for each input.
BackwardRule = Callable[[list[Any], Any, Any], Sequence[Any]]
# What is done at the call of a function: its name, the function, what it was given.
OnFunction = Callable[[str, Callable[..., Any], Any, Any], Any]
# Names that a backend's own activation functions have, in whichever module.
ACTIVATION_NAMES = (
    "celu elu gelu glu hard_sigmoid hard_silu hard_swish hardsigmoid hardswish "
    "leaky_relu log_sigmoid log_softmax logsigmoid mish relu relu6 selu sigmoid silu "
    "softmax softplus softsign swish tanh"
).split()


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """Shape, `None` for an open number of images, and dtype of an array."""

    shape: tuple[int | None, ...]
    dtype: str

    def with_batch(self, size: int) -> tuple[int, ...]:
        """The shape for that number of images."""
        return tuple(size if width is None else width for width in self.shape)


def with_values(
    function: TensorFunction, variables: Variables, values: Sequence[Any], *tensors: Any
) -> tuple[Any, ...]:
    """A function of the variables' values too, none of which it changes."""
    with keras.StatelessScope(list(zip(variables(), values, strict=True))):
        return tuple(function(*tensors))


def signal_at(output: Any, upstream: Any) -> Any:
    """The signal above an output, which may be given as a function of it."""
    return upstream(output) if callable(upstream) else upstream
