"""Filters that fire at one place: what can be grouped without landmarks."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.cluster.hierarchy
import scipy.spatial.distance

from keras_interp.metrics._filter_statistics import PAIRS_AT_ONCE
from keras_interp.metrics._peaks import image_diagonal

# As in `ki.metrics.overlap`.
RADIUS = 0.1
# Filters share a place where their peaks are close in more than half of the images in
# which both fire.
SHARE = 0.5
_FEWEST_IMAGES = 2
_MOST_IMAGES = 200


@dataclasses.dataclass(frozen=True)
class SharedPlaces:
    """Groups of filters that fire at one place.

    Args:
        group: int `(F,)`, 0 for the largest group, -1 for a filter that shares its
            place with no other.
        share: float `(groups,)`, how often two filters of the group are close.
    """

    group: np.ndarray
    share: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of filters of each group, int `(groups,)`."""
        return np.bincount(self.group[self.group >= 0], minlength=len(self.share))


def shared_places(
    positions: np.ndarray, image_size: tuple[int, int], measured: np.ndarray
) -> SharedPlaces:
    """Groups filters whose peaks lie close in most images in which both fire.

    Any two filters of a group do (complete linkage), so that a group is one place and
    no chain of places. At most 200 images are looked at, evenly over all.

    Args:
        positions: float `(N, F, 2)`, peaks in pixels, NaN where a filter does not fire.
        image_size: (height, width) in pixels.
        measured: bool `(F,)`; others, silent filters say, are in no group.
    """
    step = -(-len(positions) // _MOST_IMAGES)
    close = _close(positions[::step, measured], image_size)
    group = np.full(len(measured), -1)
    if len(close) < 2:
        return SharedPlaces(group, np.zeros(0))
    condensed = scipy.spatial.distance.squareform(1 - close, checks=False)
    tree = scipy.cluster.hierarchy.linkage(condensed, "complete")
    # A share of exactly the half is no more than the half.
    number = scipy.cluster.hierarchy.fcluster(tree, SHARE - 1e-9, "distance") - 1
    sizes = np.bincount(number)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 1]
    place = np.full(len(sizes), -1)
    place[order] = np.arange(len(order))
    group[measured] = place[number]
    share = np.zeros(len(order))
    for one in range(len(order)):
        inside = np.flatnonzero(place[number] == one)
        pairs = close[np.ix_(inside, inside)]
        share[one] = pairs[np.triu_indices(len(inside), 1)].mean()
    return SharedPlaces(group, share)


def _close(positions: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """How often two filters peak close to each other, `(F, F)`, where both fire."""
    reach = (RADIUS * image_diagonal(image_size)) ** 2
    firing = np.isfinite(positions).all(axis=-1).astype("float32")
    both = firing.T @ firing
    filters = positions.shape[1]
    close = np.zeros((filters, filters), "float32")
    step = max(1, PAIRS_AT_ONCE // max(1, filters**2))
    for start in range(0, len(positions), step):
        x, y = np.moveaxis(positions[start : start + step].astype("float32"), -1, 0)
        squared = (x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2
        close += (squared <= reach).sum(axis=0)
    return np.where(both >= _FEWEST_IMAGES, close / np.maximum(both, 1), 0.0)
