"""InterpNET: a classifier that says in a sentence why."""

from keras_interp.models.interpnet._classifier import interpnet_classifier
from keras_interp.models.interpnet._context import ContextBlock
from keras_interp.models.interpnet._interpnet import InterpNet
from keras_interp.models.interpnet._sentence_memory import SentenceMemory
from keras_interp.models.interpnet._word_origins import ExplainedSentence

__all__ = [
    "ContextBlock",
    "ExplainedSentence",
    "InterpNet",
    "SentenceMemory",
    "interpnet_classifier",
]
