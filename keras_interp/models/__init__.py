"""Backbones, and the conversion of trained models into interpretable ones."""

from keras_interp.models.alexnet import AlexNet
from keras_interp.models.conversion import to_interpretable
from keras_interp.models.encoding import Encoding
from keras_interp.models.explainer import Explainer
from keras_interp.models.explainer_settings import EXPLAINER_PAPER_SETTINGS
from keras_interp.models.interpretable_model import InterpretableModel
from keras_interp.models.interpretable_sequential import InterpretableSequential
from keras_interp.models.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_interp.models.preprocessing import preprocess_input
from keras_interp.models.pretrained_weights import find_weights
from keras_interp.models.squeezenet import SqueezeNet
from keras_interp.models.vgg16 import VGG16
from keras_interp.models.vgg19 import VGG19
from keras_interp.models.vgg_m import VGG_M
from keras_interp.models.vgg_s import VGG_S
from keras_interp.models.weight_loading import LoadedWeights, load_weights

__all__ = [
    "AlexNet",
    "EXPLAINER_PAPER_SETTINGS",
    "Encoding",
    "Explainer",
    "InterpretableModel",
    "InterpretableSequential",
    "LoadedWeights",
    "LocalResponseNormalization",
    "SqueezeNet",
    "VGG16",
    "VGG19",
    "VGG_M",
    "VGG_S",
    "find_weights",
    "load_weights",
    "preprocess_input",
    "to_interpretable",
]
