"""Pictures of what filters see: every function takes axes and gives axes back.

Nothing here calls `show` or touches the current figure. Without axes a function makes a
figure of its own, which `axes.figure` hands out for saving.
"""

from __future__ import annotations

from keras_interp.plotting.empirical_receptive_field import empirical_receptive_field
from keras_interp.plotting.empirical_regions import empirical_regions
from keras_interp.plotting.filter_gallery import filter_gallery
from keras_interp.plotting.landmarks import landmarks
from keras_interp.plotting.overlay import overlay
from keras_interp.plotting.part_density import part_density
from keras_interp.plotting.part_heatmap import part_heatmap
from keras_interp.plotting.part_histogram import part_histogram
from keras_interp.plotting.training_curves import training_curves

__all__ = [
    "empirical_receptive_field",
    "empirical_regions",
    "filter_gallery",
    "landmarks",
    "overlay",
    "part_density",
    "part_heatmap",
    "part_histogram",
    "training_curves",
]
