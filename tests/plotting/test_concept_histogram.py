"""Bars of the concepts that filters detect."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_interp.metrics import DissectionScores
from keras_interp.plotting import concept_histogram


def scores(concept, is_detector):
    """Result with the given concepts of filters out of two parts and two colours."""
    concept = np.array(concept)
    return DissectionScores(
        value=0.0,
        per_filter=np.zeros(len(concept)),
        concept=concept,
        is_detector=np.array(is_detector, bool),
        per_concept=np.zeros((len(concept), 4)),
        ceiling=np.zeros((len(concept), 4)),
        thresholds=np.zeros(len(concept)),
        concept_names=["red", "head", "green", "tail"],
        concept_categories=["color", "part", "color", "part"],
    )


@pytest.fixture
def dissection():
    return scores([1, 2, 2, 3, 3, 3, 0, -1], [1, 1, 1, 1, 1, 1, 0, 0])


def bars(ax):
    names = [label.get_text() for label in ax.get_yticklabels()]
    lengths = [patch.get_width() for patch in ax.containers[0]]
    return list(zip(names, lengths, strict=True))


def test_detectors_are_counted_by_category_and_number(dissection):
    ax = concept_histogram(dissection)
    # Filter 6 comes closest to red, but not close enough.
    assert bars(ax) == [("green", 2), ("tail", 3), ("head", 1)]
    assert ax.get_title() == "3 unique detectors; 6 of 8 filters detect a concept"
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["color: 1", "part: 2"]


def test_a_category_has_one_colour(dissection):
    colors = [bar.get_facecolor() for bar in concept_histogram(dissection).patches]
    assert colors[1] == colors[2] != colors[0]


def test_undetected_concepts_can_be_named(dissection):
    ax = concept_histogram(dissection, undetected=True, title="fire9")
    assert bars(ax) == [("green", 2), ("red", 0), ("tail", 3), ("head", 1)]
    assert ax.get_title() == "fire9"


def test_nothing_detected():
    ax = concept_histogram(scores([0, -1], [0, 0]))
    assert bars(ax) == []
    assert [text.get_text() for text in ax.texts] == ["no filter detects a concept"]


def test_given_axes_are_drawn_on_and_nothing_is_left_in_pyplot(dissection, tmp_path):
    before = plt.get_fignums()
    ax = Figure().subplots()
    assert concept_histogram(dissection, ax) is ax
    ax.figure.savefig(tmp_path / "concepts.png")
    assert plt.get_fignums() == before


def test_other_results_are_refused():
    with pytest.raises(
        ValueError,
        match=r"Expected dissection as ki\.metrics\.network_dissection gives it",
    ):
        concept_histogram(np.zeros(3))
