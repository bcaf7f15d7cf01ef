"""Figures of what filters see: every function takes axes and gives axes back.

Nothing here calls `show` or touches the current figure. Without axes a function makes a
figure of its own, which `ax.figure` hands out for saving.
"""

from __future__ import annotations

from keras_interp.metrics import (
    average_receptive_field,
    discrepancy_maps,
    empirical_receptive_field,
    empirical_regions,
    empirical_size,
    part_density,
)
from keras_interp.plotting._attributions import attribution_grid, attribution_overlay
from keras_interp.plotting._class_card import class_card, x_feature_grid
from keras_interp.plotting._decision_tree import decision_tree, parse_path
from keras_interp.plotting._explained_sentence import explained_sentence
from keras_interp.plotting._filter_gallery import filter_gallery
from keras_interp.plotting._histograms import concept_histogram, part_histogram
from keras_interp.plotting._landmarks import dataset_mosaic, landmarks
from keras_interp.plotting._node_figures import (
    explanatory_graph,
    node_heat_maps,
    node_patches,
)
from keras_interp.plotting._overlay import overlay, part_heatmap
from keras_interp.plotting._part_contributions import part_contributions, part_positions
from keras_interp.plotting._parts_on_image import parts_on_image
from keras_interp.plotting._receptive_field_shapes import receptive_field_shapes
from keras_interp.plotting._sanity_checks import input_shift, parameter_randomization
from keras_interp.plotting._training_curves import training_curves

__all__ = [
    "attribution_grid",
    "attribution_overlay",
    "average_receptive_field",
    "class_card",
    "concept_histogram",
    "dataset_mosaic",
    "decision_tree",
    "discrepancy_maps",
    "empirical_receptive_field",
    "empirical_regions",
    "empirical_size",
    "explained_sentence",
    "explanatory_graph",
    "filter_gallery",
    "input_shift",
    "landmarks",
    "node_heat_maps",
    "node_patches",
    "overlay",
    "parameter_randomization",
    "parse_path",
    "part_contributions",
    "part_density",
    "part_heatmap",
    "part_histogram",
    "part_positions",
    "parts_on_image",
    "receptive_field_shapes",
    "training_curves",
    "x_feature_grid",
]

# The documentation and pickles name the place that users import from; what comes
# from the metrics has its own.
for _name in __all__:
    if globals()[_name].__module__.startswith(__name__):
        globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return list(__all__)
