"""Keras layers whose filters mean object parts."""

from keras_interp.layers.interpretable_conv import InterpretableConv
from keras_interp.layers.interpretable_mask import InterpretableMask
from keras_interp.layers.magnitude_norm import MagnitudeNorm
from keras_interp.layers.magnitude_restore import MagnitudeRestore
from keras_interp.layers.part_mask import PartMask
from keras_interp.layers.reconstruction_loss import ReconstructionLoss
from keras_interp.layers.track_mixture import TrackMixture

__all__ = [
    "InterpretableConv",
    "InterpretableMask",
    "MagnitudeNorm",
    "MagnitudeRestore",
    "PartMask",
    "ReconstructionLoss",
    "TrackMixture",
]
