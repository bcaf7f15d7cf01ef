"""One training of the interpretable CNN's reproduction, and its measurement."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_interp import metrics
from keras_interp.callbacks import GradientRatio
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reporting import FilterMeasurement, measure_maps, read_feature_maps
from keras_interp.reproduce.icnn_network import TOP_LAYER, IcnnRecipe, build_network
from keras_interp.reproduce.icnn_task import IcnnTask

WITHOUT_LABELS = "interpretable_without_labels"


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """One training and what came out of it.

    Attributes:
        accuracy: On the test pictures.
        measured: What the top conv-layer's filters do on the test pictures.
        history: The training log.
        ablated_accuracy: With the interpretable filters silenced; None without any.
        gradient_ratio: Of filter loss to task in the second epoch; None without any.
    """

    accuracy: float
    measured: FilterMeasurement
    history: dict[str, list[float]]
    ablated_accuracy: float | None
    gradient_ratio: float | None


def train(
    task: IcnnTask,
    values: np.ndarray,
    mirrored: np.ndarray,
    recipe: IcnnRecipe,
    field: ReceptiveField,
    kind: str,
    seed: int,
) -> TrainedNetwork:
    """Train a network on projected features and measure it on the test pictures.

    Args:
        task: Pictures and labels.
        values: Projected features `(pictures, height, width, components)`.
        mirrored: Projected features of the training objects' mirror images.
        recipe: Sizes, epochs and filter loss.
        field: Receptive field of the features.
        kind: `"ordinary"`, `"interpretable"` or `"interpretable_without_labels"`.
        seed: Of weights, order and dropout.
    """
    keras.utils.set_random_seed(seed)
    interpretable = kind != "ordinary"
    model = build_network(
        values.shape[1:],
        task.categories,
        recipe,
        interpretable=interpretable,
        with_labels=kind != WITHOUT_LABELS,
    )
    history = _fit(model, task, values, mirrored, recipe, interpretable)
    layer = read_feature_maps(model, values[task.objects()], TOP_LAYER)
    # 3x3 convolutions that keep the size leave the centres where they are.
    widened = float(np.max(field.size)) + 2 * 2 * float(np.max(field.stride))
    measured = measure_maps(
        layer,
        ReceptiveField(size=widened, stride=field.stride, start=field.start),
        task.pictures.subset(task.objects()),
        instability_landmarks=task.instability_landmarks,
    )
    test = ~task.is_train
    # Silences no filter of the ordinary network: the same way to its accuracy.
    silenced = metrics.ablation(
        model, TOP_LAYER, values[test], task.targets[test], range(layer.interpretable)
    )
    ratios = history.get(f"{TOP_LAYER}_gradient_ratio")
    return TrainedNetwork(
        accuracy=silenced.accuracy,
        measured=measured,
        history=history,
        ablated_accuracy=silenced.accuracy_ablated if interpretable else None,
        gradient_ratio=ratios[min(1, len(ratios) - 1)] if ratios else None,
    )


def _fit(
    model: keras.Model,
    task: IcnnTask,
    values: np.ndarray,
    mirrored: np.ndarray,
    recipe: IcnnRecipe,
    interpretable: bool,
) -> dict[str, list[float]]:
    rows = task.training_rows()
    features = np.concatenate([values[rows], mirrored])
    targets = task.targets[np.concatenate([rows, task.training_objects()])]
    some = np.arange(0, len(rows), max(1, len(rows) // recipe.batch_size))
    watch = GradientRatio(features[some], targets[some], warn_above=float("inf"))
    history = model.fit(
        features,
        targets,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
        callbacks=[watch] if interpretable and recipe.filter_loss else [],
    )
    return history.history
