"""Keras layers whose filters mean object parts."""

from keras_interp.layers.compact_bilinear_pooling import CompactBilinearPooling
from keras_interp.layers.explanation_lstm import ExplanationLSTM
from keras_interp.layers.interpretable_conv import InterpretableConv
from keras_interp.layers.interpretable_mask import InterpretableMask
from keras_interp.layers.magnitude_norm import MagnitudeNorm, MagnitudeRestore
from keras_interp.layers.part_mask import PartMask
from keras_interp.layers.reconstruction_loss import ReconstructionLoss
from keras_interp.layers.srae_block import SRAEBlock
from keras_interp.layers.track_mixture import TrackMixture
from keras_interp.layers.whitening import whitening_conv

__all__ = [
    "CompactBilinearPooling",
    "ExplanationLSTM",
    "InterpretableConv",
    "InterpretableMask",
    "MagnitudeNorm",
    "MagnitudeRestore",
    "PartMask",
    "ReconstructionLoss",
    "SRAEBlock",
    "TrackMixture",
    "whitening_conv",
]

# Docs, help and files name the public package, not the module inside it.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return sorted(__all__)
