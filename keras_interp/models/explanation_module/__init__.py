"""A few x-features from which a logit of a trained network can be computed."""

from keras_interp.models.explanation_module._module import ExplanationModule
from keras_interp.models.explanation_module._settings import SRAE_PAPER_SETTINGS

__all__ = ["SRAE_PAPER_SETTINGS", "ExplanationModule"]
