"""When each tensor of a model is made and last used."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


class Lifetimes:
    """Notes when each tensor of a model is made and when it is last used.

    Time is the number of calls that have ended.

    Example:

    ```python
    lifetimes = Lifetimes()
    lifetimes.use(args, time=0)
    lifetimes.make(output, time=0)
    lifetimes.bottlenecks(1)
    ```
    """

    def __init__(self) -> None:
        # By the identity of a tensor; the tensor itself keeps the identity taken.
        self._tensors: dict[int, Any] = {}
        self._made: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._outputs: list[set[int]] = []

    def use(self, structure: Any, time: int) -> None:
        """The tensors of a structure go into a call."""
        for tensor in _tensors_in(structure):
            self._used[id(tensor)] = time

    def make(self, structure: Any, time: int, *, by_call: bool = True) -> None:
        """The tensors of a structure come out of a call, or of a mere function."""
        tensors = _tensors_in(structure)
        for tensor in tensors:
            self._tensors[id(tensor)] = tensor
            self._made.setdefault(id(tensor), time)
        if by_call:
            self._outputs.append({id(tensor) for tensor in tensors})

    def bottlenecks(self) -> list[int]:
        """Positions of the calls after which no other tensor is used any more."""
        alive = np.zeros(len(self._outputs) + 2, int)
        for tensor, made in self._made.items():
            last = self._used.get(tensor, made)
            if last > made:
                alive[made] += 1
                alive[last] -= 1
        alive = np.cumsum(alive)
        found = []
        for position, outputs in enumerate(self._outputs):
            own = sum(
                self._made[x] <= position < self._used.get(x, -1) for x in outputs
            )
            if own and alive[position] == own:
                found.append(position)
        return found


def _tensors_in(structure: Any) -> list[Any]:
    return [leaf for leaf in keras.tree.flatten(structure) if ops.is_tensor(leaf)]
