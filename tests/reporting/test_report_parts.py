"""The pieces that a report is made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keras_interp.plotting import overlay
from keras_interp.reporting import ReportBars, ReportFigure, ReportSection, ReportTable
from keras_interp.reporting._sections import limit_of_dead
from keras_interp.reporting._words import METRICS, glossary, metric_words


def test_a_table_knows_its_numbers():
    table = ReportTable(["part", "a", "b", "c"], [["head", "−0.2", "", "yes"]])
    assert table.holds_numbers == [False, True, False, False]
    named = ReportTable(["a", "b"], [["003.Sooty_Albatross", "12 of 64"]])
    assert named.holds_numbers == [False, True]
    assert ReportTable(["a", "b"], []).holds_numbers == [False, False]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected row 1 to have 2.*Received: \['3'\]"
    ):
        ReportTable(["a", "b"], [["1", "2"], ["3"]])


def test_bars_are_shares_of_the_longest():
    bars = ReportBars(["a", "b", "c"], [0.1, 0.4, math.nan], [True, True, False])
    assert bars.shares == pytest.approx([25.0, 100.0, 0.0])
    assert ReportBars(["a"], [0.0], [True]).shares == [0.0]


def test_bad_bars_are_refused():
    with pytest.raises(
        ValueError,
        match="Expected labels, values and measured of.*Received: 2, 1 and 1",
    ):
        ReportBars(["a", "b"], [1.0], [True])
    with pytest.raises(ValueError, match="at least 0 long"):
        ReportBars(["a"], [-1.0], [True])


def test_a_figure_holds_its_png():
    ax = overlay(np.zeros((4, 4)), np.eye(4))
    for drawing in (ax, ax.figure, np.array([[ax]])):
        figure = ReportFigure.drawn(drawing, "a caption", dpi=20)
        assert figure.png.startswith(b"\x89PNG")
        assert figure.data_address.startswith("data:image/png;base64,iVBOR")


def test_other_bytes_are_no_figure():
    with pytest.raises(ValueError, match="bytes of a PNG file"):
        ReportFigure(b"GIF89a")


def test_anchors_are_made_of_the_title():
    assert ReportSection("What came out: 1 & 2").anchor == "what-came-out-1-2"


@pytest.mark.parametrize(
    ("metric", "value", "spread", "text"),
    [
        ("accuracy", 0.9567, None, "95.7 %"),
        ("accuracy", 0.95, 0.012, "95.0 ± 1.2 %"),
        ("tracking", -0.304, None, "−0.30"),
        ("tracking", -0.001, None, "0.00"),
        ("location_instability", 0.0616, 0.002, "0.062 ± 0.002"),
        ("dead_filters", None, None, "–"),
        ("dead_filters", math.nan, None, "–"),
        ("something_new", 1.0, None, "1.00"),
    ],
)
def test_values_as_they_are_shown(metric, value, spread, text):
    assert metric_words(metric).text(value, spread) == text


def test_arrows_point_to_what_is_better():
    assert metric_words("tracking").heading == "Tracking ↑"
    assert metric_words("location_instability").heading == "Location instability ↓"
    assert metric_words("position_spread").heading == "Position spread"


def test_the_glossary_explains_each_metric_once():
    terms = [term for term, _ in glossary([*METRICS, "tracking", "unknown"]).terms]
    assert terms.count("Tracking") == 1
    assert "Filter" in terms and "Unknown" not in terms
    assert len(terms) == len(set(terms))


def test_more_than_a_tenth_of_dead_filters_are_a_limit():
    assert limit_of_dead(0.1) == [] and limit_of_dead(float("nan")) == []
    (sentence,) = limit_of_dead(0.11)
    assert sentence.startswith("11% of the filters hardly ever fire")
