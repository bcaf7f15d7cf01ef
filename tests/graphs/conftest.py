"""Networks and decision modes that are small enough to reckon with by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki


def planted_modes(
    positives: int = 40, others: int = 20, filters: int = 12, seed: int = 0
) -> ki.graphs.DecisionModes:
    """Two ways to be of the class, by half of the filters each.

    Others have the gradients of one way and fire the filters of the other.
    """
    random = np.random.default_rng(seed)
    count = positives + others
    way = np.arange(count) % 2
    halves = np.repeat([[1.0, 0.0], [0.0, 1.0]], filters // 2, axis=1)
    gradients = halves[way] + 0.05 * random.normal(size=(count, filters))
    fires = np.where(np.arange(count) < positives, way, 1 - way)
    activations = halves[fires] * random.uniform(0.5, 1.5, size=gradients.shape)
    activations += random.uniform(0.0, 0.1, size=gradients.shape)
    scores = (gradients * activations).sum(axis=1) - filters / 4
    return ki.graphs.DecisionModes.from_maps(activations, gradients, scores)


def two_way_model(seed: int = 0) -> keras.Model:
    """Interpretable maps under a head with a hidden layer: gradients differ."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            ki.InterpretableConv(5, 3, padding="same", filter_loss=None, name="parts"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def random_images(count: int = 24, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def modes() -> ki.graphs.DecisionModes:
    return planted_modes()


@pytest.fixture(scope="module")
def tree(modes) -> ki.graphs.DecisionTree:
    return ki.graphs.DecisionTree().fit_modes(modes)
