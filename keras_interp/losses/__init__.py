"""Filter losses and the part templates that they are made of."""

from keras_interp.losses.approximate_filter_loss import ApproximateFilterLoss
from keras_interp.losses.authors_filter_loss import AuthorsFilterLoss
from keras_interp.losses.exact_filter_loss import ExactFilterLoss
from keras_interp.losses.filter_loss import FilterLoss, FilterLossInputs
from keras_interp.losses.filter_mutual_information import (
    FilterEntropies,
    filter_entropies,
    filter_mutual_information,
)
from keras_interp.losses.part_templates import part_templates
from keras_interp.losses.posterior_filter_loss import PosteriorFilterLoss
from keras_interp.losses.running_filter_loss import RunningFilterLoss

FILTER_LOSSES = {
    loss.name: loss
    for loss in (
        PosteriorFilterLoss,
        ExactFilterLoss,
        RunningFilterLoss,
        ApproximateFilterLoss,
        AuthorsFilterLoss,
    )
}

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
