"""Landmarks that belong to one part of the body."""

from __future__ import annotations

import keras_interp as ki


def test_birds():
    names = ki.datasets.load("synthetic_birds", num_images=4).landmark_names
    groups = ki.datasets.landmark_groups(names)
    assert {group: sorted(members) for group, members in groups.items()} == {
        "back": ["back"],
        "head": [
            "beak",
            "crown",
            "forehead",
            "left eye",
            "nape",
            "right eye",
            "throat",
        ],
        "belly/breast": ["belly", "breast"],
        "legs": ["left leg", "right leg"],
        "wings": ["left wing", "right wing"],
        "tail": ["tail"],
    }
    constant = {name: list(one) for name, one in groups.items()}
    assert {k: sorted(v) for k, v in constant.items()} == {
        k: sorted(v) for k, v in ki.datasets.CUB_LANDMARK_GROUPS.items()
    }


def test_animals():
    names = ki.datasets.load("synthetic_parts", num_images=8).landmark_names
    groups = ki.datasets.landmark_groups(names)
    assert groups["head"] == ["head", "ears", "beak", "horns", "trunk"]
    assert set(groups) == {"head", "neck", "torso", "front legs", "back legs", "tail"}
    both = ki.datasets.landmark_groups(["head", "front_legs"])
    assert both == {"head": ["head"], "front legs": ["front_legs"]}


def test_other_names_are_groups_of_their_own():
    assert ki.datasets.landmark_groups(["wheel", "roof"]) == {
        "wheel": ["wheel"],
        "roof": ["roof"],
    }
    assert ki.datasets.landmark_groups([]) == {}
