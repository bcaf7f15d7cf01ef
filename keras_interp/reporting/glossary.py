"""The words of a report, for somebody who meets them for the first time."""

from __future__ import annotations

from collections.abc import Iterable

from keras_interp.reporting.metric_words import metric_words
from keras_interp.reporting.report_section import ReportSection

_TERMS = (
    (
        "Filter",
        "One of the patterns that a convolutional layer looks for. It is tried at "
        "every place of the picture.",
    ),
    (
        "Feature map",
        "What one filter answers: a small picture that is bright where the filter "
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
        "compact peak in the pictures of its category and stays silent in others. It "
        "needs no annotation of parts.",
    ),
    (
        "Receptive field",
        "The part of the picture that one cell of a feature map depends on; the peak "
        "is drawn at its centre.",
    ),
    (
        "Landmark",
        "A place that people have marked in each picture, such as the head. Landmarks "
        "are used to measure filters, never to train them.",
    ),
    (
        "Inter-category entropy",
        "How undecided a filter is between the pictures of its category and the rest; "
        "it should fall in training.",
    ),
    (
        "Spatial entropy",
        "How undecided a filter is between places in a picture; it should fall too.",
    ),
)


def glossary(metrics: Iterable[str] = ()) -> ReportSection:
    """The section that explains the words, those of the given metrics included.

    Args:
        metrics: names as in `results.json`; only those that are explained somewhere
            appear.
    """
    words = [metric_words(metric) for metric in dict.fromkeys(metrics)]
    measured = [(word.label, word.meaning) for word in words if word.meaning]
    return ReportSection("Glossary", terms=[*_TERMS, *measured])
