"""Effective number of parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.metrics import part_coverage


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([3, 3, 3, 3], 1.0),
        ([0, 1, 2, 3], 4.0),
        ([0, 0, 1, 1], 2.0),
        # exp(-(0.75 ln 0.75 + 0.25 ln 0.25))
        ([0, 0, 0, 1], 1.7547653506033998),
        ([2, -1, -1], 1.0),
        ([-1, -1], 0.0),
        ([], 0.0),
    ],
)
def test_known_values(parts, expected):
    assert part_coverage(parts) == pytest.approx(expected)


def test_weights_count():
    assert part_coverage([0, 1, 2], [1, 1, 0]) == pytest.approx(2.0)
    assert part_coverage([0, 0, 1], [1, 2, 3]) == pytest.approx(2.0)
    assert part_coverage([0, 1], [np.nan, 1.0]) == pytest.approx(1.0)
    assert part_coverage([0, 1], [0.0, 0.0]) == 0.0
    assert part_coverage([0, 1], np.array([True, False])) == pytest.approx(1.0)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_lies_between_one_and_the_number_of_parts(parts):
    assert 1 - 1e-9 <= part_coverage(parts) <= len(set(parts)) + 1e-9


@pytest.mark.parametrize(
    ("parts", "weights", "message"),
    [
        ([[0, 1]], None, "shape \\(filters,\\)"),
        ([0.5], None, "whole numbers"),
        (["head"], None, "real numbers"),
        ([0, 1], [1.0], "shape of parts"),
        ([0, 1], [1.0, -1.0], "not negative"),
        ([0, 1], [1.0, np.inf], "finite"),
    ],
)
def test_bad_input_is_refused(parts, weights, message):
    with pytest.raises(ValueError, match=message):
        part_coverage(parts, weights)
