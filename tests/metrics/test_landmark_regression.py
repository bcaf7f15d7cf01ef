"""Landmarks that a linear map predicts from the peaks of all filters."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import landmark_regression

FIRST = np.arange(200) < 100


def error(positions, landmarks, scores=None, **options):
    if scores is None:
        scores = np.ones(np.shape(positions)[:2])
    options.setdefault("fit_on", FIRST[: len(landmarks)])
    return landmark_regression(positions, scores, landmarks, 100, **options)


def test_literal_values():
    # One filter that never moves tells nothing: the mean of the first two images,
    # (30, 40), is predicted for the last two, 5 and 10 pixels away in 100.
    landmarks = np.array([[[20, 40]], [[40, 40]], [[33, 44]], [[36, 48.0]]])
    fixed = np.full((4, 1, 2), 7.0)
    found = error(fixed, landmarks, fit_on=np.array([True, True, False, False]))
    assert found.error == pytest.approx((5 + 10) / 2)
    assert found.per_landmark.tolist() == [pytest.approx(7.5)]
    assert found.count.tolist() == [2]
    # In boxes of half the size the same distances are twice as large.
    boxes = np.tile([10.0, 20, 60, 70], (4, 1))
    half = error(fixed, landmarks, fit_on=np.arange(4) < 2, boxes=boxes)
    assert half.error == pytest.approx(15)


def test_any_linear_map_of_the_peaks_is_found(rng):
    landmarks = rng.uniform(0, 100, (200, 3, 2))
    mixed = landmarks[..., ::-1] * [0.5, -0.3] + [10, 60]
    found = error(mixed[:, [2, 0, 1]], landmarks)
    assert found.error < 1e-6
    # The mean distance from the middle of a square is 0.38 of its side.
    assert found.baseline_constant == pytest.approx(38, abs=4)
    assert found.baseline_random > 35
    assert found.filters == 3


def test_a_filter_that_is_silent_is_at_its_mean(rng):
    landmarks = rng.uniform(0, 100, (200, 1, 2))
    scores = np.ones((200, 1))
    scores[150:] = 0
    found = error(landmarks, landmarks, scores)
    # Half of the scored images are predicted at the mean, half exactly.
    assert 0.3 * 50 < found.error < 0.45 * 50
    dead = error(np.full((200, 1, 2), np.nan), landmarks, scores * 0)
    assert dead.error == pytest.approx(found.baseline_constant, rel=0.05)


def test_the_error_is_the_mean_over_all_landmarks_of_all_images(rng):
    landmarks = rng.uniform(0, 100, (200, 2, 2))
    landmarks[110:, 1] = np.nan
    positions = landmarks[:, [0]]
    found = error(positions, landmarks)
    assert found.count.tolist() == [100, 10]
    weighted = (100 * found.per_landmark[0] + 10 * found.per_landmark[1]) / 110
    assert found.error == pytest.approx(weighted)


def test_boxes_carry_the_object_s_place_and_size(rng):
    corner = rng.uniform(0, 50, (200, 1, 2))
    side = rng.uniform(20, 50, (200, 1, 2))
    landmarks = corner + side * [[0.2, 0.1], [0.9, 0.6]]
    boxes = np.concatenate([corner, corner + side], axis=-1)[:, 0]
    found = error(
        np.full((200, 1, 2), np.nan), landmarks, np.zeros((200, 1)), boxes=boxes
    )
    assert found.error == pytest.approx(0.0, abs=1e-9)
    boxes[120:] = np.nan
    fewer = error(landmarks, landmarks, boxes=boxes)
    assert fewer.count.tolist() == [20, 20]


def test_nothing_gives_nan():
    empty = error(np.zeros((6, 0, 2)), np.zeros((6, 1, 2)), fit_on=np.arange(6) < 3)
    assert np.isnan(empty.error)
    unseen = error(
        np.zeros((6, 1, 2)), np.full((6, 2, 2), np.nan), fit_on=np.arange(6) < 3
    )
    assert np.isnan([unseen.error, unseen.baseline_constant]).all()
    assert unseen.count.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fit_on": None}, "Expected fit_on as booleans"),
        ({"fit_on": np.ones(4, bool)}, "Expected choose_on to leave images"),
        ({"boxes": np.zeros((3, 4))}, r"Expected boxes of shape \(4, 4\)"),
        ({"boxes": np.zeros((4, 4))}, "4 boxes without extent"),
    ],
)
def test_bad_input_is_refused(change, message):
    options = {"fit_on": np.arange(4) < 2, **change}
    with pytest.raises(ValueError, match=message):
        error(np.zeros((4, 2, 2)), np.zeros((4, 2, 2)), **options)
