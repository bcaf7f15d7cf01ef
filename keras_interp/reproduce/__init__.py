"""The papers' tables, measured again with this library."""

from keras_interp.reproduce.explainer import ExplainerSettings, reproduce_explainer
from keras_interp.reproduce.icnn import IcnnSettings, reproduce_icnn
from keras_interp.reproduce.results import Results

__all__ = [
    "ExplainerSettings",
    "IcnnSettings",
    "Results",
    "reproduce_explainer",
    "reproduce_icnn",
]
