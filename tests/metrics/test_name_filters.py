"""Names of planted filters: parts, fixed places, chance, groups and bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_interp as ki
from keras_interp.metrics import name_filters

NAN = np.nan
KNOWN = {"landmark_names": ["head", "wing", "tail"], "image_size": 224}


def test_share_of_hits_beyond_a_fixed_place():
    # Ten images of 30 by 40 pixels, whose diagonal is 50: a hit lies within 5 pixels.
    # The part is at (10, 10) six times, at (30, 20) four times.
    landmarks = np.full((10, 1, 2), [10.0, 10.0])
    landmarks[6:] = [30.0, 20.0]
    positions = landmarks + [3.0, 4.0]
    # Of four misses two are where a fixed place at (10, 10) hits.
    positions[[0, 1, 6, 7]] = [20.0, 29.0]
    found = name_filters(
        positions,
        np.ones((10, 1)),
        landmarks,
        landmark_names=["eye"],
        image_size=(30, 40),
        cells=[[10.0, 10.0], [30.0, 20.0]],
    )
    # 6 hits and 6 by the best fixed place: no better, no name.
    assert found.per_part.tolist() == [[0.0]]
    assert found.names == ("",)
    positions[[0, 6]] = landmarks[[0, 6]]
    found = name_filters(
        positions,
        np.ones((10, 1)),
        landmarks,
        landmark_names=["eye"],
        image_size=(30, 40),
        cells=[[10.0, 10.0], [30.0, 20.0]],
    )
    # 8 hits, 6 of a fixed place, 10 images: (8 - 6) / (10 - 6).
    assert found.names == ("eye",)
    assert found.part.tolist() == [0]
    assert found.confidence.tolist() == [0.5]
    assert found.count.tolist() == [10]
    assert found.part_names == ("eye",)


def test_constructed_filters(constructed):
    positions, scores, landmarks, _ = constructed.arguments
    for choose_on in (None, np.arange(1000) % 2 == 0):
        found = name_filters(positions, scores, landmarks, choose_on=choose_on, **KNOWN)
        names = dict(zip(constructed.names, found.names, strict=True))
        assert names["perfect"] == names["offset"] == "wing"
        assert names["constant"] == names["random"] == names["dead"] == ""
        assert names["two parts"] in ("head", "tail")
        confidence = dict(zip(constructed.names, found.confidence, strict=True))
        assert confidence["perfect"] == confidence["offset"] == 1.0
        assert confidence["two parts"] == pytest.approx(0.5, abs=0.07)
        assert confidence["constant"] == confidence["random"] == 0.0
        assert found.per_part[constructed["constant"]].max() <= 0.03
        assert found.per_part[constructed["random"]].max() < 0


def test_a_filter_is_not_fooled_by_the_images_that_it_fires_in():
    """It fires at the top left alone, and only where the head happens to be there."""
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(0, 224, (900, 3, 2))
    there = (np.abs(landmarks[:, 0] - 60) < 20).all(axis=-1)
    positions = np.where(there[:, None, None], [60.0, 60.0], NAN)
    found = name_filters(positions, there[:, None] * 1.0, landmarks, **KNOWN)
    assert there.sum() >= 8
    assert found.names == ("",)
    gain = ki.metrics.hit_gain(positions, there[:, None] * 1.0, landmarks, 224)
    assert gain.per_filter[0] > 0.8  # the reason for a fixed place of its own


def test_the_part_that_is_hit_more_often_wins_over_the_one_that_moves_more():
    """A filter on the belly, which never moves far, beside a part that does."""
    rng = np.random.default_rng(0)
    belly = rng.normal(112, 20, (300, 2))
    tail = rng.uniform(0, 224, (300, 2))
    # Seven times of ten just below the belly, else in a corner.
    near = np.where(rng.random((300, 1)) < 0.7, belly + [0, 20], [0.0, 0.0])
    landmarks = np.stack([belly, tail, near], axis=1)
    positions = belly[:, None]
    found = name_filters(positions, np.ones((300, 1)), landmarks, **KNOWN)
    assert found.names == ("head",)
    assert found.confidence.tolist() == [1.0]


def test_groups_are_hit_where_one_of_their_landmarks_is(rng):
    landmarks = rng.uniform(0, 224, (300, 3, 2))
    hidden = rng.random((300, 2)) < 0.5
    landmarks[:, :2][hidden] = NAN
    second = np.isnan(landmarks[:, 0, 0]) | (rng.random(300) < 0.5)
    second &= ~np.isnan(landmarks[:, 1, 0])
    either = np.where(second[:, None], landmarks[:, 1], landmarks[:, 0])
    positions, scores = either[:, None], np.ones((300, 1))
    single = name_filters(positions, scores, landmarks, **KNOWN)
    assert single.confidence[0] < 1
    groups = {"wings": ["head", 1], "tail": "tail"}
    found = name_filters(positions, scores, landmarks, landmark_groups=groups, **KNOWN)
    assert found.part_names == ("wings", "tail")
    assert found.names == ("wings",)
    assert found.confidence.tolist() == [1.0]
    # Where both are hidden nothing counts, and a landmark in no group never does.
    assert found.count[0] == 300 - hidden.all(axis=1).sum()
    other = name_filters(
        landmarks[:, [2]], scores, landmarks, landmark_groups={"a": [0, 1]}, **KNOWN
    )
    assert other.names == ("",)


def test_each_filter_is_judged_on_its_own_category(rng):
    landmarks = rng.uniform(0, 64, (200, 2, 2))
    labels = np.arange(200) % 2
    positions = np.where((labels == 0)[:, None], landmarks[:, 0], landmarks[:, 1])
    dataset = ki.datasets.PartsDataset(
        images=np.zeros((200, 64, 64, 3), "uint8"),
        labels=labels,
        class_names=["cat", "dog"],
        landmarks=landmarks,
        landmark_names=["head", "tail"],
    )
    positions = np.repeat(positions[:, None], 2, axis=1)
    found = name_filters(positions, np.ones((200, 2)), dataset, categories=[0, 1])
    assert found.names == ("head", "tail")
    assert found.count.tolist() == [100, 100]


def test_others_are_scored_than_those_that_choose(rng):
    landmarks = rng.uniform(0, 224, (200, 3, 2))
    first = np.arange(200) < 100
    positions = np.where(first[:, None], landmarks[:, 0], landmarks[:, 1])[:, None]
    found = name_filters(
        positions, np.ones((200, 1)), landmarks, choose_on=first, **KNOWN
    )
    # It was on the head where it was chosen; on the others it is not.
    assert found.names == ("",)
    assert found.per_part[0, 1] == 1.0


def test_few_images_and_little_confidence_name_nothing(rng):
    landmarks = rng.uniform(0, 224, (200, 3, 2))
    scores = np.zeros((200, 1))
    scores[:4] = 1.0
    positions = landmarks[:, [0]]
    assert name_filters(positions, scores, landmarks, **KNOWN).names == ("",)
    few = name_filters(positions, scores, landmarks, least_images=4, **KNOWN)
    assert few.names == ("head",)
    half = np.where(rng.random((200, 1)) < 0.5, landmarks[:, 0], 0.0)[:, None]
    full = np.ones((200, 1))
    assert name_filters(half, full, landmarks, **KNOWN).names == ("head",)
    strict = name_filters(half, full, landmarks, least_confidence=0.6, **KNOWN)
    assert strict.names == ("",)
    assert strict.confidence.tolist() == [0.0]


@pytest.mark.parametrize("shape", [(0, 2, 3), (9, 0, 3), (9, 2, 0)])
def test_nothing_names_nothing(shape):
    images, filters, parts = shape
    found = name_filters(
        np.zeros((images, filters, 2)),
        np.ones((images, filters)),
        np.zeros((images, parts, 2)),
        landmark_names=list("abc")[:parts],
        image_size=9,
    )
    assert found.names == ("",) * filters
    assert found.per_part.shape == (filters, parts)


@settings(max_examples=25, deadline=None)
@given(
    place=st.tuples(st.integers(0, 223), st.integers(0, 223)),
    seed=st.integers(0, 100),
    silent=st.floats(0, 0.9),
)
def test_no_fixed_place_has_a_name(place, seed, silent):
    rng = np.random.default_rng(seed)
    landmarks = rng.normal(100, 40, (60, 3, 2))
    landmarks[rng.random((60, 3)) > 0.8] = NAN
    positions = np.broadcast_to(np.array(place, float), (60, 1, 2))
    scores = (rng.random((60, 1)) > silent).astype(float)
    found = name_filters(positions, scores, landmarks, **KNOWN)
    assert found.names == ("",)
    assert not np.nanmax(found.per_part, initial=0) > 0


DATASET = ki.datasets.PartsDataset(
    images=np.zeros((4, 8, 8, 3), "uint8"),
    labels=[0] * 4,
    class_names=["bird"],
    landmarks=np.ones((4, 2, 2)),
    landmark_names=["head", "tail"],
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": np.ones((4, 2, 2))}, "Expected dataset as a PartsDataset, or"),
        ({"image_size": 8}, "Expected landmark_names and image_size with an array"),
        (
            {"dataset": np.ones((4, 2, 2)), "landmark_names": "a", "image_size": 8},
            "Expected landmark_names as 2 different names",
        ),
        ({"landmark_groups": {}}, "Expected landmark_groups as a mapping"),
        ({"landmark_groups": ["head"]}, "Expected landmark_groups as a mapping"),
        ({"landmark_groups": {"a": ["beak"]}}, "of landmarks that the dataset has"),
        ({"landmark_groups": {"a": [2]}}, "of landmarks that the dataset has"),
        ({"landmark_groups": {"a": [0], "b": "head"}}, "in one group at most"),
        ({"radius": 0}, "Expected radius as a positive share"),
        ({"least_confidence": 2}, "Expected least_confidence as a share"),
        ({"least_images": 0}, "Expected least_images as a positive number"),
        ({"choose_on": [True, False]}, "Expected choose_on as booleans"),
        ({"scores": np.ones((4, 2))}, "Expected scores of shape"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {
        "positions": np.zeros((4, 3, 2)),
        "scores": np.ones((4, 3)),
        "dataset": DATASET,
    }
    with pytest.raises(ValueError, match=message):
        name_filters(**{**arguments, **change})
