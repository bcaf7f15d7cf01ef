"""Tracking of constructed filters, held-out images, categories and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.metrics import tracking


def test_constructed_filters(constructed):
    found = tracking(*constructed.arguments)
    figure = dict(zip(constructed.names, found.per_filter, strict=True))
    assert figure["constant"] == 0.0
    assert figure["perfect"] == pytest.approx(1.0, abs=1e-12)
    assert figure["offset"] == pytest.approx(1.0, abs=1e-12)
    # Uniform over all of the image: minus its variance over that of the landmarks.
    assert figure["random"] == pytest.approx(-((224 / 184) ** 2), abs=0.2)
    # Right half of the time, independent the other half: 1 - 2 * 0.5 = 0.
    assert figure["two parts"] == pytest.approx(0.0, abs=0.15)
    assert np.isnan(figure["dead"])
    assert found.part[constructed["perfect"]] == 1
    assert found.part[constructed["two parts"]] in (0, 2)
    assert found.part[constructed["dead"]] == -1
    assert found.count[constructed["dead"]] == 0
    assert found.value == pytest.approx(np.nanmean(found.per_filter))


def test_definition_pair_by_pair(constructed):
    found = tracking(*constructed.arguments)
    for index in range(5):
        for part in range(3):
            p = constructed.landmarks[:, part]
            seen = ~np.isnan(p[:, 0])
            p, mu = p[seen], constructed.positions[seen, index]
            expected = 1 - np.var(p - mu, axis=0).sum() / np.var(p, axis=0).sum()
            assert found.per_part[index, part] == pytest.approx(expected, abs=1e-10)


@settings(max_examples=50, deadline=None)
@given(
    place=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    seed=st.integers(0, 100),
    shown=st.floats(0.1, 1.0),
)
def test_any_constant_scores_exactly_zero(place, seed, shown):
    rng = np.random.default_rng(seed)
    landmarks = rng.normal(100, 30, (40, 4, 2))
    landmarks[rng.random((40, 4)) > shown] = np.nan
    positions = np.broadcast_to(np.array(place), (40, 1, 2)).copy()
    positions[rng.random(40) > 0.8] = np.nan
    found = tracking(positions, np.ones((40, 1)), landmarks, 224)
    known = found.per_part[~np.isnan(found.per_part)]
    assert np.all(known == 0.0)


def test_part_is_chosen_on_some_images_and_scored_on_others(constructed):
    # The filter follows part 0 on the first half and part 2 on the second.
    positions = constructed.landmarks[:, [0]].copy()
    positions[500:] = constructed.landmarks[500:, [2]]
    scores = np.ones((1000, 1))
    first = np.arange(1000) < 500
    held_out = tracking(positions, scores, constructed.landmarks, 224, first)
    assert held_out.part.tolist() == [0]
    assert held_out.value < 0
    assert held_out.count[0] <= 500
    alone = tracking(positions[500:], scores[500:], constructed.landmarks[500:], 224)
    assert alone.part.tolist() == [2]
    assert held_out.per_part == pytest.approx(alone.per_part)


def test_random_filters_look_better_where_the_same_images_choose(rng):
    landmarks = rng.uniform(0, 224, (60, 15, 2))
    positions = rng.uniform(0, 224, (60, 200, 2))
    scores = np.ones((60, 200))
    held_out = np.arange(60) % 2 == 0
    optimistic = tracking(positions, scores, landmarks, 224)
    honest = tracking(positions, scores, landmarks, 224, held_out)
    assert honest.value < optimistic.value - 0.1


def test_only_images_of_the_filter_s_category_count(constructed):
    labels = np.arange(1000) % 2
    positions = constructed.positions.copy()
    positions[labels == 1, constructed["perfect"]] = 5.0
    categories = np.zeros(6, dtype=int)
    found = tracking(
        positions,
        *constructed.arguments[1:],
        labels=labels,
        categories=categories,
    )
    half = tracking(
        positions[::2], constructed.scores[::2], constructed.landmarks[::2], 224
    )
    assert found.per_filter[constructed["perfect"]] == pytest.approx(1.0)
    assert found.per_part == pytest.approx(half.per_part, nan_ok=True)
    nobody = tracking(*constructed.arguments, labels=labels, categories=np.full(6, 9))
    assert np.isnan(nobody.value)


def test_images_in_which_the_filter_is_silent_are_left_out(constructed):
    positions = constructed.positions.copy()
    scores = constructed.scores.copy()
    positions[:300] = 7.0
    scores[:300] = 0.0
    found = tracking(positions, scores, constructed.landmarks, 224)
    late = tracking(
        constructed.positions[300:],
        constructed.scores[300:],
        constructed.landmarks[300:],
        224,
    )
    assert found.per_part == pytest.approx(late.per_part, nan_ok=True)


@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_images_give_nan(images):
    found = tracking(
        np.zeros((images, 2, 2)),
        np.ones((images, 2)),
        np.zeros((images, 1, 2)),
        9,
    )
    assert np.isnan(found.value)
    assert found.part.tolist() == [-1, -1]


def test_absent_landmarks_and_resting_parts_give_nan(rng):
    positions, scores = rng.uniform(0, 9, (20, 2, 2)), np.ones((20, 2))
    absent = tracking(positions, scores, np.full((20, 3, 2), np.nan), 9)
    assert np.isnan(absent.per_part).all()
    resting = tracking(positions, scores, np.full((20, 1, 2), 3.7), 9)
    assert np.isnan(resting.value)
    no_part = tracking(positions, scores, np.zeros((20, 0, 2)), 9)
    assert np.isnan(no_part.value)


def test_one_missing_coordinate_means_absent(rng):
    landmarks = rng.uniform(0, 9, (20, 1, 2))
    positions = landmarks.copy()
    landmarks[0, 0, 0] = np.nan
    found = tracking(positions, np.ones((20, 1)), landmarks, 9)
    assert found.count.tolist() == [19]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"positions": np.zeros((4, 2))},
            r"Expected positions of shape \(images, filters,",
        ),
        (
            {"positions": np.full((4, 3, 2), np.inf)},
            "Expected positions that are finite, or.*Received: infinite positions",
        ),
        (
            {"scores": np.zeros((4, 2))},
            r"Expected scores of shape \(4, 3\).*Received: scores of shape \(4, 2\)",
        ),
        (
            {"landmarks": np.zeros((4, 2, 3))},
            r"Expected landmarks of shape \(images, landmarks,",
        ),
        ({"landmarks": np.zeros((5, 2, 2))}, "Expected positions and landmarks of the"),
        (
            {"landmarks": np.full((4, 2, 2), np.inf)},
            "Expected landmarks that are finite, or.*Received: infinite landmarks",
        ),
        ({"image_size": 0}, "Expected image_size as a positive number"),
        ({"image_size": (1, 2, 3)}, "Expected image_size as a positive number"),
        (
            {"choose_on": np.array([1, 0, 1, 0])},
            "Expected choose_on as booleans of shape",
        ),
        ({"choose_on": np.ones(3, dtype=bool)}, "shape \\(4,\\)"),
        ({"choose_on": np.ones(4, dtype=bool)}, "both sides"),
        ({"choose_on": np.zeros(4, dtype=bool)}, "both sides"),
        (
            {"labels": np.zeros(4, dtype=int)},
            "Expected labels and categories together: the",
        ),
        (
            {"categories": np.zeros(3, dtype=int)},
            "Expected labels and categories together: the",
        ),
        (
            {"labels": np.zeros(4), "categories": np.zeros(3, dtype=int)},
            r"Expected labels as integers of shape \(4,\)",
        ),
        (
            {"labels": np.zeros(4, dtype=int), "categories": np.zeros(2, dtype=int)},
            r"Expected categories as integers of shape \(3,\)",
        ),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {
        "positions": np.zeros((4, 3, 2)),
        "scores": np.ones((4, 3)),
        "landmarks": np.zeros((4, 2, 2)),
        "image_size": 9,
    }
    with pytest.raises(ValueError, match=message):
        tracking(**{**arguments, **change})
