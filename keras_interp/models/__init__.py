"""Backbones, and the conversion of trained models into interpretable ones."""

from keras_interp.models.backbones import (
    VGG16,
    VGG19,
    VGG_M,
    VGG_S,
    AlexNet,
    SqueezeNet,
)
from keras_interp.models.bilinear_network import compact_bilinear_network
from keras_interp.models.conversion import to_interpretable
from keras_interp.models.explainer import (
    EXPLAINER_PAPER_SETTINGS,
    Encoding,
    Explainer,
)
from keras_interp.models.explanation_module import (
    SRAE_PAPER_SETTINGS,
    ExplanationModule,
)
from keras_interp.models.gve import GVE, SentenceClassifier
from keras_interp.models.interpnet import (
    ContextBlock,
    ExplainedSentence,
    InterpNet,
    SentenceMemory,
    interpnet_classifier,
)
from keras_interp.models.interpretable_model import (
    InterpretableModel,
    InterpretableSequential,
)
from keras_interp.models.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_interp.models.planted import planted_network
from keras_interp.models.preprocessing import preprocess_input
from keras_interp.models.weights import LoadedWeights, find_weights, load_weights

__all__ = [
    "AlexNet",
    "ContextBlock",
    "EXPLAINER_PAPER_SETTINGS",
    "Encoding",
    "ExplainedSentence",
    "Explainer",
    "ExplanationModule",
    "GVE",
    "InterpNet",
    "InterpretableModel",
    "InterpretableSequential",
    "LoadedWeights",
    "LocalResponseNormalization",
    "SRAE_PAPER_SETTINGS",
    "SentenceClassifier",
    "SentenceMemory",
    "SqueezeNet",
    "VGG16",
    "VGG19",
    "VGG_M",
    "VGG_S",
    "compact_bilinear_network",
    "find_weights",
    "interpnet_classifier",
    "load_weights",
    "planted_network",
    "preprocess_input",
    "to_interpretable",
]

# The docs, `help` and pickles name what is public by its public place.
for _name in __all__:
    if hasattr(_public := globals()[_name], "__module__"):
        _public.__module__ = __name__
del _name, _public


def __dir__() -> list[str]:
    return sorted(__all__)
