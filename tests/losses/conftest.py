import numpy as np
import pytest
from keras import ops

from keras_interp.losses import FilterLossInputs
from keras_interp.losses._mutual_information import template_scores
from keras_interp.losses._templates import (
    peak_positions,
    template_matrix,
    templates_at,
)


@pytest.fixture
def inputs_of():
    """Makes `FilterLossInputs` from maps, in the maps' own precision."""

    def make(maps, targets, *, scale=0.3, beta=4.0, peak="argmax", **fields):
        maps = ops.convert_to_tensor(maps)
        _, height, width, _ = maps.shape
        rows, columns = peak_positions(ops.stop_gradient(maps), peak)
        dtype = ops.convert_to_numpy(maps[:0]).dtype.name
        targets = ops.convert_to_tensor(np.asarray(targets, dtype))
        matrix = template_matrix(height, width, beta, "l1", dtype)
        defaults = {
            "feature_maps": maps,
            "peak_templates": ops.stop_gradient(
                templates_at(rows, columns, height, width, beta, "l1")
            ),
            "peak_cells": ops.cast(rows * width + columns, "int32"),
            "templates": matrix,
            "scores": template_scores(maps, matrix),
            "score_scale": scale,
            "targets": targets,
            "weights": ops.ones_like(targets),
        }
        return FilterLossInputs(**{**defaults, **fields})

    return make
