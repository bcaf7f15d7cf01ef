"""Counts of filters by part."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.plotting import part_histogram


def lengths(ax, bars=0):
    return [patch.get_width() for patch in ax.containers[bars]]


def test_filters_are_counted():
    ax = part_histogram(np.array([0, 2, 2, 2]), ["head", "back", "tail"])
    assert lengths(ax) == [1, 0, 3]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "head",
        "back",
        "tail",
    ]


def test_weak_filters_and_those_without_a_part_are_told_apart():
    parts = np.array([0, 0, 1, -1])
    detectors = np.array([True, False, True, False])
    ax = part_histogram(parts, ["head", "tail"], detectors=detectors)
    assert lengths(ax, 0) == [1, 1, 0]
    assert lengths(ax, 1) == [1, 0, 1]
    assert ax.get_yticklabels()[2].get_text() == "none"


def test_no_filter_at_all():
    assert lengths(part_histogram(np.zeros(0, int), ["head"])) == [0]


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected parts as integers of shape \(filters,\)"
    ):
        part_histogram(np.array([0.0]), ["head"])
    with pytest.raises(
        ValueError,
        match=r"Expected parts from -1 \(none\) to.*Received: parts from 1 to 1",
    ):
        part_histogram(np.array([1]), ["head"])
    with pytest.raises(
        ValueError,
        match=r"Expected detectors of the shape of",
    ):
        part_histogram(np.array([0]), ["head"], detectors=[True, False])
