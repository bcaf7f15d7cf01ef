"""What a performer and its explainer do, measured on the test images."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_interp.attribution import part_contributions
from keras_interp.metrics import FilterMeasurement, LayerMaps, measure_maps
from keras_interp.models import Encoding, Explainer
from keras_interp.receptive_fields import ReceptiveField, receptive_field
from keras_interp.reproduce.explainer._task import ExplainedTask
from keras_interp.reproduce.explainer._training import TARGET_LAYER, TOP_LAYER

PART_LAYER = "conv_interp_2"


@dataclasses.dataclass(frozen=True)
class ExplainerFigures:
    """What came out of one distillation, on the test images.

    Attributes:
        measured: Filters of conv-interp-2.
        p: The ratio.
        masked_share: Share of the encoded activation that comes through masked filters.
        score_share: Share of the score of the predicted class that comes through masked
            filters, on images of objects.
        dead_filters: Share of the interpretable filters that never fire.
        error: Share of wrong classifications through the rebuilt features.
        agreement: Share of images classified as the performer does.
        missing: For each rebuilt layer the squared distance from the performer's
            features, as a share of their squared norm.
    """

    measured: FilterMeasurement
    p: float
    masked_share: float
    score_share: float
    dead_filters: float
    error: float
    agreement: float
    missing: dict[str, float]


def measure_explainer(
    explained: ExplainedTask, performer: keras.Model, explainer: Explainer
) -> ExplainerFigures:
    """Measure a trained explainer on the test images."""
    task = explained.task
    objects = task.objects()
    encoding = explainer.encode(explained.values[objects])
    tested = ~task.is_train
    inputs = explained.values[tested]
    rebuilt = explainer.predict(inputs, verbose=0)
    wanted = performer.predict(inputs, verbose=0)
    shown = _rows(encoding, tested[objects])
    return ExplainerFigures(
        measured=measure_layer(
            explained,
            encoding.part_maps[..., : encoding.interpretable_filters],
            part_field(explained, explainer),
        ),
        p=explainer.interpretable_ratio,
        masked_share=shown.masked_share,
        score_share=_score_share(explained, explainer),
        dead_filters=shown.dead_filters,
        error=error(rebuilt, task.targets[tested]),
        agreement=float((decisions(rebuilt) == decisions(wanted)).mean()),
        missing=_missing(explainer, inputs),
    )


def measure_layer(
    explained: ExplainedTask, maps: np.ndarray, field: ReceptiveField
) -> FilterMeasurement:
    """What filters follow on the images that show an object.

    Args:
        explained: The task.
        maps: `(objects, height, width, filters)`.
        field: Receptive field of the maps in pixels.
    """
    task = explained.task
    return measure_maps(
        LayerMaps("maps", maps.astype("float32"), None, None, 0),
        field,
        task.dataset.subset(task.objects()),
        instability_landmarks=task.instability_landmarks,
    )


def measure_performer(
    explained: ExplainedTask,
    performer: keras.Model,
    target_layer: FilterMeasurement | None = None,
) -> dict[str, FilterMeasurement]:
    """The performer's top convolution and its target layer.

    Args:
        explained: The task.
        performer: Trained on it.
        target_layer: What was found for another performer. It is taken over where the
            maps are a frozen trunk's, the same for all: their many channels take
            seconds to measure.
    """
    layers = {"performer": TOP_LAYER, "target_layer": TARGET_LAYER}
    found = {}
    for row, name in layers.items():
        field = layer_field(explained, performer, name)
        maps = explained.target_maps
        if row == "performer" or maps is None:
            model = keras.Model(performer.inputs, performer.get_layer(name).output)
            inputs = explained.values[explained.task.objects()]
            maps = model.predict(inputs, verbose=0)
        elif target_layer is not None:
            found[row] = target_layer
            continue
        found[row] = measure_layer(explained, maps, field)
    return found


def part_field(explained: ExplainedTask, explainer: Explainer) -> ReceptiveField:
    """Receptive field of conv-interp-2 in pixels of the images."""
    return layer_field(explained, explainer, PART_LAYER)


def layer_field(
    explained: ExplainedTask, model: keras.Model, layer_name: str
) -> ReceptiveField:
    """Receptive field of a layer in pixels of the images."""
    own = receptive_field(model, layer_name)
    below = explained.field
    if below is None:
        return own
    stride = np.asarray(below.stride, float)
    return ReceptiveField(
        size=_plain(np.asarray(below.size) + (np.asarray(own.size) - 1) * stride),
        stride=_plain(stride * own.stride),
        start=_plain(np.asarray(below.start) + np.asarray(own.start) * stride),
    )


def decisions(scores: np.ndarray) -> np.ndarray:
    """Class of each image; 0 or 1 for one logistic unit."""
    if scores.shape[1] == 1:
        return (scores[:, 0] > 0.5).astype(int)
    return scores.argmax(axis=1)


def error(scores: np.ndarray, targets: np.ndarray) -> float:
    """Share of wrong decisions."""
    return float((decisions(scores) != targets).mean())


def _score_share(explained: ExplainedTask, explainer: Explainer) -> float:
    """A high p says little if the scores are made elsewhere."""
    task = explained.task
    objects = task.objects()
    tested = np.intersect1d(objects, np.flatnonzero(~task.is_train))
    # Which part a filter stands for does not matter here: few images will do.
    named = np.intersect1d(objects, np.flatnonzero(task.is_train))[:64]
    found = part_contributions(
        explainer,
        explained.values[tested],
        task.dataset.subset(named),
        inputs=explained.values[named],
        field=part_field(explained, explainer),
    )
    return float(found.per_filter.sum() / found.scores.sum())


def _missing(explainer: Explainer, inputs: np.ndarray) -> dict[str, float]:
    features = explainer.performer_features(inputs)
    found = {}
    for number, (name, rebuilt) in enumerate(explainer.reconstruct(features).items()):
        wanted = features[f"rebuilt_{number}"]
        distance = np.square(rebuilt - wanted).sum()
        found[name] = float(distance / np.square(wanted).sum())
    return found


def _rows(encoding: Encoding, rows: np.ndarray) -> Encoding:
    return dataclasses.replace(
        encoding,
        part_maps=encoding.part_maps[rows],
        interpretable=encoding.interpretable[rows],
        ordinary=encoding.ordinary[rows],
    )


def _plain(values: np.ndarray) -> float | tuple[float, float]:
    if values.ndim == 0:
        return float(values)
    return float(values[0]), float(values[1])
