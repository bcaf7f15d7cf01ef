"""Locality of constructed maps, its regions, its controls and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_interp as ki
from keras_interp.metrics._part_locality import _entropy
from keras_interp.metrics._part_regions import enlargement, nearest_parts

BOX = [[0, 0, 8, 8]]


def one_map(*cells, size=8):
    """A map `(1, 1, size, size)` with values at (x, y) cells."""
    maps = np.zeros((1, 1, size, size))
    for x, y, value in cells:
        maps[0, 0, y, x] = value
    return maps


def test_published_entropy():
    assert _entropy(np.array([0.5, 0.25, 0.25, 0.0])) == pytest.approx(1.0397207708)


def test_shares_of_three_parts():
    landmarks = [[[1, 1], [6, 1], [3, 6], [np.nan, np.nan]]]
    maps = one_map((0, 0, 2.0), (7, 0, 1.0), (3, 7, 1.0))
    found = ki.metrics.part_locality(maps, landmarks, BOX)
    assert found.part_distribution.tolist() == [[0.5, 0.25, 0.25, 0.0]]
    assert found.value == pytest.approx(1.0397207708)
    assert found.part.tolist() == [0] and found.count.tolist() == [1]


def test_the_lowest_of_several_nearest_points_counts():
    maps = one_map((2, 3, 1.0))
    for landmarks in ([[[0, 3], [4, 3]]], [[[4, 3], [0, 3]]]):
        found = ki.metrics.part_locality(maps, landmarks, BOX)
        assert found.part_distribution.tolist() == [[1.0, 0.0]]


def test_what_lies_outside_the_box_counts_for_no_part():
    landmarks = [[[1, 1], [6, 1]]]
    maps = one_map((1, 1, 1.0), (6, 1, 1.0), (6, 6, 7.0))
    found = ki.metrics.part_locality(maps, landmarks, [[0, 0, 8, 4]])
    assert found.part_distribution.tolist() == [[0.5, 0.5]]
    # The lower and right sides of a box are the first pixel beyond it.
    narrow = ki.metrics.part_locality(maps, landmarks, [[1, 1, 6, 7]])
    assert narrow.part_distribution.tolist() == [[1.0, 0.0]]
    beyond = ki.metrics.part_locality(maps, landmarks, [[4, 7, 8, 8]])
    assert np.isnan(beyond.value) and beyond.part.tolist() == [-1]


def test_shares_are_averaged_over_images_and_zeros_of_absent_parts_count():
    # The paper averages S over the images before it divides by the sum.
    landmarks = [[[1, 1], [6, 6]], [[1, 1], [np.nan, np.nan]]]
    maps = np.concatenate([one_map((6, 6, 5.0)), one_map((6, 6, 1.0), (0, 0, 1.0))])
    found = ki.metrics.part_locality(maps, landmarks, np.tile(BOX, (2, 1)))
    assert found.part_distribution.tolist() == [[0.5, 0.5]]
    # Half of the second map lies outside of its box: it weighs half as much.
    boxes = [[0, 0, 8, 8], [0, 0, 4, 4]]
    found = ki.metrics.part_locality(maps, landmarks, boxes)
    assert found.part_distribution[0] == pytest.approx([1 / 3, 2 / 3])


def test_images_that_say_nothing_are_skipped():
    landmarks = np.tile([[[1.0, 1.0], [6.0, 6.0]]], (4, 1, 1))
    landmarks[1] = np.nan
    boxes = np.tile(BOX, (4, 1)).astype(float)
    boxes[2] = np.nan
    maps = np.concatenate([one_map((1, 1, 1.0))] + 3 * [one_map((6, 6, 1.0))])
    maps[3] = 0.0
    found = ki.metrics.part_locality(maps, landmarks, boxes)
    assert found.count.tolist() == [1]
    assert found.part_distribution.tolist() == [[1.0, 0.0]] and found.value == 0.0


def test_no_part_point_at_all_gives_nan():
    found = ki.metrics.part_locality(
        np.ones((3, 2, 4, 4)), np.full((3, 5, 2), np.nan), None
    )
    assert np.isnan(found.value) and np.isnan(found.per_map).all()
    assert found.part_distribution.shape == (2, 5) and found.count.tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3), (5, 2, 0)])
def test_nothing_gives_nan(shape):
    images, maps, landmarks = shape
    arguments = np.ones((images, maps, 4, 4)), np.ones((images, landmarks, 2)), None
    assert np.isnan(ki.metrics.part_locality(*arguments).value)
    assert np.isnan(ki.metrics.locality_controls(*arguments).part_gain)


def test_one_map_an_image_needs_no_axis():
    maps, landmarks = np.ones((2, 8, 8)), np.ones((2, 3, 2)) * [[1], [4], [7]]
    flat = ki.metrics.part_locality(maps, landmarks, None)
    assert flat.per_map.shape == (1,)
    assert flat.value == ki.metrics.part_locality(maps[:, None], landmarks, None).value


def test_merged_landmarks_are_one_region():
    landmarks = [[[1, 1], [6, 1], [3, 6]]]
    maps = one_map((0, 0, 2.0), (7, 0, 1.0), (3, 7, 1.0))
    found = ki.metrics.part_locality(maps, landmarks, BOX, groups=[0, 1, 0])
    assert found.part_distribution.tolist() == [[0.75, 0.25]]


@pytest.mark.parametrize("pixels", [8, 13, 29])
def test_small_maps_count_as_their_bilinear_enlargement(pixels):
    import keras

    random = np.random.default_rng(pixels)
    maps = random.random((6, 3, 5, 7)).astype("float32")
    size = (pixels, 2 * pixels)
    resized = keras.ops.convert_to_numpy(
        keras.ops.image.resize(maps.transpose(0, 2, 3, 1), size, "bilinear")
    ).transpose(0, 3, 1, 2)
    landmarks = random.uniform(0, pixels, (6, 4, 2))
    boxes = np.tile([1, 2, 1.5 * pixels, pixels - 1], (6, 1))
    small = ki.metrics.part_locality(maps, landmarks, boxes, image_size=size)
    large = ki.metrics.part_locality(resized, landmarks, boxes)
    assert small.part_distribution == pytest.approx(large.part_distribution, abs=1e-5)


def test_enlargement_keeps_a_constant():
    assert enlargement(5, 17).sum(axis=1) == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_regions_are_those_of_a_search_over_all_points(seed):
    random = np.random.default_rng(seed)
    points = random.integers(0, 9, (1, 4, 2)).astype(float)
    points[0, random.random(4) < 0.3] = np.nan
    points[0, 0] = random.integers(0, 9, 2)
    found = nearest_parts(points, np.array([[0, 0, 9.0, 7.0]]), np.arange(4), (7, 9))
    for y in range(7):
        for x in range(9):
            squares = [(x - a) ** 2 + (y - b) ** 2 for a, b in points[0]]
            assert found[0, y, x] == np.nanargmin(squares)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 1000))
def test_locality_lies_between_its_bounds_and_knows_no_scale(seed, scale):
    random = np.random.default_rng(seed)
    maps = random.random((3, 2, 6, 6)) ** 4
    landmarks = random.uniform(0, 6, (3, 5, 2))
    found = ki.metrics.part_locality(maps, landmarks, None)
    assert np.all((found.per_map >= 0) & (found.per_map <= np.log(5) + 1e-12))
    assert found.part_distribution.sum(axis=1) == pytest.approx(1.0)
    scaled = ki.metrics.part_locality(scale * maps, landmarks, None)
    assert scaled.per_map == pytest.approx(found.per_map, abs=1e-6)


def jittered(images=60, size=13):
    """Five parts that each sit near a place of their own."""
    random = np.random.default_rng(0)
    places = np.array([[3, 2], [9, 3], [6, 6], [2, 9], [10, 10]])
    return (places + random.integers(-2, 3, (images, 5, 2))).astype(float)


def test_controls_of_a_perfect_detector_and_of_a_constant():
    landmarks = jittered()
    maps = np.zeros((60, 2, 13, 13))
    x, y = landmarks[:, 0].astype(int).T
    maps[np.arange(60), 0, y, x] = 1.0
    maps[:, 1, 6, 6] = 1.0
    found = ki.metrics.locality_controls(maps, landmarks, None)
    assert found.locality.per_map[0] == found.perfect == 0.0
    assert found.part_gain_per_map[0] == found.shuffled_per_map[0] > 0.1
    # A map that never moves gains nothing: its place is all it has.
    assert found.part_gain_per_map[1] == pytest.approx(0.0, abs=1e-9)
    assert found.locality.per_map[1] == found.constant_center
    assert found.constant_center < found.random_cell <= np.log(5)
    assert found.uniform == pytest.approx(found.random_cell, abs=0.1)
    assert found.perfect_shuffled > 0.1
    assert found.part_gain == pytest.approx(found.shuffled - found.locality.value)
    again = ki.metrics.locality_controls(maps, landmarks, None)
    assert again.random_cell == found.random_cell


def test_shuffled_takes_the_points_of_other_images():
    # Two images whose parts have changed places: each has the other's points.
    landmarks = np.array([[[1.0, 1.0], [6.0, 6.0]], [[6.0, 6.0], [1.0, 1.0]]])
    maps = np.concatenate([one_map((1, 1, 1.0)), one_map((1, 1, 1.0))])
    found = ki.metrics.locality_controls(maps, landmarks, None, shuffles=3)
    assert found.locality.value == pytest.approx(np.log(2))
    assert found.shuffled == pytest.approx(np.log(2))
    maps = np.concatenate([one_map((1, 1, 1.0)), one_map((6, 6, 1.0))])
    found = ki.metrics.locality_controls(maps, landmarks, None, shuffles=3)
    assert found.locality.value == 0.0 and found.shuffled == 0.0
    landmarks[1] = [[1.0, 6.0], [6.0, 1.0]]
    mixed = ki.metrics.locality_controls(maps, landmarks, None)
    assert mixed.shuffled > 0


def test_a_lone_image_has_no_other():
    found = ki.metrics.locality_controls(np.ones((1, 1, 8, 8)), np.ones((1, 2, 2)), BOX)
    assert np.isnan(found.shuffled) and np.isnan(found.part_gain)
    assert np.isfinite(found.uniform)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": np.ones((2, 8))}, "Expected maps of shape"),
        ({"maps": -np.ones((2, 1, 8, 8))}, "nowhere negative"),
        ({"maps": np.full((2, 1, 8, 8), np.nan)}, "that are finite"),
        ({"landmarks": np.ones((3, 2, 2))}, "the same images"),
        ({"landmarks": np.ones((2, 2, 3))}, "Expected landmarks of shape"),
        ({"boxes": np.ones((2, 3))}, r"Expected boxes of shape \(2, 4\)"),
        ({"boxes": np.tile([4, 4, 2, 9], (2, 1))}, "x0 <= x1"),
        ({"boxes": np.full((2, 4), np.inf)}, "Expected boxes that are finite"),
        ({"groups": [0]}, "Expected groups as integers"),
        ({"groups": [0, -1]}, "Expected groups of 0 or more"),
        ({"image_size": 4}, "Expected image_size of at least"),
    ],
)
@pytest.mark.parametrize("function", ["part_locality", "locality_controls"])
def test_bad_input_is_refused(function, change, message):
    arguments = {
        "maps": np.ones((2, 1, 8, 8)),
        "landmarks": np.ones((2, 2, 2)),
        "boxes": np.tile(BOX, (2, 1)),
    }
    with pytest.raises(ValueError, match=message):
        getattr(ki.metrics, function)(**{**arguments, **change})


def test_a_number_of_shuffles_below_one_is_refused():
    with pytest.raises(ValueError, match="Received: shuffles=0"):
        ki.metrics.locality_controls(
            np.ones((1, 8, 8)), np.ones((1, 2, 2)), None, shuffles=0
        )
