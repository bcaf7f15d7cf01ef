"""Visual explanations that fit an image and tell its class: the model GVE."""

from keras_interp.models.gve._gve import GVE
from keras_interp.models.gve._sentence_classifier import SentenceClassifier

__all__ = ["GVE", "SentenceClassifier"]
