"""Callbacks that show what filters do while they learn, or balance their losses."""

from keras_interp.callbacks.filter_board import FilterBoard
from keras_interp.callbacks.gradient_ratio import GradientRatio

# The explainer adds it by itself, so it lives there.
from keras_interp.models.explainer._filter_loss_balance import FilterLossBalance

__all__ = ["FilterBoard", "FilterLossBalance", "GradientRatio"]

# Docs and pickles name the public package, not the module inside it.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return sorted(__all__)
