"""The papers' tables, measured again with this library."""

from keras_interp.reproduce.icnn import IcnnSettings, reproduce_icnn
from keras_interp.reproduce.results import Results

__all__ = ["IcnnSettings", "Results", "reproduce_icnn"]
