"""Filter losses and the part templates that they are made of."""

from keras_interp.losses._filter_losses import (
    FILTER_LOSSES,
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
from keras_interp.losses._templates import part_templates

__all__ = [
    "FILTER_LOSSES",
    "ApproximateFilterLoss",
    "AuthorsFilterLoss",
    "ExactFilterLoss",
    "FilterEntropies",
    "FilterLoss",
    "FilterLossInputs",
    "PosteriorFilterLoss",
    "RunningFilterLoss",
    "filter_entropies",
    "filter_mutual_information",
    "part_templates",
]

# Docs, help and pickles name the public package, not the file inside it.
for _name in __all__[1:]:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return sorted(__all__)
