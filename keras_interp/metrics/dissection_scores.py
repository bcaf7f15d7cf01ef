"""Result of network dissection."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.metrics.dissection_counts import DissectionCounts


@dataclasses.dataclass(frozen=True)
class DissectionScores:
    """Which concept each filter detects, and how well.

    Args:
        value: the number of unique detectors, the paper's headline; NaN where no
            picture showed a concept.
        per_filter: float `(F,)`, each filter's greatest intersection over union.
        concept: int `(F,)`, the concept of that; -1 where a filter meets none.
        is_detector: bool `(F,)`, whether `per_filter` exceeds the `iou` asked for.
        per_concept: float `(F, C)`, intersection over union of every filter and
            concept over the whole set; NaN for concepts that no picture shows.
        ceiling: float `(F, C)`, the greatest intersection over union that the two areas
            allow: the smaller divided by the larger. Where it is small, the figure
            says nothing about what the filter follows.
        thresholds: float `(F,)`, the level above which a filter's region lies.
        concept_names: the C names.
        concept_categories: the category of each concept.
    """

    value: float
    per_filter: np.ndarray
    concept: np.ndarray
    is_detector: np.ndarray
    per_concept: np.ndarray
    ceiling: np.ndarray
    thresholds: np.ndarray
    concept_names: list[str]
    concept_categories: list[str]

    @property
    def detectors(self) -> int:
        """How many filters detect a concept."""
        return int(self.is_detector.sum())

    @property
    def unique_detectors(self) -> int:
        """How many different concepts are detected by at least one filter."""
        return len(self.detected)

    @property
    def detected(self) -> np.ndarray:
        """int array: the concepts that at least one filter detects, in order."""
        return np.unique(self.concept[self.is_detector])

    @property
    def detectors_by_category(self) -> dict[str, int]:
        """How many filters detect a concept of each category."""
        return self._by_category(self.concept[self.is_detector])

    @property
    def unique_detectors_by_category(self) -> dict[str, int]:
        """How many concepts of each category are detected by at least one filter."""
        return self._by_category(self.detected)

    def _by_category(self, concepts: np.ndarray) -> dict[str, int]:
        counts = dict.fromkeys(self.concept_categories, 0)
        for concept in concepts:
            counts[self.concept_categories[concept]] += 1
        return counts

    @classmethod
    def of(
        cls,
        counts: DissectionCounts,
        thresholds: np.ndarray,
        iou: float,
        concept_names: list[str],
        concept_categories: list[str],
    ) -> DissectionScores:
        """Judges the filters by their counts of pixels."""
        per_concept, ceiling = counts.overlaps()
        known = np.where(np.isnan(per_concept), -np.inf, per_concept)
        concept = known.argmax(axis=1)
        greatest = known.max(axis=1)
        is_detector = greatest > iou
        judged = np.isfinite(greatest)
        unique = len(np.unique(concept[is_detector]))
        return cls(
            value=float(unique) if judged.any() else float("nan"),
            per_filter=np.where(judged, greatest, np.nan),
            concept=np.where(greatest > 0, concept, -1),
            is_detector=is_detector,
            per_concept=per_concept,
            ceiling=ceiling,
            thresholds=thresholds,
            concept_names=concept_names,
            concept_categories=concept_categories,
        )
