"""Planted data: scores that are a known sum over parts at known places."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.datasets import PlantedParts, load, planted_parts


@pytest.fixture(scope="module", params=["plain", "birds"])
def world(request):
    return PlantedParts(pictures=request.param, targets=3, seed=4)


def test_the_patterns_are_orthonormal_and_know_no_gray():
    patterns = PlantedParts(random_channels=120).patterns.reshape(160, -1)
    assert patterns @ patterns.T == pytest.approx(np.eye(160), abs=1e-12)
    colours = patterns.reshape(160, 64, 3).sum(axis=1)
    assert colours == pytest.approx(np.zeros((160, 3)), abs=1e-12)


def test_scores_are_the_weighted_sum_of_the_peaks_of_parts(world):
    ids = np.arange(200)
    strengths, peaks = world.strengths(ids), world.peaks(ids)
    on = strengths > 0
    assert 0.2 < on.mean() < 0.45
    by_hand = np.zeros((200, 3))
    for part in range(5):
        mean = peaks[:, world.channel_parts == part].mean(axis=1)
        # Noise aside, the channels of a part show its strength.
        assert mean == pytest.approx(strengths[:, part], abs=0.5)
        by_hand += mean[:, None] * world.part_weights[:, part]
    assert world.scores(ids) == pytest.approx(by_hand)
    assert np.all(peaks[:, world.channel_parts < 0].std(axis=0) > 0.3)


def test_maps_light_up_at_the_landmarks_of_parts_that_are_on(world):
    dataset = world.load(60)
    network = ki.models.planted_network(world)
    maps = ki.feature_maps(network, dataset.images.astype("float32"), "maps")
    assert maps.max(axis=(1, 2)) == pytest.approx(world.peaks(dataset.ids), abs=0.02)
    on = world.strengths(dataset.ids) > 0
    cells = maps.reshape(60, 169, -1).argmax(axis=1)
    for part in range(5):
        shown = on[:, part]
        x, y = dataset.landmarks[shown, part].T // 8
        found = cells[shown][:, world.channel_parts == part]
        assert np.array_equal(found, np.repeat((13 * y + x)[:, None], 8, axis=1))
        assert np.isfinite(dataset.landmarks[shown, part]).all()


def test_images_stay_the_same_whatever_their_number():
    planted = PlantedParts(seed=3)
    few, many = planted.load(8, test_fraction=0.0), planted.load(30)
    np.testing.assert_array_equal(few.images, many.images[:8])
    np.testing.assert_array_equal(few.landmarks, many.landmarks[:8])
    np.testing.assert_array_equal(
        planted.scores([3, 7]), planted.scores(range(8))[[3, 7]]
    )
    other = PlantedParts(seed=4).load(8)
    assert not np.array_equal(other.images, few.images)


def test_load_draws_the_same():
    dataset = load("planted_parts", split="test", num_images=20, seed=2)
    assert len(dataset) == 5 and set(dataset.split) == {"test"}
    whole = planted_parts(20, seed=2)
    np.testing.assert_array_equal(dataset.images, whole.take_split("test").images)
    assert dataset.class_names[0] == "target 0"
    box, points = dataset.boxes[:, None], dataset.landmarks
    assert np.all((points >= box[..., :2]) & (points < box[..., 2:]))


def test_a_part_that_is_not_used_adds_nothing():
    planted = PlantedParts(used_parts=3, targets=20)
    assert np.array_equal((planted.part_weights > 0).sum(axis=1), np.full(20, 3))


def test_jitter_of_zero_keeps_parts_at_their_places():
    landmarks = planted_parts(10, jitter=0).landmarks
    assert np.array_equal(landmarks, np.tile(landmarks[:1], (10, 1, 1)))
    moved = planted_parts(200).landmarks
    assert np.abs(moved - landmarks[:1]).max(axis=(0, 1)).tolist() == [16, 16]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"targets": 0}, "Received: targets=0"),
        ({"used_parts": 6}, "Received: used_parts=6"),
        ({"random_channels": 121}, "160 channels at most"),
        ({"share_on": 1.5}, "Received: share_on=1.5"),
        ({"jitter": 3}, "Received: jitter=3"),
        ({"noise": -1.0}, "Received: noise=-1.0"),
        ({"pictures": "cats"}, "Received: pictures='cats'"),
        ({"num_images": 0}, "Received: num_images=0"),
        ({"test_fraction": 2.0}, "Received: test_fraction=2.0"),
    ],
)
def test_bad_input_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        planted_parts(**wrong)


@pytest.mark.parametrize("ids", [[0.5], [[1]], [-1]])
def test_numbers_of_images_are_whole(ids):
    with pytest.raises(ValueError, match="Pass dataset.ids"):
        PlantedParts().scores(ids)
