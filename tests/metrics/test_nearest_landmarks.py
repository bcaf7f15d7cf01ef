"""The landmark that a filter stays nearest to."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_interp.metrics import nearest_landmarks

NAN = np.nan
# Two images of 3 by 4 pixels (a diagonal of 5), two landmarks.
LANDMARKS = np.array([[[0.0, 0.0], [4.0, 3.0]], [[1.0, 0.0], [4.0, 0.0]]])
SIZE = (3, 4)


def test_known_values():
    positions = np.array([[[0.0, 0.0], [4.0, 3.0]], [[4.0, 4.0], [3.0, 0.0]]])
    found = nearest_landmarks(positions, np.ones((2, 2)), LANDMARKS, SIZE)
    # Filter 0: to landmark 0 distances 0 and 5, to landmark 1 distances 5 and 4.
    # Filter 1: 5 and 2; 0 and 1.
    assert found.landmark.tolist() == [0, 1]
    np.testing.assert_allclose(found.distance, [2.5 / 5, 0.5 / 5])


def test_constructed_filters(constructed):
    found = nearest_landmarks(*constructed.arguments, top=None)
    perfect, offset = constructed["perfect"], constructed["offset"]
    assert found.landmark[[perfect, offset]].tolist() == [1, 1]
    assert found.distance[perfect] == 0.0
    diagonal = 224 * np.sqrt(2)
    assert found.distance[offset] == pytest.approx(np.hypot(9, 14) / diagonal)
    assert found.landmark[constructed["two parts"]] in (0, 2)
    assert found.landmark[constructed["dead"]] == -1
    assert np.isnan(found.distance[constructed["dead"]])


def test_a_silent_filter_has_no_landmark():
    positions = np.zeros((2, 3, 2))
    positions[:, 1] = NAN
    scores = np.array([[0.0, 1.0, NAN], [0.0, 1.0, NAN]])
    found = nearest_landmarks(positions, scores, LANDMARKS, SIZE)
    assert found.landmark.tolist() == [-1, -1, -1]
    assert np.isnan(found.distance).all()


def test_ties_go_to_the_first_landmark():
    landmarks = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
    found = nearest_landmarks(np.zeros((1, 1, 2)), np.ones((1, 1)), landmarks, SIZE)
    assert found.landmark.tolist() == [0]
    np.testing.assert_allclose(found.distance, [0.2])


def test_absent_landmarks_do_not_count():
    landmarks = LANDMARKS.copy()
    landmarks[0, 0] = NAN
    positions = np.array([[[0.0, 0.0]], [[4.0, 4.0]]])
    found = nearest_landmarks(positions, np.ones((2, 1)), landmarks, SIZE)
    # Distances 5 to landmark 0, in the second image alone; 5 and 4 to landmark 1.
    assert found.landmark.tolist() == [1]
    np.testing.assert_allclose(found.distance, [4.5 / 5])
    # One coordinate is enough to be absent.
    landmarks[:, 1, 1] = NAN
    found = nearest_landmarks(positions, np.ones((2, 1)), landmarks, SIZE)
    assert found.landmark.tolist() == [0]
    np.testing.assert_allclose(found.distance, [1.0])
    landmarks[:] = NAN
    found = nearest_landmarks(positions, np.ones((2, 1)), landmarks, SIZE)
    assert found.landmark.tolist() == [-1]


@pytest.mark.parametrize(("top", "landmark"), [(1, 0), (2, 0), (3, 1), (None, 1)])
def test_the_images_that_activate_a_filter_most_count(top, landmark):
    landmarks = np.tile([[[0.0, 0.0], [4.0, 3.0]]], (4, 1, 1))
    # On landmark 0 where it fires most, on landmark 1 elsewhere; once silent.
    positions = np.array([[[4.0, 3.0]], [[0.0, 0.0]], [[4.0, 3.0]], [[NAN, NAN]]])
    scores = np.array([[2.0], [9.0], [1.0], [0.0]])
    found = nearest_landmarks(positions, scores, landmarks, SIZE, top=top)
    assert found.landmark.tolist() == [landmark]


def test_of_equal_scores_the_first_image_counts():
    landmarks = np.tile([[[0.0, 0.0], [4.0, 3.0]]], (2, 1, 1))
    positions = np.array([[[4.0, 3.0]], [[0.0, 0.0]]])
    found = nearest_landmarks(positions, np.ones((2, 1)), landmarks, SIZE, top=1)
    assert found.landmark.tolist() == [1]


def scene(seed):
    """Peaks and landmarks without any tie, some of them absent."""
    rng = np.random.default_rng(seed)
    images, filters, landmarks = rng.integers(1, 9, 3)
    positions = rng.uniform(0, 64, (images, filters, 2))
    places = rng.uniform(0, 64, (images, landmarks, 2))
    positions[rng.random((images, filters)) < 0.2] = NAN
    places[rng.random((images, landmarks)) < 0.3] = NAN
    return positions, rng.uniform(0.1, 1, (images, filters)), places


@hypothesis.given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_order_of_the_images_does_not_count(seed, top):
    positions, scores, landmarks = scene(seed)
    order = np.random.default_rng(seed + 1).permutation(len(scores))
    found = nearest_landmarks(positions, scores, landmarks, 64, top)
    again = nearest_landmarks(
        positions[order], scores[order], landmarks[order], 64, top
    )
    np.testing.assert_array_equal(again.landmark, found.landmark)
    np.testing.assert_allclose(again.distance, found.distance)


@hypothesis.given(st.integers(0, 10**6))
def test_it_is_the_nearest_of_all(seed):
    """Against a loop over filters and landmarks."""
    positions, scores, landmarks = scene(seed)
    found = nearest_landmarks(positions, scores, landmarks, 64, None)
    for number, landmark in enumerate(found.landmark):
        means = []
        for place in range(landmarks.shape[1]):
            lengths = np.hypot(*(positions[:, number] - landmarks[:, place]).T)
            known = lengths[np.isfinite(lengths)]
            means.append(known.mean() if len(known) else np.inf)
        if landmark < 0:
            assert np.isinf(means).all()
        else:
            assert landmark == np.argmin(means)
            expected = min(means) / (64 * np.sqrt(2))
            assert found.distance[number] == pytest.approx(expected)


@hypothesis.given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_distances_are_shares_of_the_image(seed, factor):
    positions, scores, landmarks = scene(seed)
    found = nearest_landmarks(positions, scores, landmarks, 64)
    larger = nearest_landmarks(
        positions * factor, 7 * scores, landmarks * factor, 64 * factor
    )
    np.testing.assert_array_equal(larger.landmark, found.landmark)
    np.testing.assert_allclose(larger.distance, found.distance)


def test_no_image_and_no_landmark():
    found = nearest_landmarks(
        np.zeros((0, 3, 2)), np.zeros((0, 3)), np.zeros((0, 2, 2)), 64
    )
    assert found.landmark.tolist() == [-1, -1, -1]
    found = nearest_landmarks(
        np.zeros((4, 3, 2)), np.ones((4, 3)), np.zeros((4, 0, 2)), 64
    )
    assert found.landmark.tolist() == [-1, -1, -1]
    assert np.isnan(found.distance).all()


@pytest.mark.parametrize(
    ("positions", "scores", "landmarks", "size", "message"),
    [
        (
            np.zeros((2, 2)),
            np.ones((2, 1)),
            LANDMARKS,
            SIZE,
            "Expected positions of shape",
        ),
        (np.zeros((2, 1, 2)), np.ones(2), LANDMARKS, SIZE, "Expected scores of shape"),
        (
            np.zeros((2, 1, 2)),
            np.ones((2, 1)),
            LANDMARKS[:1],
            SIZE,
            "positions of 2 images",
        ),
        (
            np.zeros((2, 1, 2)),
            np.ones((2, 1)),
            LANDMARKS[0],
            SIZE,
            "Expected landmarks of shape",
        ),
        (np.zeros((2, 1, 2)), np.ones((2, 1)), LANDMARKS, 0, "Expected image_size"),
    ],
)
def test_bad_input_is_refused(positions, scores, landmarks, size, message):
    with pytest.raises(ValueError, match=message):
        nearest_landmarks(positions, scores, landmarks, size)


@pytest.mark.parametrize("top", [0, -1])
def test_no_image_to_count_is_refused(top):
    with pytest.raises(ValueError, match=f"positive number of images.*top={top}"):
        nearest_landmarks(np.zeros((2, 1, 2)), np.ones((2, 1)), LANDMARKS, SIZE, top)
