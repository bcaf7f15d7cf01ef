"""Divides pictures into "train" and "test", the same way every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def check_split(
    split: str | None, split_by: str, known: Sequence[str]
) -> tuple[str | None, str]:
    """Checks which pictures are wanted and by which rule they are divided.

    Args:
        split: `"train"`, `"test"`, None for both, or `"authors"`, which is short for
            both as the authors divided them.
        split_by: one of `known`.
        known: the rules of the dataset.

    Returns:
        `split`, now `"train"`, `"test"` or None, and `split_by`.
    """
    if split == "authors":
        split, split_by = None, "authors"
    if split not in ("train", "test", None):
        raise ValueError(
            f'split must be "train", "test" or None for both, or "authors" for both as '
            f"the authors divided them, got {split!r}"
        )
    if split_by not in known:
        names = " or ".join(f'"{name}"' for name in known)
        raise ValueError(f"split_by must be {names}, got {split_by!r}")
    return split, split_by


def split_by_groups(
    groups: np.ndarray, strata: np.ndarray, test_fraction: float
) -> np.ndarray:
    """Puts evenly spaced groups of every stratum into the test split.

    Args:
        groups: `(N,)`; pictures of one group stay together.
        strata: `(N,)`; the classes, say. A group belongs to that of its first picture.
        test_fraction: share of the groups of each stratum in the split `"test"`.

    Returns:
        str array of shape `(N,)` of `"train"` and `"test"`.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    order = np.lexsort((first, strata[first]))
    sorted_strata = strata[first][order]
    starts = np.searchsorted(sorted_strata, sorted_strata)
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first)) - starts
    # The slack keeps 3 * (1 / 3) from falling below 1.
    steps = np.floor(np.stack([rank + 1, rank]) * test_fraction + 1e-9)
    return np.where(steps[0] > steps[1], "test", "train")[group.reshape(-1)]


def split_as_authors(count: int) -> np.ndarray:
    """The split of the interpretable-CNN authors: about every tenth is not trained on.

    Of N objects in file order they train on `round(linspace(1, N, round(0.9 N)))`
    and validate on the others, which are called `"test"` here.

    Args:
        count: N, the length of the full list.

    Returns:
        str array of shape `(count,)` of `"train"` and `"test"`.

    Reference:

    - Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
      released code (`getImdb.m`).
    """
    names = np.full(count, "test ")
    kept = int(np.floor(0.9 * count + 0.5))
    # MATLAB rounds halves away from zero, NumPy to even.
    train = np.floor(np.linspace(1, count, kept) + 0.5).astype(int) - 1
    names[train] = "train"
    return np.char.strip(names)
