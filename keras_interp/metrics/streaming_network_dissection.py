"""Network dissection over more pictures than memory holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from keras_interp.metrics.dissection_counts import DissectionCounts, count_pixels
from keras_interp.metrics.dissection_scores import DissectionScores
from keras_interp.metrics.located_peaks import height_width, to_numpy
from keras_interp.metrics.network_dissection import (
    check_finite_maps,
    check_iou,
    check_same_pictures,
    check_thresholds,
    check_words,
    read_concepts,
)
from keras_interp.receptive_field import ReceptiveField

# Pixels of a large set exceed int32, and JAX has no int64 by default: each count is
# kept as high * 2^30 + low.
_LOW = 2**30


@keras.saving.register_keras_serializable(package="keras_interp")
class NetworkDissection(keras.metrics.Metric):
    """Counts, picture by picture, the pixels that filters and concepts share.

    Gives exactly what `keras_interp.metrics.network_dissection` gives on all pictures
    at once with the same thresholds, whatever the batches; a few integers per filter
    and concept are kept. The thresholds are those of the whole set, so the pictures are
    gone through twice: first with `keras_interp.metrics.ActivationThreshold`, then
    here.

    `update_state` works in NumPy: call it outside `tf.function` and `jax.jit`.

    Example:

    ```python
    threshold = ki.metrics.ActivationThreshold(filters=512)
    for piece in pieces:
        threshold.update_state(maps_of(piece.images))
    names = ki.datasets.concept_masks(pieces[0], "color").names
    metric = ki.metrics.NetworkDissection(threshold.result(), names)
    for piece in pieces:
        concepts = ki.datasets.concept_masks(piece, "color")
        metric.update_state(maps_of(piece.images), concepts)
    print(metric.details().detectors_by_category)
    ```

    Args:
        thresholds: float `(F,)`, level of each filter.
        concepts: names of the C concepts, or their number.
        iou: intersection over union that a detector must exceed.
        concept_categories: category of each concept. Default: `concept`.
        receptive_field: of the layer that gives the maps, as in `network_dissection`.
        image_size: side, or `(height, width)`, of the network's input, where the masks
            have another size.
        name: name of the metric.
        dtype: dtype of the result.

    Reference:
        Bau, Zhou, Khosla, Oliva and Torralba, Network Dissection, CVPR 2017,
        section 2.2.
    """

    def __init__(
        self,
        thresholds: Any,
        concepts: int | Sequence[str],
        iou: float = 0.04,
        concept_categories: Sequence[str] | None = None,
        receptive_field: ReceptiveField | None = None,
        image_size: int | tuple[int, int] | None = None,
        name: str = "network_dissection",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        check_iou(iou)
        levels = to_numpy(thresholds)
        self.thresholds = check_thresholds(levels, levels.size)
        if isinstance(concepts, int | np.integer):
            concepts = [f"concept {number}" for number in range(concepts)]
        self.concepts = check_words("concepts", concepts, len(concepts))
        count = len(self.concepts)
        if not count:
            raise ValueError(f"concepts must name at least one; got {concepts!r}.")
        if concept_categories is None:
            concept_categories = ["concept"] * count
        self.concept_categories = check_words(
            "concept_categories", concept_categories, count
        )
        self.iou = iou
        self.receptive_field = receptive_field
        self.image_size = None if image_size is None else height_width(image_size)
        self.counts = self.add_weight(
            shape=(2, 2 * len(self.thresholds) + 1, count),
            initializer="zeros",
            dtype="int32",
            name="counts",
        )

    def update_state(
        self, feature_maps: Any, concept_masks: Any, annotated: Any = None
    ) -> None:
        """Adds pictures.

        Args:
            feature_maps: float `(B, h, w, F)`, channels last.
            concept_masks: bool `(B, C, H, W)`, or what
                `keras_interp.datasets.concept_masks` gives.
            annotated: bool `(B, C)`, the pictures that are annotated for a concept.
        """
        maps = check_finite_maps(feature_maps)
        masks = read_concepts(concept_masks, annotated, None, None)
        check_same_pictures(maps, masks)
        shape = maps.shape[-1], masks.masks.shape[1]
        if shape != (len(self.thresholds), len(self.concepts)):
            raise ValueError(
                f"This metric was made for {len(self.thresholds)} filters and "
                f"{len(self.concepts)} concepts; got {shape[0]} and {shape[1]}."
            )
        size = self.image_size or masks.masks.shape[2:]
        counts = count_pixels(
            maps,
            self.thresholds,
            masks.masks,
            masks.annotated,
            self.receptive_field,
            height_width(size),
        )
        self._add(counts.packed())

    def merge_state(self, metrics: Iterable[NetworkDissection]) -> None:
        """Adds what other metrics of the same settings have seen."""
        for other in metrics:
            if other.get_config() | {"name": ""} != self.get_config() | {"name": ""}:
                raise ValueError(
                    "Metrics must have the same settings to be merged, thresholds "
                    f"included; got {other.name} and {self.name}."
                )
            self._add(other._read())

    def _read(self) -> np.ndarray:
        high, low = keras.ops.convert_to_numpy(self.counts).astype("int64")
        return high * _LOW + low

    def _add(self, new: np.ndarray) -> None:
        total = self._read() + new
        self.counts.assign(np.stack(np.divmod(total, _LOW)).astype("int32"))

    def details(self) -> DissectionScores:
        """The concept of every filter, as the function gives it."""
        return DissectionScores.of(
            DissectionCounts.unpacked(self._read()),
            self.thresholds,
            self.iou,
            self.concepts,
            self.concept_categories,
        )

    def result(self) -> Any:
        """Number of unique detectors, a scalar tensor; NaN before the first concept."""
        return keras.ops.convert_to_tensor(self.details().value, dtype=self.dtype)

    def get_config(self) -> dict[str, Any]:
        field = self.receptive_field
        return {
            "name": self.name,
            # None for NaN, which JSON lacks and which does not equal itself.
            "thresholds": [None if np.isnan(t) else float(t) for t in self.thresholds],
            "concepts": self.concepts,
            "iou": self.iou,
            "concept_categories": self.concept_categories,
            "receptive_field": None if field is None else dataclasses.asdict(field),
            "image_size": self.image_size,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NetworkDissection:
        """The metric that `get_config` describes."""
        field = config.get("receptive_field")
        if field is not None:
            config = {**config, "receptive_field": ReceptiveField(**field)}
        return cls(**config)
