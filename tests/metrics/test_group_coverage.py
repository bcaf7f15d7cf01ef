"""Groups of landmarks that have a detector, from planted filters."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import (
    group_coverage,
    hit_gain,
    is_hit_part_detector,
    is_part_detector,
    part_coverage,
    tracking,
)

NAMES = ["beak", "crown", "breast", "throat", "tail"]
GROUPS = {"head": ["beak", "crown", "throat"], "breast": ["breast"], "tail": ["tail"]}


def bird(images: int = 600):
    """Landmarks of a bird that turns and shifts; the throat moves with the breast."""
    rng = np.random.default_rng(0)
    breast = rng.normal(112, 25, (images, 1, 2))
    throat = breast + [0.0, -60.0] + rng.normal(0, 4, (images, 1, 2))
    head = rng.uniform(10, 214, (images, 1, 2))
    crown = head + rng.normal(0, 3, (images, 1, 2))
    tail = rng.uniform(10, 214, (images, 1, 2))
    return np.concatenate([head, crown, breast, throat, tail], axis=1)


def figures(positions, landmarks):
    first = np.arange(len(landmarks)) % 2 == 0
    known = positions, np.ones(positions.shape[:2]), landmarks, 224
    return tracking(*known, choose_on=first), hit_gain(*known, choose_on=first)


def test_the_part_that_is_hit_must_be_the_part_that_is_tracked():
    landmarks = bird()
    rng = np.random.default_rng(1)
    # Near the breast, but its errors are those of the throat: the best-tracked part is
    # the throat, which it never hits.
    breast = landmarks[:, 2] + (landmarks[:, 3] - landmarks[:, 2] + [0.0, 60.0])
    beside = landmarks[:, 4] + [60.0, 0.0]
    fixed = np.full((600, 2), 112.0)
    lost = rng.uniform(0, 224, (600, 2))
    planted = [landmarks[:, 0], landmarks[:, 0], breast, beside, fixed, lost]
    tracked, hits = figures(np.stack(planted, axis=1), landmarks)
    assert is_hit_part_detector(tracked, hits).tolist() == [True] * 3 + [False] * 3
    found = group_coverage(tracked, hits, GROUPS, NAMES)
    assert found.group_names == ("head", "breast", "tail")
    assert found.count.tolist() == [2, 1, 0]
    assert found.groups == 2
    assert found.group[:3].tolist() == [0, 0, 1]
    # Two filters of three in one group: exp of the entropy of (2/3, 1/3).
    assert found.value == pytest.approx(1.889881574842310)
    # The strict criterion asks tracking as well, and that says throat, on the head.
    assert tracked.part[2] == NAMES.index("throat")
    assert is_part_detector(tracked, hits)[2]
    assert found.strict == pytest.approx(1.0)


def test_collapse_on_the_head_is_one_group_though_landmarks_differ():
    landmarks = bird()
    positions = landmarks[:, [0, 1, 0, 1]]
    tracked, hits = figures(positions, landmarks)
    assert part_coverage(tracked.part) == pytest.approx(2.0)
    found = group_coverage(tracked, hits, GROUPS, NAMES)
    assert (found.value, found.groups) == (pytest.approx(1.0), 1)
    by_place = group_coverage(tracked, hits, {"head": [0, 1], "rest": [2, 3, 4]})
    assert by_place.count.tolist() == [4, 0]


def test_filters_of_a_landmark_in_no_group_do_not_count():
    landmarks = bird()
    tracked, hits = figures(landmarks[:, [4, 0]], landmarks)
    found = group_coverage(tracked, hits, {"head": ["beak", "crown"]}, NAMES)
    assert found.detectors.tolist() == [False, True]
    assert found.group.tolist() == [-1, 0]
    nothing = group_coverage(tracked, hits, {"breast": ["breast"]}, NAMES)
    assert (nothing.value, nothing.strict, nothing.groups) == (0.0, 0.0, 0)


def test_parts_of_coverage_may_be_grouped():
    parts = [0, 1, 2, 3, -1]
    groups = {"a": [0, 1], "b": [3]}
    found = part_coverage(parts, landmark_groups=groups)
    assert found == pytest.approx(1.889881574842310)
    named = {"a": ["w", "x"], "b": ["z"]}
    again = part_coverage(parts, landmark_groups=named, landmark_names=list("wxyz"))
    assert again == pytest.approx(found)
    # Weights belong to filters, groups of parts that nobody follows change nothing.
    more = {**groups, "c": [7]}
    assert part_coverage(parts, [1, 1, 1, 2, 1], landmark_groups=more) == pytest.approx(
        2.0
    )


def test_bad_input_is_refused():
    landmarks = bird(40)
    tracked, hits = figures(landmarks, landmarks)
    other, _ = figures(landmarks, landmarks[:, :3])
    with pytest.raises(ValueError, match="of the same filters and landmarks"):
        is_hit_part_detector(other, hits)
    with pytest.raises(ValueError, match="of landmarks that the dataset has"):
        group_coverage(tracked, hits, {"head": ["beak"]})
    with pytest.raises(ValueError, match="landmark_names as 5 different names"):
        group_coverage(tracked, hits, GROUPS, NAMES[:4])
    with pytest.raises(ValueError, match="in one group at most"):
        part_coverage([0, 1], landmark_groups={"a": [0], "b": [0, 1]})
    with pytest.raises(ValueError, match="landmark_names as 4 different names"):
        part_coverage([3], landmark_groups={"a": ["x"]}, landmark_names=["x"])
