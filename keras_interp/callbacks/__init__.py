"""Callbacks that watch the filter losses, or balance them with the task."""

from keras_interp.callbacks.filter_loss_balance import FilterLossBalance
from keras_interp.callbacks.gradient_ratio import GradientRatio

__all__ = ["FilterLossBalance", "GradientRatio"]
