"""Part interpretability of filters (Zhang, Wu and Zhu, CVPR 2018)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_interp.metrics._peaks import (
    check_integers,
    check_iou,
    check_same_settings,
    check_together,
    to_numpy,
)
from keras_interp.metrics._scores import PartScores

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

    In each image that shows part k, filter f is associated with it if the
    intersection over union of the filter's region and the part exceeds `iou`. The share
    of images with association is P(f, k); a filter's figure is its greatest share
    over the parts, the value the mean over filters. Images in which the filter has no
    region count as not associated; parts that no image shows are passed over.

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
        part_masks: bool `(N, K, H, W)`, parts of the same images, all False where a
            part is not seen.
        iou: intersection over union that association must exceed.
        labels: int `(N,)`, category of each image, with `categories`.
        categories: int `(F,)`, category of each filter: only images of that category
            count for it.

    Returns:
        `PartScores` with `.value`, `.per_filter`, `.part`, `.per_part` = P `(F, K)` and
        `.count`. The part is chosen on the very images that are scored, as the paper
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
    """Result from the images with association and with the part, `(F, K)` each."""
    share = np.where(shown > 0, associated / np.maximum(shown, 1), np.nan)
    return PartScores.chosen(share, share, shown.astype("float64"))


def association_counts(
    masks: Any, part_masks: Any, iou: float, labels: Any, categories: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Images with association and images that show the part, int64 `(F, K)`."""
    masks, part_masks = _check_masks(masks, part_masks, iou)
    images, filters, height, width = masks.shape
    counts = _counted(labels, categories, images, filters)
    seen = part_masks.any(axis=(2, 3))
    associated = np.zeros((filters, part_masks.shape[1]), dtype="int64")
    step = max(1, PIXELS_AT_ONCE // max(1, filters * height * width))
    for start in range(0, images, step):
        chunk = slice(start, start + step)
        some = len(masks[chunk])
        regions = masks[chunk].reshape(some, filters, height * width)
        regions = regions.astype("float32")
        parts = part_masks[chunk].reshape(some, part_masks.shape[1], height * width)
        parts = parts.astype("float32")
        both = regions @ parts.transpose(0, 2, 1)
        either = regions.sum(2)[:, :, None] + parts.sum(2)[:, None] - both
        close = both > iou * either
        close &= seen[chunk, None] & counts[chunk, :, None]
        associated += close.sum(axis=0)
    shown = counts.astype("int64").T @ seen.astype("int64")
    return associated, shown


def _counted(labels: Any, categories: Any, images: int, filters: int) -> np.ndarray:
    """Whether each image counts for each filter, bool `(N, F)`."""
    if labels is None and categories is None:
        return np.ones((images, filters), dtype=bool)
    check_together(labels, categories)
    labels = check_integers(labels, "labels", images)
    categories = check_integers(categories, "categories", filters)
    return labels[:, None] == categories[None]


def _check_masks(
    masks: Any, part_masks: Any, iou: float
) -> tuple[np.ndarray, np.ndarray]:
    check_iou(iou)
    masks, part_masks = to_numpy(masks), to_numpy(part_masks)
    if part_masks.ndim != 4 or part_masks.dtype != bool:
        raise ValueError(
            "Expected part_masks as booleans of shape (images, parts, height, "
            f"width). Received: part_masks of {part_masks.dtype}, shape "
            f"{part_masks.shape}. Pass dataset.part_masks."
        )
    if masks.ndim != 4 or masks.dtype != bool:
        raise ValueError(
            "Expected masks as booleans of shape (images, filters, height, width). "
            f"Received: masks of {masks.dtype}, shape {masks.shape}. "
            "ki.metrics.filter_regions makes them from feature maps."
        )
    size = part_masks.shape[2:]
    if masks.shape[2:] != size and masks.shape[1:3] == size:
        masks = masks.transpose(0, 3, 1, 2)
    if masks.shape[2:] != size or len(masks) != len(part_masks):
        raise ValueError(
            "Expected masks and part_masks of the same images, height and width. "
            f"Received: masks of shape {masks.shape} and part_masks of shape "
            f"{part_masks.shape}. Resize one of them."
        )
    return masks, part_masks


@keras.saving.register_keras_serializable(package="keras_interp")
class PartInterpretability(keras.metrics.Metric):
    """Counts, image by image, how often filters coincide with parts.

    Gives exactly what `keras_interp.metrics.part_interpretability` gives on all
    images at once, whatever the batches; two integers per filter and part are kept.
    The regions need thresholds over all images, so the images are gone through
    twice: first with `keras_interp.metrics.ActivationThreshold`, then here.

    `update_state` works in NumPy: call it outside `tf.function` and `jax.jit`.

    Example:

    ```python
    threshold = ki.metrics.ActivationThreshold(filters=512)
    for images, _ in batches:
        threshold.update_state(maps_of(images))
    metric = ki.metrics.PartInterpretability(filters=512, parts=4)
    for images, part_masks in batches:
        regions = ki.metrics.filter_regions(
            maps_of(images), threshold.result(), field, image_size=images.shape[1:3]
        )
        metric.update_state(regions, part_masks)
    print(float(metric.result()), metric.details().part)
    ```

    Args:
        filters: number of filters F.
        parts: number of parts K.
        iou: intersection over union that association must exceed.
        categories: int `(F,)`, category of each filter, or `None`; with it, labels are
            handed to `update_state`.
        name: name of the metric.
        dtype: dtype of the result.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.1.
    """

    def __init__(
        self,
        filters: int,
        parts: int,
        iou: float = 0.2,
        categories: Any = None,
        name: str = "part_interpretability",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.filters = int(filters)
        self.parts = int(parts)
        check_iou(iou)
        self.iou = iou
        self.categories = None
        if categories is not None:
            self.categories = check_integers(categories, "categories", self.filters)
        shape = self.filters, self.parts
        self.associated = self.add_weight(
            shape=shape, initializer="zeros", dtype="int32", name="associated"
        )
        self.shown = self.add_weight(
            shape=shape, initializer="zeros", dtype="int32", name="shown"
        )

    def update_state(self, masks: Any, part_masks: Any, labels: Any = None) -> None:
        """Adds images.

        Args:
            masks: bool `(B, F, H, W)`, region of each filter.
            part_masks: bool `(B, K, H, W)`.
            labels: int `(B,)`, category of each image, where the metric has
                categories.
        """
        associated, shown = association_counts(
            masks, part_masks, self.iou, labels, self.categories
        )
        if associated.shape != tuple(self.associated.shape):
            raise ValueError(
                f"Expected {self.filters} filters and {self.parts} parts, as this "
                f"metric was made for. Received: masks of {associated.shape[0]} "
                f"filters and part_masks of {associated.shape[1]} parts. Make a "
                "metric for these."
            )
        self.associated.assign_add(associated.astype("int32"))
        self.shown.assign_add(shown.astype("int32"))

    def merge_state(self, metrics: Iterable[PartInterpretability]) -> None:
        """Adds what other metrics of the same settings have seen."""
        for other in metrics:
            check_same_settings(self, other)
            self.associated.assign_add(other.associated)
            self.shown.assign_add(other.shown)

    def details(self) -> PartScores:
        """The figures of every filter and part, as the function gives them."""
        return scores_of_counts(
            to_numpy(self.associated),
            to_numpy(self.shown),
        )

    def result(self) -> Any:
        """Mean over filters, a scalar tensor; NaN before the first part is seen."""
        return keras.ops.convert_to_tensor(self.details().value, dtype=self.dtype)

    def get_config(self) -> dict[str, Any]:
        categories = None if self.categories is None else self.categories.tolist()
        return {
            "name": self.name,
            "filters": self.filters,
            "parts": self.parts,
            "iou": self.iou,
            "categories": categories,
        }
