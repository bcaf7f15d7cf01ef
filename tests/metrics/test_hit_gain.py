"""Hit gain of constructed filters, its constant cell, categories and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.metrics import hit_gain


def test_constructed_filters(constructed):
    found = hit_gain(*constructed.arguments)
    gain = dict(zip(constructed.names, found.per_filter, strict=True))
    hits = dict(zip(constructed.names, found.hits, strict=True))
    assert hits["perfect"] == 1.0
    assert gain["perfect"] == 1.0 - found.constant_hits[constructed["perfect"]]
    # The offset of 16.6 pixels lies within a tenth of the diagonal of 316.8.
    assert hits["offset"] == 1.0
    # Half on the part, half elsewhere on a disc of 9.3 % of the landmarks' square.
    assert hits["two parts"] == pytest.approx(0.5 + 0.5 * 0.093, abs=0.05)
    assert gain["constant"] <= 0.0
    assert gain["random"] < 0.0
    assert np.isnan(gain["dead"])
    assert found.part[constructed["perfect"]] == 1
    assert found.part[constructed["dead"]] == -1
    assert found.value == pytest.approx(np.nanmean(found.per_filter))


def test_radius_is_a_share_of_the_diagonal():
    landmarks = np.zeros((3, 1, 2))
    landmarks[1] = 1000.0
    positions = landmarks + [3.0, 4.0]
    at_the_edge = hit_gain(positions, np.ones((3, 1)), landmarks, (30, 40), radius=0.1)
    assert at_the_edge.hits.tolist() == [1.0]
    beyond = hit_gain(positions, np.ones((3, 1)), landmarks, (30, 40), radius=0.0999)
    assert beyond.hits.tolist() == [0.0]


def test_best_constant_cell_is_found_among_the_cells():
    landmarks = np.repeat([[[10.0, 50.0]], [[12.0, 52.0]], [[60.0, 5.0]]], 10, axis=0)
    positions = landmarks.copy()
    cells = np.array([[11.0, 51.0], [60.0, 5.0], [30.0, 30.0]])
    found = hit_gain(positions, np.ones((30, 1)), landmarks, 64, cells=cells)
    assert found.constant_cell.tolist() == [[11.0, 51.0]]
    assert found.constant_hits[0] == pytest.approx(2 / 3)
    assert found.value == pytest.approx(1 / 3)


def test_cells_of_a_map_may_keep_their_shape(constructed):
    cells = np.random.default_rng(0).uniform(0, 224, (4, 5, 2))
    flat = hit_gain(*constructed.arguments, cells=cells.reshape(-1, 2))
    grid = hit_gain(*constructed.arguments, cells=cells)
    assert grid.per_part == pytest.approx(flat.per_part, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(
    place=st.tuples(st.integers(0, 223), st.integers(0, 223)),
    seed=st.integers(0, 100),
)
def test_no_constant_gains_on_the_images_that_choose(place, seed):
    rng = np.random.default_rng(seed)
    landmarks = rng.normal(100, 40, (40, 3, 2))
    landmarks[rng.random((40, 3)) > 0.8] = np.nan
    positions = np.broadcast_to(np.array(place, float), (40, 1, 2))
    found = hit_gain(positions, np.ones((40, 1)), landmarks, 224)
    assert np.all(found.per_part[~np.isnan(found.per_part)] <= 0.0)


def test_part_and_cell_are_chosen_on_some_images_and_scored_on_others(rng):
    # The part sits at one place on the images that choose, at another on the others.
    first = np.arange(100) < 50
    landmarks = np.where(first[:, None, None], 20.0, 200.0) + rng.normal(
        0, 1, (100, 1, 2)
    )
    found = hit_gain(landmarks, np.ones((100, 1)), landmarks, 224, choose_on=first)
    assert found.hits.tolist() == [1.0]
    assert found.constant_hits.tolist() == [0.0]
    assert found.value == 1.0
    assert found.count.tolist() == [50]
    assert np.linalg.norm(found.constant_cell[0] - 20) < 32


def test_constant_is_chosen_within_the_filter_s_category():
    # Each category has its part at one place, which a constant of that category hits.
    labels = np.arange(40) % 2
    landmarks = np.where(labels[:, None, None] == 0, 30.0, 190.0) * np.ones((40, 1, 2))
    scores = np.ones((40, 1))
    everywhere = hit_gain(landmarks, scores, landmarks, 224)
    assert everywhere.value == pytest.approx(0.5)
    within = hit_gain(
        landmarks,
        scores,
        landmarks,
        224,
        labels=labels,
        categories=np.array([1]),
    )
    assert within.value == 0.0
    assert within.count.tolist() == [20]


def test_images_in_which_the_filter_is_silent_do_not_count():
    landmarks = np.full((10, 1, 2), 30.0)
    positions = landmarks.copy()
    positions[5:] = np.nan
    found = hit_gain(positions, np.ones((10, 1)), landmarks, 224)
    assert found.hits.tolist() == [1.0]
    assert found.count.tolist() == [5]


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3), (5, 2, 0)])
def test_nothing_gives_nan(shape):
    images, filters, parts = shape
    found = hit_gain(
        np.zeros((images, filters, 2)),
        np.ones((images, filters)),
        np.zeros((images, parts, 2)),
        9,
    )
    assert np.isnan(found.value)
    assert found.part.tolist() == [-1] * filters
    assert found.constant_cell.shape == (filters, 2)


def test_absent_landmarks_give_nan():
    found = hit_gain(
        np.zeros((5, 2, 2)), np.ones((5, 2)), np.full((5, 3, 2), np.nan), 9
    )
    assert np.isnan(found.per_part).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": 0.0}, "Expected radius as a positive share"),
        ({"radius": float("nan")}, "Expected radius as a positive share"),
        ({"cells": np.zeros((0, 2))}, r"Expected cells of shape \(cells, 2\)"),
        ({"cells": np.zeros((4, 3))}, r"Expected cells of shape \(cells, 2\)"),
        (
            {"positions": np.zeros((4, 3, 1))},
            r"Expected positions of shape \(images, filters,",
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
        hit_gain(**{**arguments, **change})
