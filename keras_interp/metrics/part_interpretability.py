"""Part interpretability of filters (Zhang, Wu and Zhu, CVPR 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp.metrics.located_peaks import check_integers, to_numpy
from keras_interp.metrics.part_scores import PartScores

PIXELS_AT_ONCE = 2**24


def part_interpretability(
    masks: Any,
    part_masks: Any,
    iou: float = 0.2,
    *,
    labels: Any = None,
    categories: Any = None,
) -> PartScores:
    """Measures how often a filter's region coincides with one part of the object.

    In each picture that shows part k, filter f is associated with it if the
    intersection over union of the filter's region and the part exceeds `iou`. The share
    of pictures with association is P(f, k); a filter's figure is its greatest share
    over the parts, the value the mean over filters. Pictures in which the filter has no
    region count as not associated; parts that no picture shows are passed over.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> parts = np.zeros((4, 2, 8, 8), dtype=bool)
    >>> parts[:, 0, :4], parts[:, 1, 4:] = True, True
    >>> masks = parts[:, :1].copy()
    >>> masks[0] = False
    >>> ki.metrics.part_interpretability(masks, parts).value
    0.75

    Args:
        masks: bool `(N, F, H, W)`, region of each filter, as
            `keras_interp.metrics.filter_regions` draws it. `(N, H, W, F)` is taken too
            where the shape of `part_masks` shows that it is meant.
        part_masks: bool `(N, K, H, W)`, parts of the same pictures, all False where a
            part is not seen.
        iou: intersection over union that association must exceed.
        labels: int `(N,)`, category of each picture, with `categories`.
        categories: int `(F,)`, category of each filter: only pictures of that category
            count for it.

    Returns:
        `PartScores` with `.value`, `.per_filter`, `.part`, `.per_part` = P `(F, K)` and
        `.count`. The part is chosen on the very pictures that are scored, as the paper
        does.

    Raises:
        ValueError: if a shape or type does not fit or `iou` is no share.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.1.
    """
    associated, shown = association_counts(masks, part_masks, iou, labels, categories)
    return scores_of_counts(associated, shown)


def scores_of_counts(associated: np.ndarray, shown: np.ndarray) -> PartScores:
    """Result from the pictures with association and with the part, `(F, K)` each."""
    share = np.where(shown > 0, associated / np.maximum(shown, 1), np.nan)
    return PartScores.chosen(share, share, shown.astype("float64"))


def association_counts(
    masks: Any, part_masks: Any, iou: float, labels: Any, categories: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with association and pictures that show the part, int64 `(F, K)`."""
    masks, part_masks = _check_masks(masks, part_masks, iou)
    pictures, filters, height, width = masks.shape
    counts = _counted(labels, categories, pictures, filters)
    seen = part_masks.any(axis=(2, 3))
    associated = np.zeros((filters, part_masks.shape[1]), dtype="int64")
    step = max(1, PIXELS_AT_ONCE // max(1, filters * height * width))
    for start in range(0, pictures, step):
        chunk = slice(start, start + step)
        regions = masks[chunk].reshape(-1, filters, height * width).astype("float32")
        parts = part_masks[chunk].reshape(len(regions), -1, height * width)
        parts = parts.astype("float32")
        both = regions @ parts.transpose(0, 2, 1)
        either = regions.sum(2)[:, :, None] + parts.sum(2)[:, None] - both
        close = both > iou * either
        close &= seen[chunk, None] & counts[chunk, :, None]
        associated += close.sum(axis=0)
    shown = counts.astype("int64").T @ seen.astype("int64")
    return associated, shown


def _counted(labels: Any, categories: Any, pictures: int, filters: int) -> np.ndarray:
    """Whether each picture counts for each filter, bool `(N, F)`."""
    if labels is None and categories is None:
        return np.ones((pictures, filters), dtype=bool)
    if labels is None or categories is None:
        raise ValueError(
            "labels and categories must come together: the category of each picture "
            "and of each filter. Pass both or neither."
        )
    labels = check_integers(labels, "labels", pictures)
    categories = check_integers(categories, "categories", filters)
    return labels[:, None] == categories[None]


def _check_masks(
    masks: Any, part_masks: Any, iou: float
) -> tuple[np.ndarray, np.ndarray]:
    if not 0 <= iou < 1:
        raise ValueError(f"iou must be at least 0 and below 1, got {iou}.")
    masks, part_masks = to_numpy(masks), to_numpy(part_masks)
    if part_masks.ndim != 4 or part_masks.dtype != bool:
        raise ValueError(
            "part_masks must be boolean of shape (pictures, parts, height, width); got "
            f"{part_masks.dtype} of shape {part_masks.shape}."
        )
    if masks.ndim != 4 or masks.dtype != bool:
        raise ValueError(
            "masks must be boolean of shape (pictures, filters, height, width); got "
            f"{masks.dtype} of shape {masks.shape}. "
            "ki.metrics.filter_regions makes them from feature maps."
        )
    size = part_masks.shape[2:]
    if masks.shape[2:] != size and masks.shape[1:3] == size:
        masks = masks.transpose(0, 3, 1, 2)
    if masks.shape[2:] != size or len(masks) != len(part_masks):
        raise ValueError(
            f"masks of shape {masks.shape} and part_masks of shape {part_masks.shape} "
            "must agree in pictures, height and width; resize one of them."
        )
    return masks, part_masks
