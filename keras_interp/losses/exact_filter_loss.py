"""The paper's filter loss on the batch."""

from __future__ import annotations

from typing import Any

from keras_interp.losses.filter_loss import FilterLoss, FilterLossInputs
from keras_interp.losses.filter_mutual_information import mutual_information_of_scores


class ExactFilterLoss(FilterLoss):
    """Eq. (1) of the paper with the batch for the set of all maps.

    Needs no labels. The gradient goes through the normalisers `Z_T` too, which is more
    stable on small batches than taking them as constant.
    """

    name = "exact"
    temperature = 0.3
    default_weight = 0.3
    default_weight_many = 0.3

    def __call__(self, inputs: FilterLossInputs) -> Any:
        return -mutual_information_of_scores(inputs.scores * inputs.score_scale)
