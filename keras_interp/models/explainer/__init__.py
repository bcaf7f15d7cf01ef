"""A network that paraphrases what a trained network has learnt, in object parts."""

from keras_interp.models.explainer._explainer import Encoding, Explainer
from keras_interp.models.explainer._settings import EXPLAINER_PAPER_SETTINGS

__all__ = ["EXPLAINER_PAPER_SETTINGS", "Encoding", "Explainer"]
