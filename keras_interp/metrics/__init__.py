"""Measures of what the filters of a network follow."""

from keras_interp.metrics.ablation import AblationScores, ablation
from keras_interp.metrics.activation_thresholds import activation_thresholds
from keras_interp.metrics.dead_filters import dead_filters
from keras_interp.metrics.density import density
from keras_interp.metrics.dissection_scores import DissectionScores
from keras_interp.metrics.filter_regions import filter_regions
from keras_interp.metrics.filter_scores import FilterScores
from keras_interp.metrics.hit_gain import HitGainScores, hit_gain
from keras_interp.metrics.instability_baselines import (
    InstabilityBaselines,
    instability_baselines,
)
from keras_interp.metrics.location_instability import (
    LocationInstabilityScores,
    location_instability,
)
from keras_interp.metrics.nearest_landmarks import NearestLandmarks, nearest_landmarks
from keras_interp.metrics.network_dissection import network_dissection
from keras_interp.metrics.overlap import overlap
from keras_interp.metrics.part_coverage import part_coverage
from keras_interp.metrics.part_detector import is_part_detector
from keras_interp.metrics.part_interpretability import part_interpretability
from keras_interp.metrics.part_scores import PartScores
from keras_interp.metrics.position_spread import position_spread
from keras_interp.metrics.positions_and_scores import positions_and_scores
from keras_interp.metrics.streaming_activation_threshold import ActivationThreshold
from keras_interp.metrics.streaming_location_instability import LocationInstability
from keras_interp.metrics.streaming_network_dissection import NetworkDissection
from keras_interp.metrics.streaming_part_interpretability import PartInterpretability
from keras_interp.metrics.tracking import tracking

__all__ = [
    "AblationScores",
    "ActivationThreshold",
    "DissectionScores",
    "FilterScores",
    "HitGainScores",
    "InstabilityBaselines",
    "LocationInstability",
    "LocationInstabilityScores",
    "NearestLandmarks",
    "NetworkDissection",
    "PartInterpretability",
    "PartScores",
    "ablation",
    "activation_thresholds",
    "dead_filters",
    "density",
    "filter_regions",
    "hit_gain",
    "instability_baselines",
    "is_part_detector",
    "location_instability",
    "nearest_landmarks",
    "network_dissection",
    "overlap",
    "part_coverage",
    "part_interpretability",
    "position_spread",
    "positions_and_scores",
    "tracking",
]
