"""Network dissection (Bau et al., CVPR 2017)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.datasets.concept_masks import ConceptMasks
from keras_interp.metrics.activation_thresholds import (
    activation_thresholds,
    check_quantile,
)
from keras_interp.metrics.dissection_counts import count_pixels
from keras_interp.metrics.dissection_scores import DissectionScores
from keras_interp.metrics.located_peaks import (
    check_feature_maps,
    height_width,
    to_numpy,
)

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField


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
    pictures together, exceeds. Its maps are interpolated to the size of the masks; its
    region is where they exceed the threshold. With concept c it has

        IoU(f, c) = sum |region & mask| / sum |region | mask|

    summed over all pictures annotated for c (not averaged over pictures as in
    `keras_interp.metrics.part_interpretability`, so that 0.04 here and 0.2 there cannot
    be compared). The filter's concept is the one of greatest IoU, which it detects
    where that exceeds `iou`.

    A region covers about `quantile` of the pixels, so a concept that covers more than
    `quantile / iou` of them (an eighth by default) cannot be found by any filter, and
    chance favours concepts about as large as the region: see `.ceiling`. Filters with
    random weights detect something too, rare colours above all: dissect an untrained
    network on the same pictures for comparison.

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
            cover the picture, as when it is resized.
        image_size: side, or `(height, width)`, of the network's input, where the masks
            have another size. It matters only with `receptive_field`.
        annotated: bool `(N, C)`, the pictures that are annotated for a concept (or for
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
    maps = check_finite_maps(feature_maps)
    concepts = read_concepts(
        concept_masks, annotated, concept_names, concept_categories
    )
    check_same_pictures(maps, concepts)
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


def check_iou(iou: float) -> None:
    """Refuses what is no share."""
    if not 0 <= iou < 1:
        raise ValueError(f"iou must be at least 0 and below 1, got {iou}.")


def check_finite_maps(feature_maps: Any) -> np.ndarray:
    """Maps that can be interpolated."""
    maps = check_feature_maps(feature_maps)
    if maps.size and not (np.isfinite(maps.max()) and np.isfinite(maps.min())):
        raise ValueError(
            f"feature_maps hold {int(np.isinf(maps).sum())} infinite values; check for "
            "overflow, such as that of float16."
        )
    return maps


def check_thresholds(thresholds: Any, filters: int) -> np.ndarray:
    """Levels as float64 `(F,)`."""
    levels = to_numpy(thresholds).astype("float64")
    if levels.shape != (filters,) or np.isinf(levels).any():
        raise ValueError(
            f"thresholds must be finite (or NaN) of shape ({filters},), one for each "
            f"filter; got shape {levels.shape}."
        )
    return levels


def check_same_pictures(maps: np.ndarray, concepts: ConceptMasks) -> None:
    """Refuses maps and masks of different pictures."""
    if len(maps) != len(concepts):
        raise ValueError(
            f"feature_maps hold {len(maps)} pictures but concept_masks hold "
            f"{len(concepts)}; pass both for the same pictures in the same order."
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
                "concept_masks must be boolean of shape (pictures, concepts, height, "
                f"width); got {masks.dtype} of shape {masks.shape}."
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
            f"annotated must be boolean of shape ({len(concepts)}, {count}), a row for "
            f"each picture; got {concepts.annotated.dtype} of shape "
            f"{concepts.annotated.shape}."
        )
    return concepts


def check_words(argument: str, words: Any, count: int) -> list[str]:
    """A list of `count` strings."""
    listed = [] if isinstance(words, str) else [str(word) for word in words]
    if len(listed) != count:
        raise ValueError(
            f"{argument} must be a list of {count} words, one for each concept; got "
            f"{words!r}."
        )
    return listed
