"""Keras layers whose filters mean object parts."""

from keras_interp.layers.interpretable_conv import InterpretableConv
from keras_interp.layers.interpretable_mask import InterpretableMask
from keras_interp.layers.part_mask import PartMask

__all__ = ["InterpretableConv", "InterpretableMask", "PartMask"]
