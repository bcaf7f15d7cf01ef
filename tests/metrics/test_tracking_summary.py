"""Median and pooled tracking, and their intervals over images."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import tracking, tracking_summary


def summary(positions, landmarks, scores=None, **options):
    if scores is None:
        scores = np.ones(positions.shape[:2])
    return tracking_summary(positions, scores, landmarks, 224, **options)


def test_literal_values():
    # The part moves by 0, 2, 4 (variance 8/3); offsets of 0 and of 0, 1, 2 (2/3).
    part = np.array([0.0, 2.0, 4.0])
    landmarks = np.stack([part, part * 0], axis=-1)[:, None]
    positions = np.concatenate([landmarks, landmarks / 2], axis=1)
    found = summary(positions, landmarks, resamples=10)
    # Tracking of 1 and of 1 - (2/3) / (8/3) = 0.75; pooled 1 - (0 + 2) / (8 + 8).
    assert found.median == pytest.approx(0.875)
    assert found.pooled == pytest.approx(0.875)
    assert found.filters == 2
    scores = np.array([[1, 1], [1, 1], [1, 0.0]])
    found = summary(positions, landmarks, scores, resamples=10)
    # The second filter in two images: 1 - (1/4) / 1; 1 - (0 + 1/2) / (8 + 2).
    assert found.median == pytest.approx(0.875)
    assert found.pooled == pytest.approx(0.95)


def test_a_filter_with_few_images_throws_the_mean_alone(rng):
    landmarks = rng.normal(112, 40, (400, 1, 2))
    positions = landmarks + rng.normal(0, 15, (400, 20, 2))
    scores = np.ones((400, 20))
    # The last one fires three times, always where the part hardly moves.
    scores[3:, -1] = 0
    landmarks[:3] = [[[100, 100]], [[101, 100]], [[100, 101]]]
    positions[:3, -1] = [[0, 0], [200, 0], [0, 200]]
    found = summary(positions, landmarks, scores)
    assert tracking(positions, scores, landmarks, 224).value < -100
    assert 0.8 < found.median < 0.9
    assert 0.0 < found.pooled < 0.9
    low, high = found.median_interval
    assert low < found.median < high
    assert high - low < 0.1


def test_the_median_is_that_of_tracking(constructed):
    first = np.arange(1000) < 500
    arguments = constructed.arguments
    found = tracking_summary(*arguments, choose_on=first, resamples=20)
    each = tracking(*arguments, choose_on=first).per_filter
    assert found.median == pytest.approx(np.nanmedian(each))
    assert found.filters == np.isfinite(each).sum()


def test_the_interval_holds_what_other_images_give():
    """Of 60 samples of one process, about 95 in 100 intervals hold the truth."""
    rng = np.random.default_rng(3)
    truth = 1 - 20**2 / 40**2
    inside = []
    for seed in range(60):
        landmarks = rng.normal(112, 40, (80, 1, 2))
        positions = landmarks + rng.normal(0, 20, (80, 4, 2))
        found = summary(positions, landmarks, resamples=100, seed=seed)
        low, high = found.pooled_interval
        inside.append(low <= truth <= high)
    assert 0.83 <= np.mean(inside) <= 1.0


def test_it_is_repeatable_and_narrows_with_images():
    rng = np.random.default_rng(0)
    landmarks = rng.normal(112, 40, (900, 1, 2))
    positions = landmarks + rng.normal(0, 20, (900, 3, 2))
    all_of_them = summary(positions, landmarks, seed=5)
    assert all_of_them == summary(positions, landmarks, seed=5)
    few = summary(positions[:60], landmarks[:60])
    width = np.diff([few.pooled_interval, all_of_them.pooled_interval], axis=1)[:, 0]
    assert width[0] > 2 * width[1]
    narrow = summary(positions, landmarks, confidence=0.5)
    assert np.ptp(narrow.pooled_interval) < width[1]


def test_categories_count_for_their_filters(rng):
    landmarks = rng.normal(112, 40, (100, 1, 2))
    labels = np.arange(100) % 2
    positions = np.where((labels == 0)[:, None, None], landmarks, 0.0)
    found = summary(positions, landmarks, labels=labels, categories=np.array([0]))
    assert found.median == found.pooled == pytest.approx(1.0)


def test_nothing_gives_nan():
    for shape in ((0, 2, 3), (5, 0, 3), (5, 2, 0)):
        images, filters, parts = shape
        found = summary(np.zeros((images, filters, 2)), np.zeros((images, parts, 2)))
        assert np.isnan([found.median, found.pooled, *found.median_interval]).all()
        assert found.filters == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resamples": 0}, "Expected resamples as a positive number"),
        ({"confidence": 1}, "Expected confidence as a share between 0 and 1"),
        ({"choose_on": [True]}, "Expected choose_on as booleans"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        summary(np.zeros((4, 2, 2)), np.zeros((4, 2, 2)), **change)
