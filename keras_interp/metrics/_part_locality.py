"""How well maps keep to one part each: entropy over the regions of parts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._instability_baselines import mean_without_nan
from keras_interp.metrics._part_regions import (
    check_boxes,
    check_groups,
    check_maps,
    part_shares,
    pixel_size,
)
from keras_interp.metrics._peaks import check_landmarks
from keras_interp.metrics._scores import mean_of_known


@dataclasses.dataclass(frozen=True)
class PartLocality:
    """Result of `part_locality`.

    Args:
        value: mean of `per_map` over the maps that could be judged, in nats.
        per_map: float64 `(n,)`, entropy of each map's distribution over the parts; NaN
            where no image counts.
        part_distribution: float64 `(n, P)`, mean share of each part, of sum 1.
        part: int `(n,)`, the part with the greatest share; -1 where there is none.
        count: int `(n,)`, images behind each figure.
    """

    value: float
    per_map: np.ndarray
    part_distribution: np.ndarray
    part: np.ndarray
    count: np.ndarray


def part_locality(
    maps: Any,
    landmarks: Any,
    boxes: Any,
    *,
    image_size: int | tuple[int, int] | None = None,
    groups: Any = None,
) -> PartLocality:
    """Measures over how many parts a map spreads: the lower, the more local.

    Within the box every pixel belongs to the nearest part point that is seen, the
    first of several. The share S of a part is the share of the map in its pixels. The
    shares are averaged over the images and divided by their sum, and the locality is
    the entropy of that distribution: 0 for a map that keeps to one part, the logarithm
    of the number of parts for one that knows none.

    The figure says little alone: a map that always lights up one cell in the middle
    scores better than most networks. See `keras_interp.metrics.locality_controls`.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.tile([[[2.0, 4.0], [7.0, 4.0]]], (3, 1, 1))
    >>> boxes = np.tile([0, 0, 10, 10], (3, 1))
    >>> maps = np.zeros((3, 2, 10, 10))
    >>> maps[:, 0, 4, 2] = 1.0  # the first map lights up at the first part alone
    >>> maps[:, 1] = 1.0  # the second everywhere
    >>> ki.metrics.part_locality(maps, landmarks, boxes).per_map.round(4)
    array([0.    , 0.6931])

    Args:
        maps: float `(N, n, height, width)`, n maps an image, zero or positive; or
            `(N, height, width)`. A map that is zero everywhere is skipped.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent. Pixel `i` has
            its centre at `i`, as for the other metrics. An image without any is
            skipped.
        boxes: float `(N, 4)`, (x0, y0, x1, y1) in pixels, `x0 <= i < x1` being inside;
            NaN skips an image, `None` takes the whole images.
        image_size: side of the images that landmarks and boxes refer to, or
            `(height, width)`, in pixels. Smaller maps are enlarged bilinearly. Default:
            the size of the maps.
        groups: int `(K,)`, the part that each landmark belongs to, from 0: the regions
            of its landmarks together are a part's region. By default each landmark is
            a part.

    Returns:
        `PartLocality` with `.value`, `.per_map`, `.part_distribution`, `.part` and
        `.count`; NaN where no image counts.

    Raises:
        ValueError: if a shape does not fit, a map is negative or not finite, or a box
            is turned round.

    Reference:
        Qi and Li, Learning Explainable Embeddings for Deep Networks, 2017, section 3,
        "Locality".
    """
    maps = check_maps(maps)
    size = pixel_size(image_size, maps.shape[2:])
    landmarks = check_landmarks(landmarks, len(maps))
    boxes = check_boxes(boxes, len(maps), size)
    groups = check_groups(groups, landmarks.shape[1])
    return _locality(part_shares(maps, landmarks, boxes, groups, size)[0])


def _locality(shares: np.ndarray) -> PartLocality:
    """Locality of shares `(N, n, P)`, NaN where an image does not count."""
    known = ~np.isnan(shares).all(axis=-1)
    histogram = np.where(known[..., None], shares, 0.0).sum(axis=0)
    total = histogram.sum(axis=-1, keepdims=True)
    # A map that lies outside of all boxes has no distribution.
    inside = total[:, 0] > 0
    distribution = np.where(
        inside[:, None], histogram / np.where(total > 0, total, 1.0), np.nan
    )
    entropy = np.where(inside, _entropy(np.nan_to_num(distribution)), np.nan)
    part = np.full(len(inside), -1)
    if inside.any():
        part[inside] = distribution[inside].argmax(axis=-1)
    return PartLocality(
        mean_of_known(entropy), entropy, distribution, part, known.sum(axis=0)
    )


def _entropy(distribution: np.ndarray) -> np.ndarray:
    """Entropy in nats along the last axis, 0 log 0 being 0."""
    logarithm = np.log(np.where(distribution > 0, distribution, 1.0))
    # Neither below 0, which rounding would reach for a single part, nor -0.
    return np.abs(np.minimum(0.0, np.sum(distribution * logarithm, axis=-1)))


@dataclasses.dataclass(frozen=True)
class LocalityControls:
    """Result of `locality_controls`, all in nats.

    Args:
        locality: of the maps themselves, as `part_locality` gives it.
        shuffled: float, mean over the maps of their locality against part points of
            other images.
        shuffled_per_map: float64 `(n,)`.
        part_gain: float, mean over the maps of `shuffled - locality`: above 0 where
            maps follow the parts, 0 for maps that stay at one place.
        part_gain_per_map: float64 `(n,)`.
        uniform: locality of a map that is equal everywhere.
        constant_center: of a map that lights up the middle cell alone.
        random_cell: of maps that light up one random cell in each image.
        perfect: of maps that light up the cell of one landmark, mean over the
            landmarks.
        perfect_per_landmark: float64 `(K,)`.
        perfect_shuffled: mean over the landmarks of the locality of these maps against
            part points of other images.
    """

    locality: PartLocality
    shuffled: float
    shuffled_per_map: np.ndarray
    part_gain: float
    part_gain_per_map: np.ndarray
    uniform: float
    constant_center: float
    random_cell: float
    perfect: float
    perfect_per_landmark: np.ndarray
    perfect_shuffled: float


def locality_controls(
    maps: Any,
    landmarks: Any,
    boxes: Any,
    *,
    image_size: int | tuple[int, int] | None = None,
    groups: Any = None,
    shuffles: int = 8,
    random_maps: int = 16,
    seed: int = 0,
) -> LocalityControls:
    """Measures maps beside maps of which it is known what they look at.

    Maps that see nothing (uniform, the middle cell, random cells) and maps that see
    everything (one landmark each) have the same cells as `maps`. The same maps are
    also held against the part points and boxes of other images: what is left of their
    locality then comes from their place and shape alone. `part_gain`, the difference,
    is what they owe to the parts.

    Pass images of one class, or of one pose, for a strict comparison: within these the
    places of parts differ least.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> generator = np.random.default_rng(0)
    >>> landmarks = generator.integers(0, 13, (40, 5, 2)).astype("float32")
    >>> maps = np.zeros((40, 1, 13, 13))
    >>> x, y = landmarks[:, 0].astype(int).T
    >>> maps[np.arange(40), 0, y, x] = 1.0  # a perfect detector of the first part
    >>> found = ki.metrics.locality_controls(maps, landmarks, None)
    >>> bool(found.part_gain > 1.0 and found.locality.value < found.constant_center)
    True

    Args:
        maps: float `(N, n, height, width)`, n maps an image, zero or positive; or
            `(N, height, width)`. A map that is zero everywhere is skipped.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        boxes: float `(N, 4)`, (x0, y0, x1, y1) in pixels; NaN skips an image, `None`
            takes the whole images.
        image_size: side of the images that landmarks and boxes refer to, or
            `(height, width)`, in pixels. Default: the size of the maps.
        groups: int `(K,)`, the part that each landmark belongs to, from 0. By default
            each landmark is a part.
        shuffles: orders of the images that `shuffled` is the mean of. In each of them
            every image has the part points of another one.
        random_maps: maps that `random_cell` is the mean of.
        seed: of the orders and the random cells.

    Returns:
        `LocalityControls`. `shuffled` and `part_gain` are NaN where fewer than two
        images show a part.

    Raises:
        ValueError: if a shape does not fit, a map is negative or not finite, a box is
            turned round, or a number of shuffles or maps is below 1.

    Reference:
        Controls of this library for Qi and Li, Learning Explainable Embeddings for
        Deep Networks, 2017, section 3, "Locality".
    """
    for name, number in (("shuffles", shuffles), ("random_maps", random_maps)):
        if number < 1:
            raise ValueError(
                f"Expected {name} of at least 1. Received: {name}={number!r}. Leave it "
                "out for the usual number."
            )
    maps = check_maps(maps)
    size = pixel_size(image_size, maps.shape[2:])
    landmarks = check_landmarks(landmarks, len(maps))
    boxes = check_boxes(boxes, len(maps), size)
    groups = check_groups(groups, landmarks.shape[1])
    generator = np.random.default_rng(seed)
    count, known = maps.shape[1], landmarks.shape[1]
    constant, perfect = _control_maps(maps, landmarks, size, random_maps, generator)
    orders = _orders(landmarks, boxes, shuffles, generator)
    own = part_shares(
        np.concatenate([maps, constant, perfect], axis=1),
        landmarks,
        boxes,
        groups,
        size,
    )[0]
    own_entropy = _locality(own).per_map
    with_order = np.concatenate([maps, perfect], axis=1)
    others = np.full((1, count + known), np.nan)
    if len(orders):
        shares = part_shares(with_order, landmarks, boxes, groups, size, orders)
        others = np.stack([_locality(one).per_map for one in shares])
    others = mean_without_nan(others, axis=0)
    gain = others[:count] - own_entropy[:count]
    return LocalityControls(
        locality=_locality(own[:, :count]),
        shuffled=mean_of_known(others[:count]),
        shuffled_per_map=others[:count],
        part_gain=mean_of_known(gain),
        part_gain_per_map=gain,
        uniform=float(own_entropy[count]),
        constant_center=float(own_entropy[count + 1]),
        random_cell=mean_of_known(own_entropy[count + 2 : count + 2 + random_maps]),
        perfect=mean_of_known(own_entropy[count + 2 + random_maps :]),
        perfect_per_landmark=own_entropy[count + 2 + random_maps :],
        perfect_shuffled=mean_of_known(others[count:]),
    )


def _control_maps(
    maps: np.ndarray,
    landmarks: np.ndarray,
    size: tuple[int, int],
    random_maps: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Maps that see nothing `(N, 2 + random_maps, h, w)`, and a landmark each."""
    images, height, width = len(maps), *maps.shape[2:]
    known = landmarks.shape[1]
    constant = np.zeros((images, 2 + random_maps, height, width), "float32")
    constant[:, 0] = 1.0
    constant[:, 1, height // 2, width // 2] = 1.0
    drawn = generator.integers(height * width, size=(images, random_maps))
    row, column = np.divmod(drawn, width)
    constant[np.arange(images)[:, None], 2 + np.arange(random_maps), row, column] = 1.0
    perfect = np.zeros((images, known, height, width), "float32")
    image, landmark = np.nonzero(~np.isnan(landmarks[..., 0]))
    x, y = landmarks[image, landmark].T
    column = np.clip((x + 0.5) * width // size[1], 0, width - 1).astype(int)
    row = np.clip((y + 0.5) * height // size[0], 0, height - 1).astype(int)
    perfect[image, landmark, row, column] = 1.0
    return constant, perfect


def _orders(
    landmarks: np.ndarray,
    boxes: np.ndarray,
    shuffles: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Permutations `(R, N)` in which every image that counts has another's points."""
    seen = ~np.isnan(landmarks[..., 0]).all(axis=1) & np.isfinite(boxes).all(axis=1)
    rows = np.flatnonzero(seen)
    if len(rows) < 2:
        return np.empty((0, len(landmarks)), int)
    orders = np.tile(np.arange(len(landmarks)), (shuffles, 1))
    for order in orders:
        ring = generator.permutation(rows)
        order[ring] = np.roll(ring, generator.integers(1, len(rows)))
    return orders
