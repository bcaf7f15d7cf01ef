"""Published weights: find the files, read them, put them into layers."""

from keras_interp.models.weights._finding import find_weights
from keras_interp.models.weights._loading import (
    LoadedWeights,
    load_backbone_weights,
    load_weights,
)

__all__ = [
    "LoadedWeights",
    "find_weights",
    "load_backbone_weights",
    "load_weights",
]
