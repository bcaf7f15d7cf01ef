"""The layers that the interpretable CNN's reproduction trains on frozen features."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from keras_interp import models
from keras_interp.layers import InterpretableConv

# The paper's two interpretable layers: the former top conv-layer and the new one.
TARGET_LAYER = "conv_target"
TOP_LAYER = "conv_interpretable"


@dataclass(frozen=True)
class IcnnRecipe:
    """What a network is trained with.

    Attributes:
        filters: Filters of each of the two conv-layers.
        epochs: Passes over the training pictures.
        filter_loss: Mode of the filter loss.
        filter_loss_weight: Weight, or None for the mode's default.
        weight_schedule: As for `InterpretableConv`.
        fraction: Share of interpretable filters.
        targets: As for `InterpretableConv`.
        learning_rate: Of Adam.
        batch_size: Pictures a step.
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
