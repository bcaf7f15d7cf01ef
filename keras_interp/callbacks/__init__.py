"""Callbacks that watch the filter losses."""

from keras_interp.callbacks.gradient_ratio import GradientRatio

__all__ = ["GradientRatio"]
