"""What Keras makes models of, where it has no public name for it."""

from __future__ import annotations

from typing import Any

# `keras.Model(inputs, outputs)` is one of these: a class that is to be a functional
# model and something else too has to name it. Keras has no public name for it.
from keras.src.models.functional import Functional as Functional


def flattened_layers(model: Any) -> list[Any]:
    """All layers inside a model, also those inside layers that are no models.

    `Model.layers` has none of the latter, and no public name has them.
    """
    return list(model._flatten_layers(include_self=False))
