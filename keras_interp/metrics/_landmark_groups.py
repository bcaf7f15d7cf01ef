"""Landmarks that count as one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def check_landmark_groups(
    landmark_groups: Mapping[str, Any], landmark_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Places of the landmarks of each group, refused where one is unknown or twice.

    Args:
        landmark_groups: name of each group, and the names or places of its landmarks.
        landmark_names: the K names that places refer to.

    Returns:
        The groups in their order, with int arrays.
    """
    if not isinstance(landmark_groups, Mapping) or not landmark_groups:
        raise ValueError(
            "Expected landmark_groups as a mapping from names of groups to landmarks. "
            f"Received: landmark_groups={landmark_groups!r}. Pass "
            '{"head": ["beak", "crown"], "tail": ["tail"]}, say.'
        )
    names = list(landmark_names)
    found = {
        str(group): np.array(
            [_place(one, names, group) for one in _members(members)], dtype=int
        )
        for group, members in landmark_groups.items()
    }
    places, counts = np.unique(np.concatenate([*found.values()]), return_counts=True)
    if np.any(counts > 1):
        repeated = [names[place] for place in places[counts > 1]]
        raise ValueError(
            "Expected landmark_groups with each landmark in one group at most. "
            f"Received: {repeated} more than once. Leave them in one group."
        )
    return found


def check_landmark_names(landmark_names: Sequence[str] | None, count: int) -> list[str]:
    """The K names, all different; without any, names that nobody would use."""
    if landmark_names is None:
        return [f"landmark {place}" for place in range(count)]
    names = list(landmark_names)
    if len(names) != count or len(set(names)) != count:
        raise ValueError(
            f"Expected landmark_names as {count} different names, one for each "
            f"landmark. Received: landmark_names={names!r}. Pass "
            "dataset.landmark_names."
        )
    return names


def group_of_landmarks(groups: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Group of each landmark, int `(count + 1,)`, -1 for none and in the last place.

    So `group_of_landmarks(groups, K)[part]` holds for a part of -1 as well.
    """
    table = np.full(count + 1, -1)
    for place, members in enumerate(groups.values()):
        table[members] = place
    return table


def _members(members: Any) -> Sequence[Any]:
    return [members] if isinstance(members, str | int) else list(members)


def _place(landmark: Any, names: list[str], group: str) -> int:
    if isinstance(landmark, str) and landmark in names:
        return names.index(landmark)
    whole = isinstance(landmark, int | np.integer) and not isinstance(landmark, bool)
    if whole and 0 <= landmark < len(names):
        return int(landmark)
    raise ValueError(
        "Expected landmark_groups of landmarks that the dataset has: names out of "
        f"{names}, or places from 0 to {len(names) - 1}. Received: {landmark!r} in "
        f"the group {group!r}. Correct or remove it."
    )
