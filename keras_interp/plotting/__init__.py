"""Pictures of what filters see: every function takes axes and gives axes back.

Nothing here calls `show` or touches the current figure. Without axes a function makes a
figure of its own, which `axes.figure` hands out for saving.
"""

from __future__ import annotations

from keras_interp.plotting.attribution_grid import attribution_grid
from keras_interp.plotting.attribution_overlay import attribution_overlay
from keras_interp.plotting.concept_histogram import concept_histogram
from keras_interp.plotting.dataset_mosaic import dataset_mosaic
from keras_interp.plotting.discrepancy_maps import discrepancy_maps
from keras_interp.plotting.empirical_receptive_field import empirical_receptive_field
from keras_interp.plotting.empirical_regions import empirical_regions
from keras_interp.plotting.empirical_size import (
    average_receptive_field,
    empirical_size,
)
from keras_interp.plotting.filter_gallery import filter_gallery
from keras_interp.plotting.input_shift import input_shift
from keras_interp.plotting.landmarks import landmarks
from keras_interp.plotting.overlay import overlay
from keras_interp.plotting.parameter_randomization import parameter_randomization
from keras_interp.plotting.part_contributions import part_contributions, part_positions
from keras_interp.plotting.part_density import part_density
from keras_interp.plotting.part_heatmap import part_heatmap
from keras_interp.plotting.part_histogram import part_histogram
from keras_interp.plotting.receptive_field_shapes import receptive_field_shapes
from keras_interp.plotting.training_curves import training_curves

__all__ = [
    "attribution_grid",
    "attribution_overlay",
    "average_receptive_field",
    "concept_histogram",
    "dataset_mosaic",
    "discrepancy_maps",
    "empirical_receptive_field",
    "empirical_regions",
    "empirical_size",
    "filter_gallery",
    "input_shift",
    "landmarks",
    "overlay",
    "parameter_randomization",
    "part_contributions",
    "part_density",
    "part_heatmap",
    "part_histogram",
    "part_positions",
    "receptive_field_shapes",
    "training_curves",
]
