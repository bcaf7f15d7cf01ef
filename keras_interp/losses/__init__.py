"""Losses that make filters follow parts, and x-features stand for a logit."""

from keras_interp.losses._explanation_losses import (
    discriminative_loss,
    relevance_loss,
)
from keras_interp.losses._filter_losses import (
    FILTER_LOSSES,
    PARTS,
    ApproximateFilterLoss,
    AuthorsFilterLoss,
    ExactFilterLoss,
    FilterLoss,
    FilterLossInputs,
    PosteriorFilterLoss,
    RunningFilterLoss,
)
from keras_interp.losses._mutual_information import (
    FilterEntropies,
    filter_entropies,
    filter_mutual_information,
)
from keras_interp.losses._pull_away import pull_away_term
from keras_interp.losses._reject_class import reject_class_loss
from keras_interp.losses._sentence_loss import sentence_loss
from keras_interp.losses._sparse_reconstruction import (
    mean_reconstruction_loss,
    sparse_reconstruction_loss,
    squared_faithfulness_loss,
)
from keras_interp.losses._templates import part_templates

__all__ = [
    "FILTER_LOSSES",
    "PARTS",
    "ApproximateFilterLoss",
    "AuthorsFilterLoss",
    "ExactFilterLoss",
    "FilterEntropies",
    "FilterLoss",
    "FilterLossInputs",
    "PosteriorFilterLoss",
    "RunningFilterLoss",
    "discriminative_loss",
    "filter_entropies",
    "filter_mutual_information",
    "mean_reconstruction_loss",
    "part_templates",
    "reject_class_loss",
    "pull_away_term",
    "relevance_loss",
    "sentence_loss",
    "sparse_reconstruction_loss",
    "squared_faithfulness_loss",
]

# Docs, help and pickles name the public package, not the file inside it.
for _name in __all__[2:]:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return sorted(__all__)
