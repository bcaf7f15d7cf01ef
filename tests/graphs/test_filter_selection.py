"""Which filters a node keeps."""

from __future__ import annotations

import numpy as np

from keras_interp.graphs._filter_selection import select_filters


def test_filters_that_say_nothing_about_the_score_are_left_out():
    random = np.random.default_rng(0)
    contributions = random.normal(size=(200, 6))
    targets = contributions[:, :2].sum(axis=1) + 3.0
    chosen = select_filters(contributions, targets, "lasso", 1e-3)
    np.testing.assert_array_equal(chosen, [True, True, False, False, False, False])


def test_a_larger_price_keeps_fewer_filters():
    random = np.random.default_rng(1)
    contributions = random.normal(size=(100, 8))
    targets = contributions @ np.linspace(0.1, 1.0, 8)
    counts = [
        select_filters(contributions, targets, "lasso", price).sum()
        for price in (1e-6, 0.05, 0.1)
    ]
    assert counts[0] == 8
    assert counts[0] > counts[1] > counts[2] > 0


def test_where_no_filter_would_be_left_all_are_kept():
    contributions = np.random.default_rng(2).normal(size=(20, 3))
    assert select_filters(contributions, np.ones(20), "lasso", 1e3).all()


def test_of_one_image_and_without_a_method_all_are_kept():
    contributions = np.random.default_rng(3).normal(size=(5, 3))
    assert select_filters(contributions[:1], np.ones(1), "lasso", 1e-6).all()
    assert select_filters(contributions, np.arange(5.0), None, 1e-6).all()
