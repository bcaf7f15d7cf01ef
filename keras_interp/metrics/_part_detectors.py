"""Which part each filter is for, and how many different ones there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_interp.metrics._hit_gain import HitGainScores
from keras_interp.metrics._landmark_groups import (
    check_landmark_groups,
    check_landmark_names,
    group_of_landmarks,
)
from keras_interp.metrics._peaks import LocatedPeaks, to_numpy
from keras_interp.metrics._scores import PartScores, pick


def is_part_detector(
    tracking: PartScores,
    hit_gain: HitGainScores,
    least_tracking: float = 0.2,
    least_hit_gain: float = 0.1,
) -> np.ndarray:
    """Tells which filters follow a part on images that did not choose it.

    Both figures must be known and above their threshold. They may have chosen different
    parts: neighbouring ones, such as beak and forehead, can swap places.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 2, 2))
    >>> constant = np.full((100, 1, 2), 31.5)
    >>> positions = np.concatenate([landmarks[:, :1], constant], axis=1)
    >>> known = positions, np.ones((100, 2)), landmarks, 64
    >>> ki.metrics.is_part_detector(
    ...     ki.metrics.tracking(*known), ki.metrics.hit_gain(*known)
    ... )
    array([ True, False])

    Args:
        tracking: what `keras_interp.metrics.tracking` gave.
        hit_gain: what `keras_interp.metrics.hit_gain` gave for the same filters.
        least_tracking: threshold that tracking must exceed.
        least_hit_gain: threshold that hit gain must exceed.

    Returns:
        bool `(F,)`.

    Raises:
        ValueError: if the two are for different numbers of filters.

    Reference:
        A convention of this library.
    """
    if tracking.per_filter.shape != hit_gain.per_filter.shape:
        raise ValueError(
            "Expected tracking and hit_gain of the same filters. Received: tracking "
            f"of {tracking.per_filter.size} filters and hit_gain of "
            f"{hit_gain.per_filter.size}. Pass results of the same layer."
        )
    # A comparison with NaN is False: a filter that was not judged is no detector.
    return (tracking.per_filter > least_tracking) & (
        hit_gain.per_filter > least_hit_gain
    )


def is_hit_part_detector(
    tracking: PartScores,
    hit_gain: HitGainScores,
    least_tracking: float = 0.2,
    least_hit_gain: float = 0.1,
) -> np.ndarray:
    """Tells which filters track the very part that they hit.

    The part is the one that hit gain chose. Hit gain and tracking of that part must be
    known and above their threshold on images that did not choose it. Tracking alone
    calls a filter on the breast "throat", since the throat moves with the breast and
    moves further.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 2, 2))
    >>> beside = landmarks[:, :1] + 20.0  # moves with a part that it never hits
    >>> positions = np.concatenate([landmarks[:, :1], beside], axis=1)
    >>> known = positions, np.ones((100, 2)), landmarks, 64
    >>> ki.metrics.is_hit_part_detector(
    ...     ki.metrics.tracking(*known), ki.metrics.hit_gain(*known)
    ... )
    array([ True, False])

    Args:
        tracking: what `keras_interp.metrics.tracking` gave.
        hit_gain: what `keras_interp.metrics.hit_gain` gave for the same filters.
        least_tracking: threshold that tracking of the part must exceed.
        least_hit_gain: threshold that hit gain must exceed.

    Returns:
        bool `(F,)`.

    Raises:
        ValueError: if the two are for different filters or landmarks.

    Reference:
        A convention of this library.
    """
    if tracking.per_part.shape != hit_gain.per_part.shape:
        raise ValueError(
            "Expected tracking and hit_gain of the same filters and landmarks. "
            f"Received: tracking of shape {tracking.per_part.shape} and hit_gain of "
            f"shape {hit_gain.per_part.shape}. Pass results of the same layer."
        )
    tracked = pick(tracking.per_part, hit_gain.part)
    # A comparison with NaN is False: a filter that was not judged is no detector.
    return (tracked > least_tracking) & (hit_gain.per_filter > least_hit_gain)


@dataclasses.dataclass(frozen=True)
class GroupCoverage:
    """Which groups of landmarks the part detectors of a layer cover.

    Args:
        value: effective number of groups, from hit-part detectors alone; 0 without any.
        strict: the same from the filters that are part detectors by
            `ki.metrics.is_part_detector` and for which tracking and hit gain chose
            parts of one group.
        detectors: bool `(F,)`, the hit-part detectors.
        group: int `(F,)`, the group of the part that hit gain chose for each filter; -1
            for none.
        count: int `(G,)`, hit-part detectors of each group.
        groups: number of groups with a hit-part detector.
        group_names: the G names.
    """

    value: float
    strict: float
    detectors: np.ndarray
    group: np.ndarray
    count: np.ndarray
    groups: int
    group_names: tuple[str, ...]


def group_coverage(
    tracking: PartScores,
    hit_gain: HitGainScores,
    landmark_groups: Mapping[str, Any],
    landmark_names: Sequence[str] | None = None,
) -> GroupCoverage:
    """Counts the parts of the body that a layer has detectors for.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 3, 2))
    >>> known = landmarks, np.ones((100, 3)), landmarks, 64
    >>> found = ki.metrics.group_coverage(
    ...     ki.metrics.tracking(*known),
    ...     ki.metrics.hit_gain(*known),
    ...     {"head": ["beak", "crown"], "tail": ["tail"]},
    ...     ["beak", "crown", "tail"],
    ... )
    >>> found.groups, found.count, round(found.value, 2)
    (2, array([2, 1]), 1.89)

    Args:
        tracking: what `keras_interp.metrics.tracking` gave.
        hit_gain: what `keras_interp.metrics.hit_gain` gave for the same filters.
        landmark_groups: a mapping from the name of each group to the names or places
            of its landmarks, as `ki.datasets.landmark_groups` makes it. Filters of a
            landmark in no group do not count.
        landmark_names: the K names, needed where the groups hold names.

    Returns:
        `GroupCoverage` with `.value`, `.strict`, `.detectors`, `.group`, `.count`,
        `.groups` and `.group_names`.

    Raises:
        ValueError: if the two are for different filters or landmarks, or a group has a
            landmark that is unknown or in another group too.

    Reference:
        A measure of this library, see `ki.metrics.part_coverage`.
    """
    detectors = is_hit_part_detector(tracking, hit_gain)
    landmarks = tracking.per_part.shape[1]
    groups = check_landmark_groups(
        landmark_groups, check_landmark_names(landmark_names, landmarks)
    )
    table = group_of_landmarks(groups, landmarks)
    group, tracked = table[hit_gain.part], table[tracking.part]
    strict = is_part_detector(tracking, hit_gain) & (group == tracked)
    found = group[detectors & (group >= 0)]
    count = np.bincount(found, minlength=len(groups))
    return GroupCoverage(
        value=part_coverage(group, detectors),
        strict=part_coverage(group, strict),
        detectors=detectors & (group >= 0),
        group=group,
        count=count,
        groups=int((count > 0).sum()),
        group_names=tuple(groups),
    )


def part_coverage(
    parts: Any,
    weights: Any = None,
    *,
    landmark_groups: Mapping[str, Any] | None = None,
    landmark_names: Sequence[str] | None = None,
) -> float:
    """Counts the different parts that the filters follow, evenly followed ones fully.

    It is the exponential of the entropy of the distribution of filters over parts: 1
    when all filters follow one part, K when K parts have equally many filters each.

    Example:

    >>> import keras_interp as ki
    >>> round(ki.metrics.part_coverage([0, 0, 1, 1]), 6)
    2.0
    >>> round(ki.metrics.part_coverage([0, 1, 2], landmark_groups={"head": [0, 1]}), 6)
    1.0

    Args:
        parts: int `(F,)`, the part of each filter, as `.part` of
            `keras_interp.metrics.tracking` gives it; negative where it has none.
        weights: float `(F,)`, how much each filter counts, not negative; `None` lets
            all count alike. NaN counts as 0. To count part detectors only pass
            `ki.metrics.is_part_detector(...)`.
        landmark_groups: parts that count as one: a mapping from the name of each group
            to the names or places of its landmarks. A filter that follows a part in no
            group does not count. Default: each part counts for itself.
        landmark_names: the names of the parts, needed where the groups hold names.

    Returns:
        The effective number of parts, 0.0 when no filter follows any part.

    Raises:
        ValueError: if shapes differ, parts are not whole numbers, a weight is negative
            or infinite, or a group has a landmark that is unknown or in another group
            too.

    Reference:
        A measure of this library; Hill, Diversity and evenness, Ecology 1973, the
        number of order 1.
    """
    parts = to_numpy(parts)
    if parts.ndim != 1:
        raise ValueError(
            "Expected parts of shape (filters,), one part for each filter. Received: "
            f"parts of shape {parts.shape}. Pass the .part of ki.metrics.tracking."
        )
    if not np.isfinite(parts).all() or np.any(parts % 1 != 0):
        raise ValueError(
            "Expected parts as whole numbers, the index of a landmark each. "
            f"Received: parts={parts!r}. Pass the .part of ki.metrics.tracking."
        )
    weights = np.ones(len(parts)) if weights is None else to_numpy(weights)
    weights = np.nan_to_num(weights.astype("float64"), posinf=np.inf)
    if weights.shape != parts.shape:
        raise ValueError(
            f"Expected weights of the shape of parts, {parts.shape}. Received: "
            f"weights of shape {weights.shape}. Pass one weight for each filter."
        )
    if np.any(weights < 0) or np.any(np.isinf(weights)):
        raise ValueError(
            "Expected weights that are finite and not negative. Received: weights "
            f"from {weights.min()} to {weights.max()}. Clip them at 0."
        )
    if landmark_groups is not None:
        count = int(parts.max(initial=-1)) + 1
        if landmark_names is None:
            count = max(count, _landmarks_of(landmark_groups))
        else:
            count = max(count, len(landmark_names))
        groups = check_landmark_groups(
            landmark_groups, check_landmark_names(landmark_names, count)
        )
        parts = group_of_landmarks(groups, count)[np.maximum(parts, -1).astype(int)]
    following = parts >= 0
    counts = np.bincount(parts[following].astype(int), weights[following])
    counts = counts[counts > 0]
    if not counts.size:
        return 0.0
    shares = counts / counts.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _landmarks_of(landmark_groups: Mapping[str, Any]) -> int:
    """Landmarks that groups of places speak of, at least."""
    members = [np.ravel(one) for one in dict(landmark_groups).values()]
    places = [int(one) for part in members for one in part if not isinstance(one, str)]
    return max(places, default=-1) + 1


@dataclasses.dataclass(frozen=True)
class NearestLandmarks:
    """Result of `nearest_landmarks`.

    Attributes:
        landmark: int `(F,)`, place of the nearest landmark; -1 for a filter that fires
            on no image with a landmark.
        distance: float `(F,)`, mean distance to it as a share of the diagonal, NaN for
            such a filter.
    """

    landmark: np.ndarray
    distance: np.ndarray


def nearest_landmarks(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    top: int | None = 100,
) -> NearestLandmarks:
    """Finds for each filter the landmark at the smallest mean distance of its peak.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 3, 2))
    >>> positions = landmarks[:, [2, 0]] + 1.0
    >>> scores = np.ones((100, 2))
    >>> found = ki.metrics.nearest_landmarks(positions, scores, landmarks, 64)
    >>> found.landmark
    array([2, 0])

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        top: images that activate the filter most, which count; `None` for all where
            it fires.

    Returns:
        `NearestLandmarks`.

    Raises:
        ValueError: if the shapes do not fit together, or `top` is less than 1.
    """
    if top is not None and top < 1:
        raise ValueError(
            "Expected top as a positive number of images, or None for all. Received: "
            f"top={top!r}. Pass 100, as ki.metrics.location_instability takes."
        )
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    images = len(peaks.scores)
    falling = np.where(peaks.firing, -peaks.scores, np.inf)
    rank = np.argsort(np.argsort(falling, axis=0, kind="stable"), axis=0)
    counts = peaks.firing & (rank < (images if top is None else top))
    offsets = peaks.positions[:, :, None] - peaks.landmarks[:, None]
    distances = np.where(
        counts[..., None], np.linalg.norm(offsets, axis=-1) / peaks.diagonal, np.nan
    )
    known = np.isfinite(distances)
    total = np.where(known, distances, 0.0).sum(axis=0)
    mean = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.inf)
    # A column more: images may have no landmark at all.
    mean = np.pad(mean, ((0, 0), (0, 1)), constant_values=np.inf)
    landmark = mean.argmin(axis=1)
    distance = np.take_along_axis(mean, landmark[:, None], axis=1)[:, 0]
    missing = ~np.isfinite(distance)
    return NearestLandmarks(
        np.where(missing, -1, landmark), np.where(missing, np.nan, distance)
    )
