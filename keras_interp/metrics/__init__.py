"""Measures of what the filters of a network follow, and of generated sentences."""

from __future__ import annotations

from keras_interp.metrics._ablation import AblationScores, ablation
from keras_interp.metrics._activation_thresholds import (
    ActivationThreshold,
    activation_thresholds,
)
from keras_interp.metrics._bleu import bleu
from keras_interp.metrics._captions import CaptionScore
from keras_interp.metrics._cider import cider, cider_d
from keras_interp.metrics._class_relevance import class_rank, class_similarity
from keras_interp.metrics._dissection_counts import DissectionScores
from keras_interp.metrics._empirical_fields import (
    average_receptive_field,
    discrepancy_maps,
    empirical_receptive_field,
    empirical_size,
)
from keras_interp.metrics._faithfulness import Faithfulness, faithfulness
from keras_interp.metrics._filter_names import FilterNames, name_filters
from keras_interp.metrics._filter_statistics import (
    dead_filters,
    density,
    overlap,
    position_spread,
)
from keras_interp.metrics._hit_gain import HitGainScores, hit_gain
from keras_interp.metrics._instability_baselines import (
    InstabilityBaselines,
    instability_baselines,
)
from keras_interp.metrics._landmark_regression import (
    LandmarkRegression,
    landmark_regression,
)
from keras_interp.metrics._layer_maps import LayerMaps, read_feature_maps
from keras_interp.metrics._location_instability import (
    LocationInstability,
    LocationInstabilityScores,
    location_instability,
)
from keras_interp.metrics._measurement import (
    FilterMeasurement,
    measure_filters,
    measure_maps,
)
from keras_interp.metrics._meteor import MeteorScorer, meteor
from keras_interp.metrics._network_dissection import (
    NetworkDissection,
    network_dissection,
)
from keras_interp.metrics._noise_sensitivity import (
    NoiseSensitivity,
    noise_sensitivity,
)
from keras_interp.metrics._orthogonality import Orthogonality, orthogonality
from keras_interp.metrics._part_assignment import PartAssignment, part_assignment
from keras_interp.metrics._part_detectors import (
    GroupCoverage,
    NearestLandmarks,
    group_coverage,
    is_hit_part_detector,
    is_part_detector,
    nearest_landmarks,
    part_coverage,
)
from keras_interp.metrics._part_interpretability import (
    PartInterpretability,
    part_interpretability,
)
from keras_interp.metrics._part_locality import (
    LocalityControls,
    PartLocality,
    locality_controls,
    part_locality,
)
from keras_interp.metrics._peaks import positions_and_scores
from keras_interp.metrics._regions import (
    empirical_regions,
    filter_regions,
    part_density,
)
from keras_interp.metrics._scores import FilterScores, PartScores
from keras_interp.metrics._tracking import tracking
from keras_interp.metrics._tracking_summary import TrackingSummary, tracking_summary

__all__ = [
    "AblationScores",
    "ActivationThreshold",
    "CaptionScore",
    "DissectionScores",
    "Faithfulness",
    "FilterMeasurement",
    "FilterNames",
    "FilterScores",
    "GroupCoverage",
    "HitGainScores",
    "InstabilityBaselines",
    "LandmarkRegression",
    "LayerMaps",
    "LocalityControls",
    "LocationInstability",
    "LocationInstabilityScores",
    "MeteorScorer",
    "NearestLandmarks",
    "NetworkDissection",
    "NoiseSensitivity",
    "Orthogonality",
    "PartAssignment",
    "PartInterpretability",
    "PartLocality",
    "PartScores",
    "TrackingSummary",
    "ablation",
    "activation_thresholds",
    "average_receptive_field",
    "bleu",
    "cider",
    "cider_d",
    "class_rank",
    "class_similarity",
    "dead_filters",
    "density",
    "discrepancy_maps",
    "empirical_receptive_field",
    "empirical_regions",
    "empirical_size",
    "faithfulness",
    "filter_regions",
    "group_coverage",
    "hit_gain",
    "instability_baselines",
    "is_hit_part_detector",
    "is_part_detector",
    "locality_controls",
    "landmark_regression",
    "location_instability",
    "measure_filters",
    "measure_maps",
    "meteor",
    "name_filters",
    "nearest_landmarks",
    "network_dissection",
    "noise_sensitivity",
    "orthogonality",
    "overlap",
    "part_assignment",
    "part_coverage",
    "part_density",
    "part_interpretability",
    "part_locality",
    "position_spread",
    "positions_and_scores",
    "read_feature_maps",
    "tracking",
    "tracking_summary",
]

# The documentation and pickles name the place that users import from.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return list(__all__)
