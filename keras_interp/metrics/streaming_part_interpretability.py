"""Part interpretability over more pictures than memory holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from keras_interp.metrics.located_peaks import check_integers
from keras_interp.metrics.part_interpretability import (
    association_counts,
    scores_of_counts,
)
from keras_interp.metrics.part_scores import PartScores


@keras.saving.register_keras_serializable(package="keras_interp")
class PartInterpretability(keras.metrics.Metric):
    """Counts, picture by picture, how often filters coincide with parts.

    Gives exactly what `keras_interp.metrics.part_interpretability` gives on all
    pictures at once, whatever the batches; two integers per filter and part are kept.
    The regions need thresholds over all pictures, so the pictures are gone through
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
            maps_of(images), threshold.result(), field, image_size=224
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
        """Adds pictures.

        Args:
            masks: bool `(B, F, H, W)`, region of each filter.
            part_masks: bool `(B, K, H, W)`.
            labels: int `(B,)`, category of each picture, where the metric has
                categories.
        """
        associated, shown = association_counts(
            masks, part_masks, self.iou, labels, self.categories
        )
        if associated.shape != tuple(self.associated.shape):
            raise ValueError(
                f"This metric was made for {self.filters} filters and {self.parts} "
                f"parts; got masks of {associated.shape[0]} filters and part_masks of "
                f"{associated.shape[1]} parts."
            )
        self.associated.assign_add(associated.astype("int32"))
        self.shown.assign_add(shown.astype("int32"))

    def merge_state(self, metrics: Iterable[PartInterpretability]) -> None:
        """Adds what other metrics of the same settings have seen."""
        for other in metrics:
            if other.get_config() | {"name": ""} != self.get_config() | {"name": ""}:
                raise ValueError(
                    "Metrics must have the same settings to be merged; got "
                    f"{other.get_config()} and {self.get_config()}."
                )
            self.associated.assign_add(other.associated)
            self.shown.assign_add(other.shown)

    def details(self) -> PartScores:
        """The figures of every filter and part, as the function gives them."""
        return scores_of_counts(
            keras.ops.convert_to_numpy(self.associated),
            keras.ops.convert_to_numpy(self.shown),
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
