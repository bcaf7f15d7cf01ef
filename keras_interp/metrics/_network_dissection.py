"""Network dissection (Bau et al., CVPR 2017)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_interp.datasets import ConceptMasks
from keras_interp.metrics._activation_thresholds import (
    activation_thresholds,
    check_quantile,
    check_thresholds,
)
from keras_interp.metrics._dissection_counts import (
    DissectionCounts,
    DissectionScores,
    count_pixels,
)
from keras_interp.metrics._peaks import (
    check_feature_maps,
    check_iou,
    check_same_settings,
    height_width,
    to_numpy,
)
from keras_interp.receptive_fields import ReceptiveField

if TYPE_CHECKING:
    from keras_interp.receptive_fields import ReceptiveField


def network_dissection(
    feature_maps: Any,
    concept_masks: Any,
    quantile: float = 0.005,
    iou: float = 0.04,
    *,
    thresholds: Any = None,
    receptive_field: ReceptiveField | None = None,
    image_size: int | tuple[int, int] | None = None,
    annotated: Any = None,
    concept_names: Sequence[str] | None = None,
    concept_categories: Sequence[str] | None = None,
) -> DissectionScores:
    """Finds the concept whose pixels each filter's strongest cells cover.

    A filter's threshold is the level that a share `quantile` of its cells, of all
    images together, exceeds. Its maps are interpolated to the size of the masks; its
    region is where they exceed the threshold. With concept c it has

        IoU(f, c) = sum |region & mask| / sum |region | mask|

    summed over all images annotated for c (not averaged over images as in
    `keras_interp.metrics.part_interpretability`, so that 0.04 here and 0.2 there cannot
    be compared). The filter's concept is the one of greatest IoU, which it detects
    where that exceeds `iou`.

    A region covers about `quantile` of the pixels, so a concept that covers more than
    `quantile / iou` of them (an eighth by default) cannot be found by any filter, and
    chance favours concepts about as large as the region: see `.ceiling`. Filters with
    random weights detect something too, rare colours above all: dissect an untrained
    network on the same images for comparison.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.zeros((2, 4, 4, 2))
    >>> maps[:, 0, 0, 0] = [5.0, 6.0]
    >>> masks = np.zeros((2, 1, 8, 8), dtype=bool)
    >>> masks[:, 0, :2, :2] = True
    >>> scores = ki.metrics.network_dissection(
    ...     maps, masks, quantile=0.1, concept_names=["head"]
    ... )
    >>> scores.concept, scores.unique_detectors, scores.per_filter.round(4)
    (array([ 0, -1]), 1, array([0.4444, 0.    ]))

    Args:
        feature_maps: float `(N, h, w, F)`, channels last.
        concept_masks: bool `(N, C, H, W)`, pixels that show each concept, in any size;
            or what `keras_interp.datasets.concept_masks` gives, which brings names,
            categories and annotation along.
        quantile: share of a filter's cells above its threshold.
        iou: intersection over union that a detector must exceed.
        thresholds: float `(F,)`, such as those that
            `keras_interp.metrics.ActivationThreshold` found on a larger set. Default:
            those of `feature_maps`.
        receptive_field: of the layer that gave the maps; puts each cell at the centre
            of its receptive field, as the paper does. Default: cells of equal size
            cover the image, as when it is resized.
        image_size: side, or `(height, width)`, of the network's input, where the masks
            have another size. It matters only with `receptive_field`.
        annotated: bool `(N, C)`, the images that are annotated for a concept (or for
            concepts of its category). Default: all.
        concept_names: names of the C concepts. Default: `concept 0` and so on.
        concept_categories: category of each concept, such as `"part"` and `"color"`.
            Default: `concept`.

    Returns:
        `DissectionScores`: `.concept` and `.per_filter` (each filter's best concept and
        its IoU), `.per_concept` `(F, C)`, `.is_detector`, `.unique_detectors`,
        `.detectors_by_category`.

    Raises:
        ValueError: if a shape, type, quantile or share does not fit.

    Reference:
        Bau, Zhou, Khosla, Oliva and Torralba, Network Dissection: Quantifying
        Interpretability of Deep Visual Representations, CVPR 2017, section 2.2; Zhang
        and Zhu, Visual Interpretability for Deep Learning, 2018, eq. (3)-(4).
    """
    check_quantile(quantile)
    check_iou(iou)
    maps = check_feature_maps(feature_maps)
    concepts = read_concepts(
        concept_masks, annotated, concept_names, concept_categories
    )
    check_same_images(maps, concepts)
    if thresholds is None:
        levels = activation_thresholds(maps, quantile)
    else:
        levels = check_thresholds(thresholds, maps.shape[-1])
    counts = count_pixels(
        maps,
        levels,
        concepts.masks,
        concepts.annotated,
        receptive_field,
        height_width(image_size or concepts.masks.shape[2:]),
    )
    return DissectionScores.of(counts, levels, iou, concepts.names, concepts.categories)


def check_same_images(maps: np.ndarray, concepts: ConceptMasks) -> None:
    """Refuses maps and masks of different images."""
    if len(maps) != len(concepts):
        raise ValueError(
            "Expected feature_maps and concept_masks of the same images in the same "
            f"order. Received: maps of {len(maps)} images and masks of "
            f"{len(concepts)}. Pass both for the same images."
        )


def read_concepts(
    concept_masks: Any, annotated: Any, names: Any, categories: Any
) -> ConceptMasks:
    """Masks with their names, categories and annotation, each given or by default."""
    if isinstance(concept_masks, ConceptMasks):
        given = concept_masks
    else:
        masks = to_numpy(concept_masks)
        if masks.ndim != 4 or masks.dtype != bool or 0 in masks.shape[1:]:
            raise ValueError(
                "Expected concept_masks as booleans of shape (images, concepts, "
                f"height, width). Received: concept_masks of {masks.dtype}, shape "
                f"{masks.shape}. ki.datasets.concept_masks makes them from a dataset."
            )
        count = masks.shape[1]
        given = ConceptMasks(
            masks=masks,
            names=[f"concept {number}" for number in range(count)],
            categories=["concept"] * count,
            annotated=np.ones(masks.shape[:2], bool),
        )
    count = given.masks.shape[1]
    changed: dict[str, Any] = {}
    if annotated is not None:
        changed["annotated"] = to_numpy(annotated)
    if names is not None:
        changed["names"] = check_words("concept_names", names, count)
    if categories is not None:
        changed["categories"] = check_words("concept_categories", categories, count)
    concepts = dataclasses.replace(given, **changed)
    if concepts.annotated.dtype != bool or concepts.annotated.shape != (
        len(concepts),
        count,
    ):
        raise ValueError(
            f"Expected annotated as booleans of shape ({len(concepts)}, {count}), a "
            f"row for each image. Received: annotated of {concepts.annotated.dtype}, "
            f"shape {concepts.annotated.shape}. Leave it out where all concepts are "
            "annotated in all images."
        )
    return concepts


def check_words(argument: str, words: Any, count: int) -> list[str]:
    """A list of `count` strings."""
    listed = [] if isinstance(words, str) else [str(word) for word in words]
    if len(listed) != count:
        raise ValueError(
            f"Expected {argument} as a list of {count} words, one for each concept. "
            f"Received: {argument}={words!r}. Pass as many words."
        )
    return listed


# Pixels of a large set exceed int32, and JAX has no int64 by default: each count is
# kept as high * 2^30 + low.
_LOW = 2**30


@keras.saving.register_keras_serializable(package="keras_interp")
class NetworkDissection(keras.metrics.Metric):
    """Counts, image by image, the pixels that filters and concepts share.

    Gives exactly what `keras_interp.metrics.network_dissection` gives on all images
    at once with the same thresholds, whatever the batches; a few integers per filter
    and concept are kept. The thresholds are those of the whole set, so the images are
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
            raise ValueError(
                "Expected concepts as at least one name, or their number. Received: "
                f"concepts={concepts!r}. Pass the names of the concepts."
            )
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
        """Adds images.

        Args:
            feature_maps: float `(B, h, w, F)`, channels last.
            concept_masks: bool `(B, C, H, W)`, or what
                `keras_interp.datasets.concept_masks` gives.
            annotated: bool `(B, C)`, the images that are annotated for a concept.
        """
        maps = check_feature_maps(feature_maps)
        masks = read_concepts(concept_masks, annotated, None, None)
        check_same_images(maps, masks)
        shape = maps.shape[-1], masks.masks.shape[1]
        if shape != (len(self.thresholds), len(self.concepts)):
            raise ValueError(
                f"Expected {len(self.thresholds)} filters and {len(self.concepts)} "
                f"concepts, as this metric was made for. Received: {shape[0]} filters "
                f"and {shape[1]} concepts. Make a metric for these."
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
            check_same_settings(self, other)
            self._add(other._read())

    def _read(self) -> np.ndarray:
        high, low = to_numpy(self.counts).astype("int64")
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
            field = ReceptiveField(**field)
        levels = [np.nan if level is None else level for level in config["thresholds"]]
        return cls(**{**config, "thresholds": levels, "receptive_field": field})
