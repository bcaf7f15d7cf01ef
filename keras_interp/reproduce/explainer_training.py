"""One distillation of the explainer's reproduction, and its measurement."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_interp.attribution import part_contributions
from keras_interp.metrics import LayerMaps
from keras_interp.models import Encoding, Explainer
from keras_interp.receptive_fields import ReceptiveField, receptive_field
from keras_interp.reporting import FilterMeasurement, measure_maps
from keras_interp.reproduce.explained_task import ExplainedTask
from keras_interp.reproduce.explainer_course import BATCH_SIZE
from keras_interp.reproduce.explainer_performer import TARGET_LAYER, TOP_LAYER

PART_LAYER = "conv_interp_2"


@dataclasses.dataclass(frozen=True)
class ExplainerRecipe:
    """What an explainer is trained with.

    Attributes:
        filter_loss: Mode of the filter loss, None without.
        filter_loss_weight: Its weight.
        fraction: Share of interpretable filters.
        ratio_reward: Weight of the reward for a large ratio.
        targets: Which pictures a filter's part is looked for in, as for `Explainer`.
        objective: `"reconstruction"`, or `"classification"` for Explainer+cls.
        batch_size: Pictures a step.
    """

    filter_loss: str | None = "posterior"
    filter_loss_weight: float = 0.1
    fraction: float = 0.5
    ratio_reward: float = 0.1
    targets: str | None = None
    objective: str = "reconstruction"
    batch_size: int = BATCH_SIZE


@dataclasses.dataclass(frozen=True)
class ExplainerFigures:
    """What came out of one distillation, on the test pictures.

    Attributes:
        measured: Filters of conv-interp-2.
        p: The ratio.
        masked_share: Share of the encoded activation that comes through masked filters.
        score_share: Share of the score of the predicted class that comes through masked
            filters, on pictures of objects.
        dead_filters: Share of the interpretable filters that never fire.
        error: Share of wrong classifications through the rebuilt features.
        agreement: Share of pictures classified as the performer does.
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


def train_explainer(
    explained: ExplainedTask,
    performer: keras.Model,
    recipe: ExplainerRecipe,
    seed: int,
) -> Explainer:
    """Distil a performer; Explainer+cls learns from the labels in place of features."""
    keras.utils.set_random_seed(seed)
    explainer = Explainer(
        performer,
        TARGET_LAYER,
        filter_loss=recipe.filter_loss,
        filter_loss_weight=recipe.filter_loss_weight,
        fraction=recipe.fraction,
        ratio_reward=recipe.ratio_reward,
        targets=recipe.targets,
        objective=recipe.objective,
    )
    explainer.compile(keras.optimizers.Adam(explained.learning_rate))
    with_labels = recipe.objective == "classification"
    inputs = explained.distillation_inputs()
    targets = None
    if with_labels:
        inputs, targets = explained.training_inputs(), explained.training_targets()
    explainer.fit(
        inputs,
        targets,
        epochs=explained.epochs[1],
        batch_size=recipe.batch_size,
        cache_features=True,
        verbose=0,
    )
    return explainer


def measure_explainer(
    explained: ExplainedTask, performer: keras.Model, explainer: Explainer
) -> ExplainerFigures:
    """Measure a trained explainer on the test pictures."""
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
    """What filters follow on the pictures that show an object.

    Args:
        explained: The task.
        maps: `(objects, height, width, filters)`.
        field: Receptive field of the maps in pixels.
    """
    task = explained.task
    return measure_maps(
        LayerMaps("maps", maps.astype("float32"), None, None, 0),
        field,
        task.pictures.subset(task.objects()),
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
    """Receptive field of conv-interp-2 in pixels of the pictures."""
    return layer_field(explained, explainer, PART_LAYER)


def layer_field(
    explained: ExplainedTask, model: keras.Model, layer_name: str
) -> ReceptiveField:
    """Receptive field of a layer in pixels of the pictures."""
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
    """Class of each picture; 0 or 1 for one logistic unit."""
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
    # Which part a filter stands for does not matter here: few pictures will do.
    named = np.intersect1d(objects, np.flatnonzero(task.is_train))[:64]
    found = part_contributions(
        explainer,
        explained.values[tested],
        task.pictures.subset(named),
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
