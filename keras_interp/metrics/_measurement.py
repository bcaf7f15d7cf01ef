"""What the filters of one layer follow, measured on images with landmarks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.datasets import landmark_groups as known_groups
from keras_interp.metrics._activation_thresholds import activation_thresholds
from keras_interp.metrics._filter_names import FilterNames, name_filters
from keras_interp.metrics._filter_statistics import (
    dead_filters,
    overlap,
    position_spread,
)
from keras_interp.metrics._hit_gain import HitGainScores, hit_gain
from keras_interp.metrics._landmark_regression import (
    LandmarkRegression,
    landmark_regression,
)
from keras_interp.metrics._layer_maps import (
    LayerMaps,
    interpretable_maps,
    read_feature_maps,
)
from keras_interp.metrics._location_instability import (
    LocationInstabilityScores,
    location_instability,
)
from keras_interp.metrics._part_assignment import PartAssignment, part_assignment
from keras_interp.metrics._part_detectors import (
    GroupCoverage,
    group_coverage,
    is_part_detector,
    part_coverage,
)
from keras_interp.metrics._part_interpretability import PartInterpretability
from keras_interp.metrics._peaks import positions_and_scores
from keras_interp.metrics._progress import announce
from keras_interp.metrics._regions import filter_regions
from keras_interp.metrics._scores import PartScores
from keras_interp.metrics._tracking import tracking
from keras_interp.metrics._tracking_summary import TrackingSummary, tracking_summary
from keras_interp.receptive_fields import ReceptiveField, receptive_field

_REGIONS_AT_ONCE = 64
# A peak has two numbers: twice as many images as there are numbers to fit.
_IMAGES_FOR_EACH_FILTER = 4


@dataclasses.dataclass(frozen=True)
class FilterMeasurement:
    """The figures of one layer's filters, with what they were computed from.

    Args:
        layer: maps of the measured filters on the images that show an object.
        receptive_field: of the layer.
        images: int `(N,)`, places of those images in the dataset.
        chose: bool `(N,)`, the images that chose each filter's part; the others were
            scored.
        positions: float `(N, F, 2)`, (x, y) of the peaks in pixels.
        scores: float `(N, F)`, the peak values.
        tracking: see `keras_interp.metrics.tracking`.
        hit_gain: see `keras_interp.metrics.hit_gain`.
        instability: see `keras_interp.metrics.location_instability`.
        detectors: bool `(F,)`, the filters that count as part detectors.
        groups: the groups of landmarks that the filters cover, see
            `keras_interp.metrics.group_coverage`; `.groups.detectors` are the filters
            that track the part which they hit.
        tracking_summary: median and pooled tracking with intervals, see
            `keras_interp.metrics.tracking_summary`.
        names: the part of each filter, see `keras_interp.metrics.name_filters`, chosen
            on the images that choose and judged on the others.
        assignment: NMI and ARI, see `keras_interp.metrics.part_assignment`, on the
            scored images.
        regression: error of landmarks predicted from the peaks, see
            `keras_interp.metrics.landmark_regression`; `None` where fewer images choose
            than 4 for each filter.
        coverage: effective number of groups of landmarks, from the filters that track
            the part which they hit: `groups.value`.
        coverage_of_all: effective number of landmarks that all filters track best,
            part detectors or not.
        overlap: chance that two filters peak at the same place.
        spread: mean spread of the peaks.
        dead: share of filters that hardly ever fire.
        part_interpretability: see `keras_interp.metrics.part_interpretability`; NaN for
            a dataset without part masks.
        categories: int `(F,)`, the class on whose images each filter was measured;
            `None` where all images count for all filters.
    """

    layer: LayerMaps
    receptive_field: ReceptiveField
    images: np.ndarray
    chose: np.ndarray
    positions: np.ndarray
    scores: np.ndarray
    tracking: PartScores
    hit_gain: HitGainScores
    instability: LocationInstabilityScores
    detectors: np.ndarray
    groups: GroupCoverage
    tracking_summary: TrackingSummary
    names: FilterNames
    assignment: PartAssignment
    regression: LandmarkRegression | None
    coverage: float
    coverage_of_all: float
    overlap: float
    spread: float
    dead: float
    part_interpretability: float
    categories: np.ndarray | None

    @property
    def part_names(self) -> tuple[str, ...]:
        """F names: the group of landmarks that a filter hits and tracks, or `""`."""
        groups = self.groups
        return tuple(
            groups.group_names[group] if detects else ""
            for group, detects in zip(groups.group, groups.detectors, strict=True)
        )

    def rows(self, row: str, table: str = "filters") -> list[dict[str, Any]]:
        """The figures as rows of `results.json`.

        Args:
            row: name of the network, such as `"interpretable"`.
            table: name of the table that the rows belong to.
        """
        count = int((~self.chose).sum())
        summary, regression = self.tracking_summary, self.regression
        values = {
            "tracking": self.tracking.value,
            "tracking_median": summary.median,
            "tracking_median_low": summary.median_interval[0],
            "tracking_median_high": summary.median_interval[1],
            "tracking_pooled": summary.pooled,
            "tracking_pooled_low": summary.pooled_interval[0],
            "tracking_pooled_high": summary.pooled_interval[1],
            "hit_gain": self.hit_gain.value,
            "part_detectors": float(self.detectors.mean()),
            "hit_part_detectors": float(self.groups.detectors.mean()),
            "detected_groups": float(self.groups.groups),
            "part_coverage": self.coverage,
            "part_coverage_strict": self.groups.strict,
            "part_coverage_of_all": self.coverage_of_all,
            "overlap": self.overlap,
            "nmi": self.assignment.nmi,
            "ari": self.assignment.ari,
            "landmark_regression": float("nan")
            if regression is None
            else regression.error,
            "location_instability": self.instability.value,
            "part_interpretability": self.part_interpretability,
            "position_spread": self.spread,
            "dead_filters": self.dead,
        }
        return [
            {
                "table": table,
                "row": row,
                "metric": metric,
                "value": _or_none(value),
                "paper_value": None,
                **self._baselines(metric),
                "n": count,
            }
            for metric, value in values.items()
        ]

    def _baselines(self, metric: str) -> dict[str, float | None]:
        found, stable = self.assignment, self.instability
        known = {
            "location_instability": (stable.baseline_constant, stable.baseline_random),
            "nmi": (found.baseline_constant_nmi, found.baseline_random_nmi),
            "ari": (found.baseline_constant_ari, found.baseline_random_ari),
        }
        if self.regression is not None:
            known["landmark_regression"] = (
                self.regression.baseline_constant,
                self.regression.baseline_random,
            )
        constant, random = known.get(metric, (float("nan"), float("nan")))
        return {
            "baseline_constant": _or_none(constant),
            "baseline_random": _or_none(random),
        }


def measure_filters(
    model: keras.Model,
    dataset: PartsDataset,
    layer_name: str | None = None,
    *,
    batch_size: int = 64,
    preprocess: Callable[[np.ndarray], Any] | None = None,
    landmark_groups: Mapping[str, Any] | None = None,
    verbose: int = 0,
) -> FilterMeasurement:
    """Measures what the filters of one layer follow, on images that show an object.

    The part of each filter is chosen on the images whose split is not `"test"`, and
    the filter is scored on those of `"test"`. Without such a split every second group
    of images chooses. Where several classes have landmarks, each filter is measured
    on the images of one class: the one that the layer learnt for it, or the one that
    activates it most. Of an interpretable layer only the interpretable filters count.

    Example:

    ```python
    dataset = ki.datasets.load("synthetic_parts")
    found = ki.metrics.measure_filters(model, dataset)
    print(found.tracking.value, found.hit_gain.value)
    ```

    Args:
        model: functional or Sequential model.
        dataset: images with landmarks; `dataset.images` must be what `model` takes,
            or what `preprocess` takes.
        layer_name: name or path of the layer. Default: the last interpretable layer, or
            the last convolution where there is none.
        batch_size: images at a time.
        preprocess: applied to each batch of images before the model. Default: images
            go in as they are, 0 to 255. A network that was trained on images divided
            by 255, or with the mean taken off, must be given the same here.
        landmark_groups: landmarks that count as one part of the body: a mapping from
            the name of each group to the names or places of its landmarks. Default:
            what `ki.datasets.landmark_groups` knows of these landmarks.
        verbose: 1 shows progress, 0 nothing.

    Returns:
        `FilterMeasurement`: `.tracking`, `.hit_gain`, `.instability`, `.detectors`,
        `.coverage` and more, and as rows of `results.json` with `.rows(name)`.

    Raises:
        ValueError: if fewer than 4 images have a landmark, no images are left to score
            filters on, or there is no such layer with maps.

    Reference:
        Tracking and hit gain are measures of this library; location instability is
        that of Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR
        2018, section 5.2.2.
    """
    present = np.isfinite(dataset.landmarks).all(axis=-1).any(axis=-1)
    images = np.flatnonzero(present)
    if len(images) < 4:
        raise ValueError(
            "Expected dataset with at least 4 images that have landmarks, to choose "
            f"parts on some and score filters on others. Received: {len(images)} such "
            "images. Without landmarks use ki.report(model, images), which says what "
            "can be said without them."
        )
    shown = dataset.subset(images)
    layer = read_feature_maps(
        model,
        shown.images,
        layer_name,
        batch_size=batch_size,
        preprocess=preprocess,
        verbose=verbose,
    )
    field = receptive_field(model, layer.layer_name, dataset.image_size)
    count = layer.maps.shape[-1]
    announce(f"Measuring {count} filters on {len(images):,} images", verbose)
    found = measure_maps(layer, field, shown, landmark_groups=landmark_groups)
    return dataclasses.replace(found, images=images)


def measure_maps(
    layer: LayerMaps,
    field: ReceptiveField,
    shown: PartsDataset,
    *,
    instability_landmarks: Sequence[int] | None = None,
    landmark_groups: Mapping[str, Any] | None = None,
) -> FilterMeasurement:
    """Measures what the filters of maps follow that were computed already.

    Example:

    ```python
    layer = ki.metrics.read_feature_maps(model, dataset.images, "conv5")
    field = ki.receptive_field(model, "conv5")
    found = ki.metrics.measure_maps(layer, field, dataset)
    ```

    Args:
        layer: maps of the layer on the images of `shown`, as
            `keras_interp.metrics.read_feature_maps` gives them.
        field: receptive field of the layer, in pixels of those images.
        shown: images with landmarks, in the order of the maps.
        instability_landmarks: places of the landmarks that location instability is
            averaged over. Default: all of them.
        landmark_groups: landmarks that count as one part of the body: a mapping from
            the name of each group to the names or places of its landmarks. Default:
            what `ki.datasets.landmark_groups` knows of these landmarks.

    Returns:
        `FilterMeasurement`, with `.images` 0 to N - 1.

    Raises:
        ValueError: if maps and images differ in number, or no images are left to score
            filters on.
    """
    if len(layer.maps) != len(shown):
        raise ValueError(
            "Expected maps of the images of shown, in their order. Received: maps of "
            f"{len(layer.maps)} images and {len(shown)} images. Compute the maps of "
            "these very images."
        )
    layer = interpretable_maps(layer)
    positions, scores = positions_and_scores(layer.maps, field)
    chose = choosing_images(shown)
    categories = _categories(layer, shown, chose)
    labels = None if categories is None else shown.labels
    located = positions, scores, shown.landmarks, shown.image_size
    tracked = tracking(*located, choose_on=chose, labels=labels, categories=categories)
    cells = field.centers(*layer.maps.shape[1:3])
    hits = hit_gain(
        *located, choose_on=chose, labels=labels, categories=categories, cells=cells
    )
    stable = slice(None) if instability_landmarks is None else instability_landmarks
    instability = location_instability(
        positions[~chose],
        scores[~chose],
        shown.landmarks[~chose][:, stable],
        shown.image_size,
        labels=None if labels is None else labels[~chose],
        assign="min" if categories is None else categories,
        cells=cells,
    )
    groups = group_coverage(
        tracked,
        hits,
        known_groups(shown.landmark_names)
        if landmark_groups is None
        else landmark_groups,
        shown.landmark_names,
    )
    return FilterMeasurement(
        layer=layer,
        receptive_field=field,
        images=np.arange(len(shown)),
        chose=chose,
        positions=positions,
        scores=scores,
        tracking=tracked,
        hit_gain=hits,
        instability=instability,
        detectors=is_part_detector(tracked, hits),
        groups=groups,
        tracking_summary=tracking_summary(
            *located, choose_on=chose, labels=labels, categories=categories
        ),
        names=name_filters(
            positions,
            scores,
            shown,
            choose_on=chose,
            labels=labels,
            categories=categories,
            cells=cells,
        ),
        assignment=_assignment(layer, shown, ~chose, field, categories),
        regression=_regression(positions, scores, shown, chose, categories),
        coverage=groups.value,
        coverage_of_all=part_coverage(tracked.part),
        overlap=overlap(positions[~chose], shown.image_size).value,
        spread=position_spread(positions[~chose], shown.image_size).value,
        dead=dead_filters(scores[~chose]).value,
        part_interpretability=_part_interpretability(
            layer, shown, ~chose, field, categories
        ),
        categories=categories,
    )


def choosing_images(dataset: PartsDataset) -> np.ndarray:
    """Bool `(N,)`: the images that choose parts; groups stay on one side."""
    chose = np.asarray(dataset.split) != "test"
    if chose.any() and not chose.all():
        return chose
    groups = np.arange(len(dataset)) if dataset.groups is None else dataset.groups
    _, number = np.unique(groups, return_inverse=True)
    if number.max() == 0:
        raise ValueError(
            "Expected dataset with a split 'test' or with several groups of images, so "
            "that filters are scored on other images than those that choose parts. "
            "Received: one group of images and no such split. Pass a dataset with "
            "split= or other groups=."
        )
    return number % 2 == 0


def _categories(
    layer: LayerMaps, dataset: PartsDataset, chose: np.ndarray
) -> np.ndarray | None:
    """Class of each filter, int `(F,)`; `None` where only one class has landmarks."""
    classes = np.unique(dataset.labels)
    if len(classes) < 2:
        return None
    # Methods of the paper, section 3.2: the class whose images activate it most.
    sums = layer.maps[chose].sum(axis=(1, 2))
    labels = dataset.labels[chose]
    classes = np.unique(labels)
    means = np.stack([sums[labels == one].mean(axis=0) for one in classes])
    strongest = classes[means.argmax(axis=0)]
    if layer.categories is None:
        return strongest
    return np.where(np.isin(layer.categories, classes), layer.categories, strongest)


def _assignment(
    layer: LayerMaps,
    dataset: PartsDataset,
    scored: np.ndarray,
    field: ReceptiveField,
    categories: np.ndarray | None,
) -> PartAssignment:
    """NMI and ARI on the scored images; filters count on those of their own class."""
    maps = (layer.maps if layer.masked_maps is None else layer.masked_maps)[scored]
    if categories is not None:
        own = dataset.labels[scored][:, None] == categories
        maps = maps * own[:, None, None]
    return part_assignment(maps, field, dataset.landmarks[scored], dataset.image_size)


def _regression(
    positions: np.ndarray,
    scores: np.ndarray,
    dataset: PartsDataset,
    chose: np.ndarray,
    categories: np.ndarray | None,
) -> LandmarkRegression | None:
    """Landmarks from peaks; `None` where images are too few for so many filters."""
    if chose.sum() < _IMAGES_FOR_EACH_FILTER * positions.shape[1]:
        return None
    if categories is not None:
        scores = np.where(dataset.labels[:, None] == categories, scores, 0.0)
    return landmark_regression(
        positions,
        scores,
        dataset.landmarks,
        dataset.image_size,
        fit_on=chose,
        boxes=dataset.boxes,
    )


def _part_interpretability(
    layer: LayerMaps,
    dataset: PartsDataset,
    scored: np.ndarray,
    field: ReceptiveField,
    categories: np.ndarray | None,
) -> float:
    """Part interpretability on the scored images, of maps after the mask."""
    if dataset.part_masks is None:
        return float("nan")
    maps = (layer.maps if layer.masked_maps is None else layer.masked_maps)[scored]
    thresholds = activation_thresholds(maps)
    count, parts = maps.shape[-1], dataset.part_masks.shape[1]
    metric = PartInterpretability(count, parts, categories=categories)
    images = np.flatnonzero(scored)
    # Regions are as large as the images, one for each filter: some at a time.
    for start in range(0, len(images), _REGIONS_AT_ONCE):
        chunk = slice(start, start + _REGIONS_AT_ONCE)
        regions = filter_regions(maps[chunk], thresholds, field, dataset.image_size)
        labels = None if categories is None else dataset.labels[images[chunk]]
        metric.update_state(regions, dataset.part_masks[images[chunk]], labels=labels)
    return metric.details().value


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
