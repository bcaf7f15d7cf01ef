"""Tables and bars made of rows as in `results.json`."""

from __future__ import annotations

import pytest

from keras_interp.reporting import instability_bars, results_tables


def row(name, metric, value, **more):
    return {"table": "t", "row": name, "metric": metric, "value": value, **more}


def test_networks_stand_beside_each_other():
    (table,) = results_tables(
        [
            row("ordinary", "tracking", -0.25),
            row("interpretable", "tracking", 0.81, spread=0.02),
            row("ordinary", "accuracy", 0.985),
            row("interpretable", "accuracy", None),
        ]
    )
    assert table.columns == ["metric", "ordinary", "interpretable"]
    # In the order in which metrics are read, accuracy first.
    assert table.rows == [
        ["Accuracy ↑", "98.5 %", "–"],
        ["Tracking ↑", "−0.25", "0.81 ± 0.02"],
    ]


def test_an_interval_stands_in_brackets():
    (table,) = results_tables(
        [
            row("ordinary", "tracking_median", 0.5),
            row("ordinary", "tracking_median_low", -0.1),
            row("ordinary", "tracking_median_high", 0.62),
            row("interpretable", "tracking_median", 0.8),
            row("interpretable", "range_low", 3.0),
        ]
    )
    assert table.rows == [
        ["Median tracking ↑", "0.50 [−0.10, 0.62]", "0.80"],
        ["Range low", "–", "3.00"],
    ]


def test_paper_values_and_baselines_have_their_columns():
    (table,) = results_tables(
        [
            row(
                "interpretable",
                "location_instability",
                0.07,
                paper_value=0.085,
                baseline_constant=0.06,
                baseline_random=0.16,
            ),
            row("interpretable", "tracking", 0.8, paper_value=None),
        ]
    )
    assert table.columns == [
        "metric",
        "interpretable",
        "paper: interpretable",
        "best constant",
        "random",
    ]
    assert table.rows[0] == ["Tracking ↑", "0.80", "–", "", ""]
    assert table.rows[1] == [
        "Location instability ↓",
        "0.070",
        "0.085",
        "0.060",
        "0.160",
    ]


def test_names_with_slashes_make_a_table_for_each_metric():
    tables = results_tables(
        [
            row(f"{network}/squeezenet/{animal}", metric, value)
            for metric in ("hit_gain", "accuracy")
            for network, animal, value in [
                ("ordinary", "dog", 0.1),
                ("interpretable", "dog", 0.2),
                ("interpretable", "mean", 0.3),
            ]
        ]
    )
    assert [table.columns[0] for table in tables] == ["Accuracy ↑", "Hit gain ↑"]
    assert tables[1].columns == ["Hit gain ↑", "ordinary", "interpretable"]
    assert tables[1].rows == [
        ["squeezenet/dog", "0.10", "0.20"],
        ["squeezenet/mean", "–", "0.30"],
    ]


def test_no_rows_no_tables():
    assert results_tables([]) == []
    assert instability_bars([]) is None


def test_bars_stand_beside_their_baselines():
    bars = instability_bars(
        [
            row("ordinary", "location_instability", 0.14, baseline_constant=0.06),
            row("interpretable", "location_instability", 0.05, baseline_constant=0.08),
            row("other", "location_instability", None),
            row("ordinary", "tracking", 0.5),
        ]
    )
    assert bars.labels == ["ordinary", "interpretable", "best constant"]
    assert bars.values == pytest.approx([0.14, 0.05, 0.07])
    assert bars.measured == [True, True, False]


def test_a_row_without_its_metric_is_refused():
    with pytest.raises(ValueError, match="Expected each row of results with"):
        results_tables([{"row": "ordinary", "value": 1.0}])
