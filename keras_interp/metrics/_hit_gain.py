"""Share of peaks that hit a part beyond what a constant place hits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import LocatedPeaks, candidate_cells, check_radius
from keras_interp.metrics._scores import PartScores, pick, split_images


@dataclasses.dataclass(frozen=True)
class HitGainScores(PartScores):
    """Hit gain per filter with the two shares it is the difference of.

    Args:
        value: mean of `per_filter` over the filters that could be judged.
        per_filter: float `(F,)`, hits less constant hits of the chosen part on the
            scored images.
        part: int `(F,)`, the chosen part; -1 where no part could be chosen.
        per_part: float `(F, K)`, the gain of every part on the scored images.
        count: int `(F,)`, the number of images behind `per_filter`.
        hits: float `(F,)`, share of the scored images in which the peak hits the
            chosen part.
        constant_hits: float `(F,)`, the same share for the best constant cell.
        constant_cell: float `(F, 2)`, that cell, (x, y) in pixels.
    """

    hits: np.ndarray
    constant_hits: np.ndarray
    constant_cell: np.ndarray


def hit_gain(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    radius: float = 0.1,
    choose_on: Any = None,
    *,
    labels: Any = None,
    categories: Any = None,
    cells: Any = None,
) -> HitGainScores:
    """Measures how much more often a peak hits a part than a constant place does.

    For filter f and part k, over the images that show the part and where the filter
    fires: the share with the peak within `radius` of the diagonal of the part, less
    the same share, on the same images, for the constant cell that hits part k most
    often on the images of `choose_on`. A filter that never moves gets 0 at most where
    the same images choose and are scored.

    The part of each filter is the one with the greatest gain on the images of
    `choose_on`. Candidates for the constant cell are `cells` (or the centres of a
    regular 16x16 grid over the image), the middle of the image, and the 256 places
    where the filters themselves peak most often on the images that choose.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(0, 64, (500, 1, 2))
    >>> hits = ki.metrics.hit_gain(landmarks, np.ones((500, 1)), landmarks, 64)
    >>> bool(hits.value > 0.9)
    True

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        radius: greatest distance of a hit, as a share of the diagonal.
        choose_on: boolean `(N,)`, the images that choose part and constant cell; the
            others are scored. `None` lets all images do both, which is optimistic.
        labels: int `(N,)`, category of each image, with `categories`.
        categories: int `(F,)`, category of each filter: only images of that category
            count for it and for the constant cell it is compared with.
        cells: float `(M, 2)` or `(H, W, 2)`, constant places to try, in pixels.

    Returns:
        `HitGainScores` with `.value`, `.per_filter`, `.part`, `.per_part`, `.count`,
        `.hits`, `.constant_hits` and `.constant_cell`. NaN where no image remains.

    Raises:
        ValueError: if a shape or type does not fit or `radius` is not positive.

    Reference:
        A measure of this library, see `keras_interp.metrics.tracking`.
    """
    check_radius(radius)
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    choosing, scored = split_images(choose_on, len(peaks.positions))
    shape = peaks.positions.shape[1], peaks.landmarks.shape[1]
    on_choosing, hits, fixed, count = np.full((4, *shape), np.nan)
    best = np.full((*shape, 2), np.nan)
    reach = radius * peaks.diagonal
    for images, filters in peaks.groups(labels, categories):
        those_choosing = peaks.subset(images & choosing, filters)
        those_scored = peaks.subset(images & scored, filters)
        candidates = candidate_cells(
            those_choosing.positions, those_choosing.firing, image_size, cells
        )
        cell = _best_constant(those_choosing, candidates, reach)
        filter_hits, constant_hits, _ = _shares(those_choosing, cell, reach)
        on_choosing[filters] = filter_hits - constant_hits
        hits[filters], fixed[filters], count[filters] = _shares(
            those_scored, cell, reach
        )
        best[filters] = cell
    chosen = PartScores.chosen(on_choosing, hits - fixed, np.nan_to_num(count))
    return HitGainScores(
        value=chosen.value,
        per_filter=chosen.per_filter,
        part=chosen.part,
        per_part=chosen.per_part,
        count=chosen.count,
        hits=pick(hits, chosen.part),
        constant_hits=pick(fixed, chosen.part),
        constant_cell=np.stack(
            [pick(best[..., axis], chosen.part) for axis in range(2)], axis=-1
        ),
    )


def _best_constant(
    peaks: LocatedPeaks, candidates: np.ndarray, reach: float
) -> np.ndarray:
    """The candidate `(K, 2)` that hits each part in most of the images."""
    best = np.empty((peaks.landmarks.shape[1], 2))
    for part in range(len(best)):
        near = _near(candidates[None], peaks.landmarks[:, [part]], reach)
        best[part] = candidates[np.argmax(near.sum(axis=0))]
    return best


def _shares(
    peaks: LocatedPeaks, cell: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of hits `(F, K)` of filters and constant cells, and image counts."""
    firing = peaks.firing.astype("float64")
    count = firing.T @ peaks.present
    constant = _near(cell[None], peaks.landmarks, reach)
    hits = np.zeros_like(count)
    for part in range(count.shape[1]):
        near = _near(peaks.positions, peaks.landmarks[:, [part]], reach)
        hits[:, part] = (near & peaks.firing).sum(axis=0)
    pairs = np.where(count > 0, count, np.nan)
    return hits / pairs, (firing.T @ constant) / pairs, count


def _near(one: np.ndarray, other: np.ndarray, reach: float) -> np.ndarray:
    """Whether places `(..., 2)` lie within `reach`; False where one is NaN."""
    across = one[..., 0] - other[..., 0]
    down = one[..., 1] - other[..., 1]
    return across**2 + down**2 <= reach**2
