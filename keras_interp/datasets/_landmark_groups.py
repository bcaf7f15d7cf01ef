"""Landmarks that belong to one part of the body."""

from __future__ import annotations

from collections.abc import Iterable

CUB_LANDMARK_GROUPS = {
    "head": (
        "beak",
        "crown",
        "forehead",
        "left eye",
        "right eye",
        "nape",
        "throat",
    ),
    "belly/breast": ("belly", "breast"),
    "back": ("back",),
    "wings": ("left wing", "right wing"),
    "legs": ("left leg", "right leg"),
    "tail": ("tail",),
}

ANIMAL_LANDMARK_GROUPS = {
    "head": ("head", "ears", "beak", "horns", "trunk"),
    "neck": ("neck",),
    "torso": ("torso",),
    "legs": ("legs",),
    "front legs": ("front_legs",),
    "back legs": ("back_legs",),
    "tail": ("tail",),
}


def landmark_groups(landmark_names: Iterable[str]) -> dict[str, list[str]]:
    """Puts landmarks that lie on one part of the body into one group.

    The 7 landmarks on a bird's head cannot be told apart on a coarse feature map: that
    filters follow several of them does not mean that they cover the bird. Groups are
    known for `cub` and `synthetic_birds` (head, belly/breast, back, wings, legs, tail)
    and for `animal_part`, `synthetic_parts` and `pascal_part` (the head with its ears,
    beak, horns and trunk; each other part for itself). A landmark of any other name is
    a group of its own.

    Example:

    >>> import keras_interp as ki
    >>> ki.datasets.landmark_groups(["beak", "left eye", "tail", "hump"])
    {'head': ['beak', 'left eye'], 'tail': ['tail'], 'hump': ['hump']}

    Args:
        landmark_names: the names, such as `dataset.landmark_names`.

    Returns:
        The landmarks of each group, groups and landmarks in the order given.
    """
    known = {
        landmark: group
        for groups in (ANIMAL_LANDMARK_GROUPS, CUB_LANDMARK_GROUPS)
        for group, members in groups.items()
        for landmark in members
    }
    found: dict[str, list[str]] = {}
    for name in landmark_names:
        found.setdefault(known.get(name, name), []).append(name)
    return found
