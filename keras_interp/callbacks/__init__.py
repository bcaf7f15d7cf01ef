"""Callbacks that watch the filter losses, or balance them with the task."""

from keras_interp.callbacks.filter_loss_balance import FilterLossBalance
from keras_interp.callbacks.gradient_ratio import GradientRatio

__all__ = ["FilterLossBalance", "GradientRatio"]

# Docs and pickles name the public package, not the module inside it.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return sorted(__all__)
