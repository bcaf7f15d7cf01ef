"""What the metrics and the terms of a report mean."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from keras_interp.reporting._page import ReportSection


@dataclasses.dataclass(frozen=True)
class MetricWords:
    """Words for one metric.

    Args:
        label: name for a reader.
        better: `"higher"`, `"lower"` or `""` where neither is better.
        meaning: one or two sentences for a student.
        percent: whether a share is shown as a percentage.
        digits: digits after the point.
        counts: whether a whole number is shown without any.
    """

    label: str
    better: str = ""
    meaning: str = ""
    percent: bool = False
    digits: int = 2
    counts: bool = False

    @property
    def heading(self) -> str:
        """The label with an arrow towards what is better."""
        arrow = {"higher": " ↑", "lower": " ↓"}.get(self.better, "")
        return self.label + arrow

    def text(self, value: float | None, spread: float | None = None) -> str:
        """A value as it is shown; a dash where there is none."""
        if value is None or math.isnan(value):
            return "–"
        scale = 100 if self.percent else 1
        digits = 0 if self.counts and spread is None and value % 1 == 0 else self.digits
        # The minus of print; a value that rounds to nought has none.
        shown = f"{value * scale:z.{digits}f}".replace("-", "−")
        if spread is not None and not math.isnan(spread):
            shown += f" ± {spread * scale:.{self.digits}f}"
        return shown + (" %" if self.percent else "")


_WORDS = {
    "accuracy": MetricWords(
        "Accuracy",
        "higher",
        "Share of test images whose class the network names correctly.",
        percent=True,
        digits=1,
    ),
    "error": MetricWords(
        "Error",
        "lower",
        "Share of test images whose class the network gets wrong.",
        percent=True,
        digits=1,
    ),
    "tracking": MetricWords(
        "Tracking",
        "higher",
        "How much of a part's movement from image to image the filter's peak "
        "follows: 1 is all of it, 0 is what a peak that never moves scores, and a peak "
        "that jumps about at random scores well below 0.",
    ),
    "hit_gain": MetricWords(
        "Hit gain",
        "higher",
        "Share of images in which the filter's peak hits the part, minus the share "
        "that the best fixed place would hit.",
    ),
    "part_detectors": MetricWords(
        "Part detectors",
        "higher",
        "Share of filters with tracking above 0.2 and hit gain above 0.1 on images "
        "that did not choose their part.",
        percent=True,
        digits=0,
    ),
    "tracking_median": MetricWords(
        "Median tracking",
        "higher",
        "Tracking of the filter in the middle of the ranking. The mean can be thrown "
        "by a few filters that fire in few images; this cannot. In brackets the range "
        "that other images of the same kind would plausibly give.",
    ),
    "tracking_pooled": MetricWords(
        "Pooled tracking",
        "higher",
        "One tracking figure for all filters together: filters count by the images "
        "that they fire in and by how far their parts move.",
    ),
    "hit_part_detectors": MetricWords(
        "Filters that track the part they hit",
        "higher",
        "Share of filters whose peak hits a part more often than any fixed place does, "
        "and follows that very part. Tracking alone would call a filter on the breast "
        '"throat", which moves with it.',
        percent=True,
        digits=0,
    ),
    "detected_groups": MetricWords(
        "Different parts found",
        "higher",
        "Number of different parts of the object with a filter that tracks "
        "the part it hits. Landmarks that lie together, such as beak and crown, count "
        "as one part, the head.",
        digits=1,
        counts=True,
    ),
    "part_coverage": MetricWords(
        "Part coverage",
        "higher",
        "Effective number of different parts of the body that the filters cover, of "
        "those filters alone that track the part they hit: 0 without any, 1 if all "
        "follow the same part, 3 if three parts have equally many filters each.",
        digits=1,
    ),
    "part_coverage_strict": MetricWords(
        "Part coverage, strict",
        "higher",
        "The same of part detectors alone whose best tracked landmark lies on the body "
        "part that they hit.",
        digits=1,
    ),
    "part_coverage_of_all": MetricWords(
        "Landmarks followed best",
        "",
        "Effective number of different landmarks that the filters follow best, "
        "counting all filters, however badly they follow it.",
        digits=1,
    ),
    "nmi": MetricWords(
        "NMI",
        "higher",
        "Normalised mutual information, × 100, between landmarks and the filter that "
        "is strongest at each: 100 if each landmark has a filter of its own. It rises "
        "with the number of filters, and for a fixed grid too.",
        digits=1,
    ),
    "ari": MetricWords(
        "ARI",
        "higher",
        "Adjusted Rand index, × 100, between landmarks and the filter that is "
        "strongest at each: 100 if each landmark has a filter of its own, 0 by chance.",
        digits=1,
    ),
    "landmark_regression": MetricWords(
        "Landmark error",
        "lower",
        "Mean distance, in percent of the object's box, between landmarks and where a "
        "linear map from all peaks places them.",
        digits=1,
    ),
    "density": MetricWords(
        "Density",
        "lower",
        "Share of a feature map's cells that are stronger than a hundredth of its "
        "peak: low for a filter with one compact peak, high for one that answers to "
        "texture.",
    ),
    "overlap": MetricWords(
        "Overlap",
        "lower",
        "Chance that two filters peak close to each other in an image; near 1 they "
        "all repeat one another.",
    ),
    "location_instability": MetricWords(
        "Location instability",
        "lower",
        "How much the distance from a filter's peak to the landmarks varies, as a "
        "share of the image's diagonal. A filter that always fires in the middle "
        "does well too, so it is shown beside that filter and never decides "
        "anything alone.",
        digits=3,
    ),
    "part_interpretability": MetricWords(
        "Part interpretability",
        "higher",
        "Share of images in which the region that a filter responds to overlaps its "
        "part by more than 20 % (intersection over union).",
        digits=3,
    ),
    "position_spread": MetricWords(
        "Position spread",
        "",
        "How far a filter's peak wanders over the images, as a share of the "
        "diagonal: 0 is a peak that never moves.",
    ),
    "dead_filters": MetricWords(
        "Dead filters",
        "lower",
        "Share of filters that fire in fewer than one image of twenty.",
        percent=True,
        digits=0,
    ),
    "masked_share": MetricWords(
        "Masked share",
        "",
        "Share of the activation that the masks take away.",
        percent=True,
        digits=0,
    ),
}

METRICS = tuple(_WORDS)


def metric_words(metric: str) -> MetricWords:
    """Words for a metric; a metric that is not listed goes by its own name."""
    return _WORDS.get(metric) or MetricWords(metric.replace("_", " ").capitalize())


_TERMS = (
    (
        "Filter",
        "One of the patterns that a convolutional layer looks for. It is tried at "
        "every place of the image.",
    ),
    (
        "Feature map",
        "What one filter answers: a small image that is bright where the filter "
        "found its pattern. Its brightest cell is the filter's peak.",
    ),
    (
        "Mask",
        "In an interpretable layer each feature map is multiplied by a pyramid around "
        "its peak, so that one peak remains and noise elsewhere is dropped.",
    ),
    (
        "Filter loss",
        "An extra term of the training loss. It is small for a filter that shows one "
        "compact peak in the images of its category and stays silent in others. It "
        "needs no annotation of parts.",
    ),
    (
        "Receptive field",
        "The part of the image that one cell of a feature map depends on; the peak "
        "is drawn at its centre.",
    ),
    (
        "Landmark",
        "A place that people have marked in each image, such as the head. Landmarks "
        "are used to measure filters, never to train them.",
    ),
    (
        "Inter-category entropy",
        "How undecided a filter is between the images of its category and the rest; "
        "it should fall in training.",
    ),
    (
        "Spatial entropy",
        "How undecided a filter is between places in an image; it should fall too.",
    ),
)


# Words that belong to interpretable layers alone.
_OF_INTERPRETABLE = ("Mask", "Filter loss", "Inter-category entropy", "Spatial entropy")


def glossary(
    metrics: Iterable[str] = (), has_interpretable: bool = True
) -> ReportSection:
    """The section that explains the words, those of the given metrics included.

    Args:
        metrics: names as in `results.json`; only those that are explained somewhere
            appear.
        has_interpretable: whether there is an interpretable layer to speak of.
    """
    terms = [
        term for term in _TERMS if has_interpretable or term[0] not in _OF_INTERPRETABLE
    ]
    words = [metric_words(metric) for metric in dict.fromkeys(metrics)]
    measured = [(word.label, word.meaning) for word in words if word.meaning]
    return ReportSection("Glossary", terms=[*terms, *measured])
