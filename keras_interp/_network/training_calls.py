"""Which of Keras's training functions is asking a metric."""

from __future__ import annotations

import sys
from typing import NamedTuple

# The ways from a training function of Keras down to a metric: `reset_state` from
# `Trainer.reset_metrics`, `result` from `Trainer.get_metrics_result`.
_ON_THE_WAY = frozenset(
    {
        "reset_state",
        "reset_metrics",
        "result",
        "get_metrics_result",
        "_get_metrics_result_or_logs",
    }
)


class Asking(NamedTuple):
    """The function of Keras that asks a metric.

    Attributes:
        name: `"fit"`, `"evaluate"`, `"compute_metrics"`, `"train_on_batch"`, ...
        epoch: Number of the epoch in `fit`, from 0; 0 elsewhere.
        first_epoch: Number of the first epoch in this `fit`.
    """

    name: str
    epoch: int
    first_epoch: int


def asking_function() -> Asking:
    """The function that made Keras reset a metric, or read its result.

    Called from a metric's `reset_state` or `result`. `"fit"` stands for the beginning
    and the end of an epoch, `"evaluate"` and `"train_on_batch"` do not, and
    `"compute_metrics"` collects what a step returns.

    A layer has no public way to hear of an epoch: callbacks belong to `fit`, and Keras
    resets its metrics in the same way where an epoch begins, before an evaluation, and
    in each call of `train_on_batch`. The names on the stack of calls tell them apart
    without a patch of Keras. `fit` counts in `epoch` from `initial_epoch` with every
    backend. Should Keras rename it one day, no epochs are counted, and the tests of the
    epoch fail.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_name in _ON_THE_WAY:
        frame = frame.f_back
    name, values = frame.f_code.co_name, frame.f_locals
    # A function of a user's may be called `fit` and have an `epoch` of its own kind.
    if not frame.f_globals.get("__name__", "").startswith("keras."):
        return Asking("", 0, 0)
    return Asking(name, values.get("epoch", 0), values.get("initial_epoch", 0))
