"""The networks of the interpretable CNN's reproduction, trained and measured."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_interp import metrics, models
from keras_interp.callbacks import GradientRatio
from keras_interp.layers import InterpretableConv
from keras_interp.metrics import FilterMeasurement, measure_maps, read_feature_maps
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reproduce._tasks import Task

WITHOUT_LABELS = "interpretable_without_labels"
# The paper's two interpretable layers: the former top conv-layer and the new one.
TARGET_LAYER = "conv_target"
TOP_LAYER = "conv_interpretable"


@dataclasses.dataclass(frozen=True)
class IcnnRecipe:
    """What a network is trained with.

    Attributes:
        filters: Filters of each of the two conv-layers.
        epochs: Passes over the training images.
        filter_loss: Mode of the filter loss.
        filter_loss_weight: Weight, or None for the mode's default.
        weight_schedule: As for `InterpretableConv`.
        fraction: Share of interpretable filters.
        targets: As for `InterpretableConv`.
        learning_rate: Of Adam.
        batch_size: Images a step.
    """

    filters: int = 96
    epochs: int = 8
    filter_loss: str | None = "posterior"
    filter_loss_weight: float | None = None
    weight_schedule: str | None = None
    fraction: float = 0.5
    targets: str = "labels"
    learning_rate: float = 1e-3
    batch_size: int = 64


def build_network(
    input_shape: tuple[int, ...],
    categories: int,
    recipe: IcnnRecipe,
    *,
    interpretable: bool,
    with_labels: bool = True,
) -> keras.Model:
    """Two conv-layers, pooling, dropout and one dense layer, compiled.

    Args:
        input_shape: Of the frozen features.
        categories: Number of categories; 1 ends in a logistic unit, more in a softmax.
        recipe: Sizes and filter loss.
        interpretable: False gives the ordinary network: the same without mask and
            filter loss.
        with_labels: False gives a plain `keras.Model`, whose filter losses see no
            labels.

    Returns:
        Compiled Keras model.
    """
    inputs = keras.Input(input_shape)
    maps = inputs
    for name in (TARGET_LAYER, TOP_LAYER):
        maps = _conv(recipe, name, interpretable)(maps)
    pooled = keras.layers.MaxPooling2D(3, 2)(maps)
    flat = keras.layers.Dropout(0.5)(keras.layers.Flatten()(pooled))
    activation = "sigmoid" if categories == 1 else "softmax"
    outputs = keras.layers.Dense(categories, activation=activation)(flat)
    kind = models.InterpretableModel if interpretable and with_labels else keras.Model
    model = kind(inputs, outputs)
    loss = "binary_crossentropy"
    if categories > 1:
        loss = "sparse_categorical_crossentropy"
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def _conv(recipe: IcnnRecipe, name: str, interpretable: bool) -> keras.layers.Layer:
    common = {
        "padding": "same",
        "kernel_regularizer": keras.regularizers.L2(1e-4),
        "name": name,
    }
    if not interpretable:
        return keras.layers.Conv2D(recipe.filters, 3, activation="relu", **common)
    return InterpretableConv(
        recipe.filters,
        3,
        fraction=recipe.fraction,
        targets=recipe.targets,
        filter_loss=recipe.filter_loss,
        filter_loss_weight=recipe.filter_loss_weight,
        weight_schedule=recipe.weight_schedule,
        **common,
    )


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """One training and what came out of it.

    Attributes:
        accuracy: On the test images.
        measured: What the top conv-layer's filters do on the test images.
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
    task: Task,
    values: np.ndarray,
    mirrored: np.ndarray,
    recipe: IcnnRecipe,
    field: ReceptiveField,
    kind: str,
    seed: int,
) -> TrainedNetwork:
    """Train a network on projected features and measure it on the test images.

    Args:
        task: Images and labels.
        values: Projected features `(images, height, width, components)`.
        mirrored: Projected features of the training objects' mirror images.
        recipe: Sizes, epochs and filter loss.
        field: Receptive field of the features.
        kind: `"ordinary"`, `"interpretable"` or `"interpretable_without_labels"`.
        seed: Of weights, order and dropout.
    """
    model, history = fitted(task, values, mirrored, recipe, kind, seed)
    return measured(model, history, task, values, field)


def fitted(
    task: Task,
    values: np.ndarray,
    mirrored: np.ndarray,
    recipe: IcnnRecipe,
    kind: str,
    seed: int,
) -> tuple[keras.Model, dict[str, list[float]]]:
    """The network that `train` trains, and its log; arguments as there."""
    keras.utils.set_random_seed(seed)
    interpretable = kind != "ordinary"
    model = build_network(
        values.shape[1:],
        task.categories,
        recipe,
        interpretable=interpretable,
        with_labels=kind != WITHOUT_LABELS,
    )
    watched = interpretable and recipe.filter_loss is not None
    history = fit_network(model, task, values, mirrored, recipe, watch_ratio=watched)
    return model, history


def measured(
    model: keras.Model,
    history: dict[str, list[float]],
    task: Task,
    values: np.ndarray,
    field: ReceptiveField,
) -> TrainedNetwork:
    """What `train` measures of a network that is trained; arguments as there."""
    layer = read_feature_maps(model, values[task.objects()], TOP_LAYER)
    # 3x3 convolutions that keep the size leave the centres where they are.
    widened = float(np.max(field.size)) + 2 * 2 * float(np.max(field.stride))
    found = measure_maps(
        layer,
        ReceptiveField(size=widened, stride=field.stride, start=field.start),
        task.dataset.subset(task.objects()),
        instability_landmarks=task.instability_landmarks,
    )
    test = ~task.is_train
    # Silences no filter of the ordinary network: the same way to its accuracy.
    silenced = metrics.ablation(
        model, TOP_LAYER, values[test], task.targets[test], range(layer.interpretable)
    )
    interpretable = layer.masked_maps is not None
    ratios = history.get(f"{TOP_LAYER}_gradient_ratio")
    return TrainedNetwork(
        accuracy=silenced.accuracy,
        measured=found,
        history=history,
        ablated_accuracy=silenced.accuracy_ablated if interpretable else None,
        gradient_ratio=ratios[min(1, len(ratios) - 1)] if ratios else None,
    )


def fit_network(
    model: keras.Model,
    task: Task,
    values: np.ndarray,
    mirrored: np.ndarray,
    recipe: IcnnRecipe,
    *,
    watch_ratio: bool,
) -> dict[str, list[float]]:
    """Fit on the training images and the mirror images of their objects.

    Args:
        model: Compiled network.
        task: Images and labels.
        values: Inputs of the network, in the order of the images.
        mirrored: Inputs of the mirror images of the training objects.
        recipe: Epochs and filter loss.
        watch_ratio: Whether the log has the ratio of the gradients of filter loss and
            task, which costs a pass of its own in each epoch.

    Returns:
        The training log.
    """
    rows = task.training_rows()
    features = np.concatenate([values[rows], mirrored])
    targets = task.targets[np.concatenate([rows, task.training_objects()])]
    watch = []
    if watch_ratio:
        some = np.arange(0, len(rows), max(1, len(rows) // recipe.batch_size))
        watch.append(
            GradientRatio(features[some], targets[some], warn_above=float("inf"))
        )
    history = model.fit(
        features,
        targets,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
        callbacks=watch,
    )
    return history.history
