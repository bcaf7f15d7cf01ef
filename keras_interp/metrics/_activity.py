"""What the filters of a layer do, measured without landmarks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._filter_statistics import (
    dead_filters,
    density,
    overlap,
    position_spread,
)
from keras_interp.metrics._layer_maps import LayerMaps, interpretable_maps
from keras_interp.metrics._peaks import positions_and_scores
from keras_interp.receptive_fields import ReceptiveField


@dataclasses.dataclass(frozen=True)
class FilterActivity:
    """What can be said of a layer's filters without landmarks.

    Args:
        layer: maps of the measured filters.
        receptive_field: of the layer.
        positions: float `(N, F, 2)`, the peaks in pixels, NaN where a filter is silent.
        scores: float `(N, F)`, the peak values.
        per_filter: float `(F,)` each, the density, overlap and spread of every filter.
        density: mean share of a map's cells above a hundredth of its peak.
        overlap: chance that two filters peak at the same place.
        spread: mean spread of the peaks.
        dead: share of filters that hardly ever fire.
        masked_share: share of the activation that the masks take away; NaN for a layer
            without masks.
    """

    layer: LayerMaps
    receptive_field: ReceptiveField
    positions: np.ndarray
    scores: np.ndarray
    per_filter: dict[str, np.ndarray]
    density: float
    overlap: float
    spread: float
    dead: float
    masked_share: float

    def rows(self, row: str) -> list[dict[str, Any]]:
        """The figures as rows of `results.json`, those that were measured."""
        values = {
            "density": self.density,
            "overlap": self.overlap,
            "position_spread": self.spread,
            "dead_filters": self.dead,
            "masked_share": self.masked_share,
        }
        return [
            {
                "table": "filters",
                "row": row,
                "metric": metric,
                "value": float(value),
                "paper_value": None,
                "baseline_constant": None,
                "baseline_random": None,
                "n": len(self.scores),
            }
            for metric, value in values.items()
            if np.isfinite(value)
        ]


def measure_activity(
    layer: LayerMaps, field: ReceptiveField, image_size: tuple[int, int]
) -> FilterActivity:
    """Measures how much, how often and where filters fire.

    Args:
        layer: maps of the layer, of an interpretable one with the masked maps.
        field: receptive field of the layer.
        image_size: (height, width) of the images in pixels.
    """
    layer = interpretable_maps(layer)
    positions, scores = positions_and_scores(layer.maps, field)
    total = float(layer.maps.sum(dtype="float64"))
    masked = float("nan")
    if layer.masked_maps is not None and total > 0:
        masked = 1 - float(layer.masked_maps.sum(dtype="float64")) / total
    thick = density(layer.maps)
    shared = overlap(positions, image_size)
    spread = position_spread(positions, image_size)
    return FilterActivity(
        layer=layer,
        receptive_field=field,
        positions=positions,
        scores=scores,
        per_filter={
            "density": thick.per_filter,
            "overlap": shared.per_filter,
            "position_spread": spread.per_filter,
        },
        density=thick.value,
        overlap=shared.value,
        spread=spread.value,
        dead=dead_filters(scores).value,
        masked_share=masked,
    )
