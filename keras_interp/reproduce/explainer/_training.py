"""The performer of the explainer's reproduction, and its distillation."""

from __future__ import annotations

import dataclasses

import keras

from keras_interp.models import Explainer
from keras_interp.reproduce.explainer._task import BATCH_SIZE, ExplainedTask

TARGET_LAYER = "target_maps"
TOP_LAYER = "conv_top"


@dataclasses.dataclass(frozen=True)
class PerformerRecipe:
    """What a performer is made of.

    Attributes:
        filters: Of its top convolution.
        units: Of `fc6` and of `fc7`.
        learning_rate: Of Adam.
        batch_size: Images a step.
    """

    filters: int = 64
    units: int = 256
    learning_rate: float = 5e-4
    batch_size: int = 64


def build_performer(
    input_shape: tuple[int, ...], categories: int, recipe: PerformerRecipe
) -> keras.Model:
    """Top convolution, pooling and three dense layers, compiled.

    Args:
        input_shape: Of the maps of a frozen trunk, which are explained, or of images:
            those first pass two convolutions, the second of which is explained.
        categories: Number of categories; 1 ends in a logistic unit, more in a softmax.
        recipe: Sizes.
    """
    if input_shape[-1] == 3:
        inputs = keras.Input(input_shape, name="images")
        maps = _small_trunk(inputs)
    else:
        maps = inputs = keras.Input(input_shape, name=TARGET_LAYER)
    maps = keras.layers.Conv2D(
        recipe.filters,
        3,
        padding="same",
        activation="relu",
        kernel_regularizer=keras.regularizers.L2(1e-4),
        name=TOP_LAYER,
    )(maps)
    vector = keras.layers.MaxPooling2D(3, 2, name="pool")(maps)
    vector = keras.layers.Flatten(name="flatten")(vector)
    for name in ("fc6", "fc7"):
        vector = keras.layers.Dropout(0.5, name=f"dropout_{name}")(vector)
        vector = keras.layers.Dense(recipe.units, activation="relu", name=name)(vector)
    activation = "sigmoid" if categories == 1 else "softmax"
    scores = keras.layers.Dense(categories, activation=activation, name="scores")
    model = keras.Model(inputs, scores(vector), name="performer")
    loss = "binary_crossentropy"
    if categories > 1:
        loss = "sparse_categorical_crossentropy"
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def _small_trunk(images: keras.KerasTensor) -> keras.KerasTensor:
    maps = keras.layers.Conv2D(
        24, 5, strides=2, padding="same", activation="relu", name="conv1"
    )(images)
    maps = keras.layers.MaxPooling2D(2, name="pool1")(maps)
    return keras.layers.Conv2D(
        64, 3, padding="same", activation="relu", name=TARGET_LAYER
    )(maps)


def train_performer(
    explained: ExplainedTask, recipe: PerformerRecipe, seed: int
) -> keras.Model:
    """Train a performer on the training images and their mirror images."""
    keras.utils.set_random_seed(seed)
    shape = explained.values.shape[1:]
    model = build_performer(shape, explained.task.categories, recipe)
    model.fit(
        explained.training_inputs(),
        explained.training_targets(),
        epochs=explained.epochs[0],
        batch_size=recipe.batch_size,
        verbose=0,
    )
    return model


@dataclasses.dataclass(frozen=True)
class ExplainerRecipe:
    """What an explainer is trained with.

    Attributes:
        filter_loss: Mode of the filter loss, None without.
        filter_loss_weight: Its weight.
        fraction: Share of interpretable filters.
        ratio_reward: Weight of the reward for a large ratio.
        targets: Which images a filter's part is looked for in, as for `Explainer`.
        objective: `"reconstruction"`, or `"classification"` for Explainer+cls.
        batch_size: Images a step.
    """

    filter_loss: str | None = "posterior"
    filter_loss_weight: float = 0.1
    fraction: float = 0.5
    ratio_reward: float = 0.1
    targets: str | None = None
    objective: str = "reconstruction"
    batch_size: int = BATCH_SIZE

    def explainer(self, performer: keras.Model, target_layer: str) -> Explainer:
        """A new explainer."""
        return Explainer(
            performer,
            target_layer,
            filter_loss=self.filter_loss,
            filter_loss_weight=self.filter_loss_weight,
            fraction=self.fraction,
            ratio_reward=self.ratio_reward,
            targets=self.targets,
            objective=self.objective,
        )


def train_explainer(
    explained: ExplainedTask,
    performer: keras.Model,
    recipe: ExplainerRecipe,
    seed: int,
) -> Explainer:
    """Distil a performer; Explainer+cls learns from the labels in place of features."""
    keras.utils.set_random_seed(seed)
    explainer = recipe.explainer(performer, TARGET_LAYER)
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
