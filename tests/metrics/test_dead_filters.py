"""Filters that hardly fire."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import dead_filters


def test_filters_below_the_share_are_dead():
    scores = np.zeros((100, 4))
    scores[:4, 1] = 1.0
    scores[:5, 2] = 1.0
    scores[:, 3] = np.nan
    found = dead_filters(scores)
    assert found.per_filter.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert found.value == 0.75
    assert dead_filters(scores, least=0.04).value == 0.5


def test_no_images_give_nan():
    assert np.isnan(dead_filters(np.zeros((0, 3))).value)


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected scores of shape \(images, filters\)"
    ):
        dead_filters(np.zeros(3))
    with pytest.raises(
        ValueError, match="Expected least as a share from.*Received: least=2"
    ):
        dead_filters(np.zeros((3, 3)), least=2)
