"""Location instability: published arithmetic, constructed filters, every choice."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.metrics import instability_baselines, location_instability


def by_loops(positions, scores, landmarks, size, top=100, ddof=1):
    """The definition, one filter and landmark after the other."""
    table = np.full((positions.shape[1], landmarks.shape[1]), np.nan)
    for index, landmark in np.ndindex(table.shape):
        usable = (
            ~np.isnan(landmarks[:, landmark, 0])
            & ~np.isnan(positions[:, index, 0])
            & (scores[:, index] != 0)
        )
        images = np.flatnonzero(usable)
        images = images[np.argsort(-scores[images, index], kind="stable")][:top]
        if len(images) > 1:
            apart = positions[images, index] - landmarks[images, landmark]
            distance = np.linalg.norm(apart, axis=1) / np.linalg.norm([size, size])
            table[index, landmark] = np.std(distance, ddof=ddof)
    return table


def test_worked_example():
    peaks = np.array([[5, 6], [8, 4], [2, 9]])
    positions = (7.5 + 16 * peaks)[:, None]
    landmarks = np.array([[[100, 100]], [[60, 120]], [[50, 150]]])
    scores = np.ones((3, 1))
    found = location_instability(positions, scores, landmarks, 224)
    assert found.value == pytest.approx(0.1421016784, abs=1e-10)
    plain = location_instability(positions, scores, landmarks, 224, ddof=0)
    assert plain.value == pytest.approx(0.1160255346, abs=1e-10)


def test_constructed_filters(constructed):
    found = location_instability(*constructed.arguments)
    table = dict(zip(constructed.names, found.per_landmark, strict=True))
    assert table["perfect"][1] == 0.0
    assert table["offset"][1] == pytest.approx(0.0, abs=1e-12)
    assert table["two parts"][0] > 0.05
    assert np.isnan(table["dead"]).all()
    figure = dict(zip(constructed.names, found.per_filter, strict=True))
    assert figure["random"] > found.baseline_constant
    assert figure["constant"] >= found.baseline_constant
    assert np.isnan(figure["dead"])
    assert found.value == pytest.approx(np.nanmean(found.per_filter))
    assert found.category is None


def test_a_constant_beats_a_perfect_detector_of_one_part(rng):
    """Why the figure needs its baselines: the middle wins over a perfect filter."""
    middle = 112 + rng.normal(0, 12, (300, 1, 2))
    landmarks = middle + rng.normal(0, 30, (300, 3, 2)) * [[[1.0], [0.3], [0.3]]]
    scores = rng.random((300, 1))
    found = location_instability(landmarks[:, :1], scores, landmarks, 224)
    assert found.per_landmark[0, 0] == 0.0
    assert found.baseline_center < found.value < found.baseline_random


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    images=st.integers(0, 60),
    top=st.integers(2, 70),
    ddof=st.integers(0, 1),
    levels=st.integers(1, 5),
)
def test_agrees_with_loops_ties_included(seed, images, top, ddof, levels):
    rng = np.random.default_rng(seed)
    positions = rng.uniform(0, 99, (images, 4, 2))
    positions[rng.random((images, 4)) < 0.2] = np.nan
    scores = rng.integers(0, levels + 1, (images, 4)).astype(float)
    landmarks = rng.uniform(0, 99, (images, 3, 2))
    landmarks[rng.random((images, 3)) < 0.3] = np.nan
    found = location_instability(positions, scores, landmarks, 99, top, ddof)
    expected = by_loops(positions, scores, landmarks, 99, top, ddof)
    assert found.per_landmark == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_top_takes_the_highest_peaks(rng):
    landmarks = rng.uniform(0, 224, (300, 1, 2))
    positions = rng.uniform(0, 224, (300, 1, 2))
    scores = rng.random((300, 1))
    best = scores[:, 0] >= np.sort(scores[:, 0])[-100]
    positions[best] = landmarks[best] + 3.0
    assert location_instability(
        positions, scores, landmarks, 224
    ).value == pytest.approx(0.0, abs=1e-12)
    assert location_instability(positions, scores, landmarks, 224, top=120).value > 0.01
    every = location_instability(positions, scores, landmarks, 224, top=None)
    many = location_instability(positions, scores, landmarks, 224, top=10**6)
    assert every.value == many.value


def test_diagonal_of_images_that_are_no_squares(constructed):
    square = location_instability(*constructed.arguments)
    wide = location_instability(*constructed.arguments[:3], (224, 448))
    assert wide.value == pytest.approx(
        square.value * np.hypot(224, 224) / np.hypot(224, 448)
    )


def test_scores_below_zero_count_and_zero_does_not():
    positions = np.arange(8.0).reshape(4, 1, 2)
    landmarks = np.zeros((4, 1, 2))
    before_relu = np.array([[-1.0], [-2.0], [-3.0], [-4.0]])
    found = location_instability(positions, before_relu, landmarks, 9, top=2)
    first_two = location_instability(positions[:2], before_relu[:2], landmarks[:2], 9)
    assert found.value == first_two.value
    silent = location_instability(positions, 0 * before_relu, landmarks, 9)
    assert np.isnan(silent.value)


class TestSeveralCategories:
    """Filters of three categories; category 7 has no landmarks, as negatives have."""

    @pytest.fixture
    def birds(self, rng):
        labels = np.repeat([0, 1, 2, 7], 60)
        landmarks = rng.uniform(20, 200, (240, 2, 2))
        landmarks[labels == 7] = np.nan
        positions = rng.uniform(0, 224, (240, 3, 2))
        scores = rng.uniform(1, 2, (240, 3))
        for index in range(3):
            own = labels == index
            positions[own, index] = landmarks[own, 0]
            scores[own, index] += 1
        scores[labels == 7] += 5
        return positions, scores, landmarks, labels

    def per_category(self, positions, scores, landmarks, labels):
        return np.stack(
            [
                by_loops(
                    *(part[labels == one] for part in (positions, scores, landmarks)),
                    224,
                )
                for one in range(3)
            ]
        )

    def test_least_category(self, birds):
        positions, scores, landmarks, labels = birds
        found = location_instability(positions, scores, landmarks, 224, labels=labels)
        means = self.per_category(*birds).mean(axis=2)
        assert found.per_filter == pytest.approx(means.min(axis=0))
        assert found.category.tolist() == means.argmin(axis=0).tolist() == [0, 1, 2]

    def test_category_of_the_highest_mean_peak(self, birds):
        positions, scores, landmarks, labels = birds
        scores[labels == 2, 0] += 3
        found = location_instability(
            positions, scores, landmarks, 224, labels=labels, assign="argmax_peak"
        )
        assert found.category.tolist() == [2, 1, 2]
        table = self.per_category(positions, scores, landmarks, labels)
        assert found.per_landmark == pytest.approx(table[[2, 1, 2], [0, 1, 2]])

    def test_category_of_the_highest_mean_sum(self, birds):
        positions, scores, landmarks, labels = birds
        sums = np.zeros_like(scores)
        sums[labels == 1] = 1.0
        found = location_instability(
            positions,
            scores,
            landmarks,
            224,
            labels=labels,
            assign="argmax_sum",
            activation_sums=sums,
        )
        assert found.category.tolist() == [1, 1, 1]

    def test_given_categories(self, birds):
        positions, scores, landmarks, labels = birds
        found = location_instability(
            positions, scores, landmarks, 224, labels=labels, assign=np.array([1, 1, 7])
        )
        table = self.per_category(*birds)
        assert found.per_landmark[:2] == pytest.approx(table[1, :2])
        assert np.isnan(found.per_filter[2])
        assert found.value == pytest.approx(found.per_filter[:2].mean())

    def test_baselines_follow_the_rule(self, birds):
        positions, scores, landmarks, labels = birds
        alone = [
            instability_baselines(landmarks[labels == one], 224) for one in range(3)
        ]
        least = location_instability(positions, scores, landmarks, 224, labels=labels)
        assert least.baseline_center == min(one.center for one in alone)
        given = location_instability(
            positions, scores, landmarks, 224, labels=labels, assign=np.array([1, 1, 2])
        )
        assert given.baseline_center == pytest.approx(
            (2 * alone[1].center + alone[2].center) / 3
        )
        assert (
            given.baseline_constant <= (2 * alone[1].constant + alone[2].constant) / 3
        )
        assert least.baseline_random < given.baseline_random

    def test_no_landmark_anywhere(self, birds):
        positions, scores, landmarks, labels = birds
        nothing = np.full_like(landmarks, np.nan)
        for assign in ("min", "argmax_peak"):
            found = location_instability(
                positions, scores, nothing, 224, labels=labels, assign=assign
            )
            assert np.isnan(found.value)
            assert found.category.tolist() == [-1, -1, -1]
            assert np.isnan(found.baseline_constant)


class TestBaselines:
    """What filters reach without looking."""

    def test_values(self, rng):
        landmarks = rng.uniform(0, 224, (400, 3, 2))
        landmarks[rng.random((400, 3)) < 0.2] = np.nan
        found = instability_baselines(landmarks, 224)
        center = np.full((400, 1, 2), 111.5)
        alone = location_instability(
            center, np.ones((400, 1)), landmarks, 224, top=None
        )
        assert found.center == pytest.approx(alone.value)
        assert found.constant <= found.center < found.random
        # Two uniform points of a unit square: variance of the distance over the
        # diagonal, from E d^2 = 1/3 and E d = 0.5214054.
        expected = np.sqrt(1 / 3 - 0.521405433**2) / np.sqrt(2)
        assert found.random == pytest.approx(expected, rel=0.05)

    def test_seed_decides(self, rng):
        landmarks = rng.uniform(0, 224, (50, 2, 2))
        first = instability_baselines(landmarks, 224, seed=1)
        assert first == instability_baselines(landmarks, 224, seed=1)
        assert first.random != instability_baselines(landmarks, 224, seed=2).random

    def test_cells_bound_where_the_baselines_fire(self, rng):
        landmarks = rng.uniform(0, 224, (50, 2, 2))
        cells = np.array([[10.0, 20.0]])
        found = instability_baselines(landmarks, 224, top=None, cells=cells)
        there = location_instability(
            np.broadcast_to(cells, (50, 1, 2)), np.ones((50, 1)), landmarks, 224
        )
        assert found.random == pytest.approx(there.value)

    @settings(max_examples=20, deadline=None)
    @given(
        place=st.tuples(st.floats(-50, 300), st.floats(-50, 300)),
        seed=st.integers(0, 50),
    )
    def test_no_constant_filter_beats_the_best_constant(self, place, seed):
        landmarks = np.random.default_rng(seed).normal(110, 30, (60, 3, 2))
        positions = np.broadcast_to(np.array(place), (60, 1, 2))
        found = location_instability(
            positions, np.ones((60, 1)), landmarks, 224, top=None
        )
        assert found.baseline_constant <= found.value + 1e-6


@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_images_give_nan(images):
    found = location_instability(
        np.zeros((images, 2, 2)),
        np.ones((images, 2)),
        np.zeros((images, 3, 2)),
        9,
    )
    assert np.isnan(found.per_filter).all()
    assert np.isnan(found.value)
    assert np.isnan(found.baseline_constant)
    assert np.isnan(found.baseline_random)


def test_no_filters_and_no_landmarks_give_nan(rng):
    nobody = location_instability(
        np.zeros((5, 0, 2)), np.zeros((5, 0)), rng.random((5, 2, 2)), 9
    )
    assert np.isnan(nobody.value)
    assert nobody.baseline_center > 0
    nothing = location_instability(
        np.zeros((5, 2, 2)), np.ones((5, 2)), np.zeros((5, 0, 2)), 9
    )
    assert np.isnan(nothing.value)


def test_tensors_of_the_backend(constructed):
    tensors = [keras.ops.convert_to_tensor(x) for x in constructed.arguments[:3]]
    found = location_instability(*tensors, 224)
    assert found.value == pytest.approx(
        location_instability(*constructed.arguments).value, rel=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top": 1}, "Expected top as a whole number"),
        ({"top": 2.5}, "Expected top as a whole number"),
        ({"ddof": 2}, r"Expected ddof as 1 \(unbiased variance\).*Received: ddof=2"),
        (
            {"scores": np.ones((3, 4))},
            r"Expected scores of shape \(4, 3\).*Received: scores of shape \(3, 4\)",
        ),
        (
            {"landmarks": np.zeros((4, 2))},
            r"Expected landmarks of shape \(images, landmarks,",
        ),
        ({"cells": np.zeros((2, 2, 2, 2))}, r"Expected cells of shape \(cells, 2\)"),
        (
            {"labels": np.zeros((4, 2), dtype=int)},
            r"Expected labels as integers of shape \(4,\)",
        ),
        (
            {"labels": np.zeros(4, dtype=int), "assign": "max"},
            r"Expected assign as one of \('min',.*Received: assign='max'",
        ),
        (
            {"labels": np.zeros(4, dtype=int), "assign": [0, 1]},
            r"Expected assign as integers of shape \(3,\)",
        ),
        (
            {"labels": np.zeros(4, dtype=int), "assign": "argmax_sum"},
            r"Expected activation_sums of shape \(images, filters\)",
        ),
        (
            {
                "labels": np.zeros(4, dtype=int),
                "assign": "argmax_sum",
                "activation_sums": np.zeros((3, 3)),
            },
            r"Expected activation_sums of shape \(4, 3\),",
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
        location_instability(**{**arguments, **change})
