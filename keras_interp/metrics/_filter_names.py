"""The name of the object part that each filter stands for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.metrics._landmark_groups import (
    check_landmark_groups,
    check_landmark_names,
)
from keras_interp.metrics._peaks import (
    LocatedPeaks,
    candidate_cells,
    check_radius,
)
from keras_interp.metrics._scores import best_part, pick, split_images


@dataclasses.dataclass(frozen=True)
class FilterNames:
    """Which part each filter stands for, and how surely.

    Args:
        names: F names of parts, `""` for a filter that stands for none.
        part: int `(F,)`, the part's place in `part_names`; -1 for none.
        confidence: float `(F,)`, 0 to 1: the share of the part's appearances that the
            filter hits beyond what a fixed place hits; 0 for a filter without a part.
        count: int `(F,)`, the number of images behind `confidence`.
        per_part: float `(F, P)`, the same share of every part, on the images that are
            scored; at most 1, below 0 for worse than a fixed place, NaN where unknown.
        part_names: the P names of the parts: of the landmarks, or of their groups.
    """

    names: tuple[str, ...]
    part: np.ndarray
    confidence: np.ndarray
    count: np.ndarray
    per_part: np.ndarray
    part_names: tuple[str, ...]


def name_filters(
    positions: Any,
    scores: Any,
    dataset: PartsDataset | Any,
    *,
    landmark_names: Sequence[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    landmark_groups: Mapping[str, Any] | None = None,
    choose_on: Any = None,
    labels: Any = None,
    categories: Any = None,
    radius: float = 0.1,
    least_confidence: float = 0.1,
    least_images: int = 5,
    cells: Any = None,
) -> FilterNames:
    """Names each filter by the part that its peak hits more often than chance.

    For filter f and part k, over the images that show the part and where the filter
    fires, `(hits - fixed) / (1 - fixed)`: `hits` is the share of them with the peak
    within `radius` of the part, `fixed` that of the one place which hits the part most
    often on these very images. It is 1 for a filter that always hits, 0 or less for one
    that never moves, also where it fires in chosen images alone, and far below 0 for a
    random one. The part with the greatest figure gives the name.

    The smallest distance would name every filter, one that always fires in the middle
    after what happens to lie there; tracking would name a filter after a part that it
    keeps at a distance to, and cannot name one that misses now and then; hit gain
    prefers parts that a fixed place seldom hits to those that the filter hits more
    often.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (100, 3, 2))
    >>> middle = np.full((100, 1, 2), 31.5)
    >>> positions = np.concatenate([landmarks[:, [2, 0]], middle], axis=1)
    >>> found = ki.metrics.name_filters(
    ...     positions,
    ...     np.ones((100, 3)),
    ...     landmarks,
    ...     landmark_names=["head", "wing", "tail"],
    ...     image_size=64,
    ... )
    >>> found.names, found.part
    (('tail', 'head', ''), array([ 2,  0, -1]))

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        dataset: `PartsDataset` of the N images, or their landmarks, float `(N, K, 2)`
            with (x, y) in pixels and NaN where absent.
        landmark_names: the K names, where `dataset` is an array of landmarks.
        image_size: side of the images, or `(height, width)`, in pixels, where `dataset`
            is an array of landmarks.
        landmark_groups: landmarks that count as one part: a mapping from the name of
            each group to the names or places of its landmarks. A group is hit where
            one of its landmarks is; landmarks in no group do not count. Default: each
            landmark is a part.
        choose_on: boolean `(N,)`, the images that choose part and fixed place; the
            confidence is measured on the others. `None` lets all images do both, which
            is optimistic.
        labels: int `(N,)`, category of each image, with `categories`. Default: those
            of a `PartsDataset`.
        categories: int `(F,)`, category of each filter: only images of that category
            count for it. `None` counts all images.
        radius: greatest distance of a hit, as a share of the diagonal.
        least_confidence: filters with less confidence get no name.
        least_images: filters with fewer images behind their confidence get no name.
        cells: float `(M, 2)` or `(H, W, 2)`, fixed places to try, in pixels. Default: a
            regular 16x16 grid. The middle of the image and the places where the
            filters themselves peak most often are tried as well.

    Returns:
        `FilterNames` with `.names`, `.part`, `.confidence`, `.count`, `.per_part` and
        `.part_names`.

    Raises:
        ValueError: if shapes or names do not fit together, a group has a landmark that
            is unknown or in another group too, or a number is out of range.

    Reference:
        A measure of this library; the form is that of Heidke's skill score and of
        Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    check_radius(radius)
    _check_least(least_confidence, least_images)
    landmarks, names, size, own = _landmarks(dataset, landmark_names, image_size)
    peaks = LocatedPeaks.check(positions, scores, landmarks, size)
    names = check_landmark_names(names, peaks.landmarks.shape[1])
    if landmark_groups is None:
        groups = {name: np.array([place]) for place, name in enumerate(names)}
    else:
        groups = check_landmark_groups(landmark_groups, names)
    if categories is not None and labels is None:
        labels = own
    choosing, scored = split_images(choose_on, len(peaks.positions))
    on_choosing, on_scored, count = np.full(
        (3, peaks.positions.shape[1], len(groups)), np.nan
    )
    for images, filters in peaks.groups(labels, categories):
        chosen = peaks.subset(images & choosing, filters)
        others = peaks.subset(images & scored, filters)
        candidates = candidate_cells(chosen.positions, chosen.firing, size, cells)
        for place, members in enumerate(groups.values()):
            both = _skills(chosen, others, members, candidates, radius)
            on_choosing[filters, place] = both[0]
            on_scored[filters, place], count[filters, place] = both[1:]
    part = best_part(on_choosing)
    confidence = np.clip(np.nan_to_num(pick(on_scored, part)), 0.0, 1.0)
    count = np.nan_to_num(pick(count, part)).astype(int)
    sure = (confidence > 0) & (confidence >= least_confidence) & (count >= least_images)
    part = np.where(sure & (np.nan_to_num(pick(on_choosing, part)) > 0), part, -1)
    words = [*groups, ""]
    return FilterNames(
        names=tuple(words[one] for one in part),
        part=part,
        confidence=np.where(part >= 0, confidence, 0.0),
        count=count,
        per_part=on_scored,
        part_names=tuple(groups),
    )


def _skills(
    choosing: LocatedPeaks,
    scored: LocatedPeaks,
    members: np.ndarray,
    candidates: np.ndarray,
    radius: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Figures `(F,)` on the images that choose and on the scored ones, and a count.

    The fixed place is each filter's own: the best one on the images in which it fires.
    A filter that fires at the top of the image when the head is there, and else not at
    all, beats the place that is best on all images.
    """
    hits, shown = _counts(choosing, members, choosing.positions, radius)
    fixed = _fixed_counts(choosing, members, candidates, radius)
    best = fixed.argmax(axis=1)
    on_choosing = _skill(hits, np.take_along_axis(fixed, best[:, None], 1)[:, 0], shown)
    hits, shown = _counts(scored, members, scored.positions, radius)
    own = np.broadcast_to(candidates[best], (*scored.firing.shape, 2))
    return (
        on_choosing,
        _skill(hits, _counts(scored, members, own, radius)[0], shown),
        (shown),
    )


def _skill(hits: np.ndarray, fixed: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """(hits - fixed) / (shown - fixed), NaN where a fixed place hits always."""
    room = shown - fixed
    return np.where(room > 0, (hits - fixed) / np.where(room > 0, room, 1), np.nan)


def _counts(
    peaks: LocatedPeaks, members: np.ndarray, places: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Hits `(F,)` of places `(N, F, 2)`, and the images that show part and filter."""
    present = peaks.present[:, members].any(axis=1)
    near = _near(places, peaks.landmarks[:, members], radius * peaks.diagonal)
    return (near & peaks.firing).sum(axis=0), (present @ peaks.firing.astype(int))


def _fixed_counts(
    peaks: LocatedPeaks, members: np.ndarray, candidates: np.ndarray, radius: float
) -> np.ndarray:
    """Hits `(F, M)` of every candidate on the images in which each filter fires."""
    reach = radius * peaks.diagonal
    near = _near(candidates[None], peaks.landmarks[:, members], reach)
    # Whole numbers far below 2^24: exact in float32, whose products are fast.
    return peaks.firing.T.astype("float32") @ near.astype("float32")


def _near(places: np.ndarray, landmarks: np.ndarray, reach: float) -> np.ndarray:
    """Whether places `(N, M, 2)` lie within reach of one of landmarks `(N, k, 2)`."""
    shape = np.broadcast_shapes(places.shape[:2], (len(landmarks), places.shape[1]))
    near = np.zeros(shape, dtype=bool)
    for member in range(landmarks.shape[1]):
        offset = places - landmarks[:, [member]]
        # A comparison with NaN is False: what is absent is not hit.
        near |= (offset**2).sum(axis=-1) <= reach**2
    return near


def _landmarks(
    dataset: Any,
    landmark_names: Sequence[str] | None,
    image_size: int | tuple[int, int] | None,
) -> tuple[Any, Sequence[str], Any, Any]:
    """Landmarks, their names, the size of the images and the labels, if known."""
    if isinstance(dataset, PartsDataset):
        if landmark_names is not None or image_size is not None:
            raise ValueError(
                "Expected landmark_names and image_size with an array of landmarks "
                f"alone. Received: a PartsDataset, landmark_names={landmark_names!r} "
                f"and image_size={image_size!r}. Leave them out."
            )
        own = dataset
        return own.landmarks, own.landmark_names, own.image_size, own.labels
    if landmark_names is None or image_size is None:
        raise ValueError(
            "Expected dataset as a PartsDataset, or an array of landmarks together "
            f"with landmark_names and image_size. Received: dataset of "
            f"{type(dataset).__name__}, landmark_names={landmark_names!r}, "
            f"image_size={image_size!r}. Pass all three."
        )
    return dataset, landmark_names, image_size, None


def _check_least(least_confidence: float, least_images: int) -> None:
    if not 0 <= least_confidence <= 1:
        raise ValueError(
            "Expected least_confidence as a share from 0 to 1. Received: "
            f"least_confidence={least_confidence!r}. Pass 0 to name every filter that "
            "beats a fixed place."
        )
    if not least_images >= 1:
        raise ValueError(
            "Expected least_images as a positive number of images. Received: "
            f"least_images={least_images!r}. Pass 1 to take any."
        )
