"""Deterministic splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.datasets.readers._splits import (
    check_split,
    split_as_authors,
    split_by_groups,
)


def test_every_fourth_group_of_each_stratum_is_test():
    groups = np.array([5, 5, 2, 2, 9, 1, 7, 7, 30, 31, 32, 33])
    strata = np.array([0] * 8 + [1] * 4)
    split = split_by_groups(groups, strata, 0.25)
    # Groups in order of appearance: 5 2 9 1 7 and 30 31 32 33.
    assert groups[split == "test"].tolist() == [1, 33]


@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    fraction=st.floats(0.05, 0.95),
)
def test_groups_stay_together_and_the_share_is_right(groups, fraction):
    groups = np.array(groups)
    split = split_by_groups(groups, np.zeros_like(groups), fraction)
    for group in np.unique(groups):
        assert len(set(split[groups == group])) == 1
    in_test = len(np.unique(groups[split == "test"]))
    assert abs(in_test - fraction * len(np.unique(groups))) < 1 + 1e-6


@pytest.mark.parametrize(
    ("count", "in_test"),
    # FORMAT of the benchmark, column "val": dog, cat, horse, cattle, sheep, bird, lion
    [(688, 69), (529, 53), (752, 75), (230, 23), (217, 22), (236, 24), (660, 66)],
)
def test_the_authors_split_has_the_published_counts(count, in_test):
    split = split_as_authors(count)
    assert (split == "test").sum() == in_test
    assert split[0] == split[-1] == "train"


def test_the_authors_split_of_ten():
    # round(linspace(1, 10, 9)) = 1 2 3 4 6 7 8 9 10, where 5.5 rounds away from zero
    assert np.flatnonzero(split_as_authors(10) == "test").tolist() == [4]


def test_authors_is_short_for_both_sides_of_their_split():
    known = ("photo", "authors")
    assert check_split("authors", "photo", known) == (None, "authors")
    assert check_split("test", "authors", known) == ("test", "authors")
    assert check_split(None, "photo", known) == (None, "photo")
    with pytest.raises(ValueError, match='split as "train", "test" or None for'):
        check_split("validation", "photo", known)
    with pytest.raises(ValueError, match="split_by as 'photo' or 'authors'"):
        check_split(None, "class", known)
