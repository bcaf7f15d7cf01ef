"""Images with coloured dots for parts, and networks that find them by colour."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.datasets import PartsDataset

SIDE = 24


def dots(count=24, seed=0):
    """Objects with a red head and a blue tail; every fourth image shows none."""
    rng = np.random.default_rng(seed)
    images = np.full((count, SIDE, SIDE, 3), 20, np.uint8)
    landmarks = np.full((count, 2, 2), np.nan, np.float32)
    labels = np.zeros(count, int)
    for image in range(count):
        if image % 4 == 3:
            labels[image] = 1
            continue
        landmarks[image] = rng.integers(2, SIDE - 2, (2, 2))
        (head_x, head_y), (tail_x, tail_y) = landmarks[image].astype(int)
        images[image, tail_y, tail_x] = (0, 0, 255)
        images[image, head_y, head_x] = (255, 0, 0)
    return PartsDataset(
        images=images,
        labels=labels,
        class_names=["animal", "background"],
        landmarks=landmarks,
        landmark_names=["head", "tail"],
        split=["train", "test"] * (count // 2),
    )


def network(conv, outputs=2, activation="softmax"):
    """A convolution with a filter for red, one for blue and one for nothing."""
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.Rescaling(1 / 255),
            conv,
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(outputs, activation=activation),
        ]
    )
    kernel = np.zeros((1, 1, 3, 3), "float32")
    kernel[0, 0, :, 0] = (1, -1, -1)
    kernel[0, 0, :, 1] = (-1, -1, 1)
    conv.set_weights([kernel, np.zeros(3), *conv.get_weights()[2:]])
    # An animal is where something is red; of one output, the animal is 1.
    slope = np.zeros((3, outputs))
    slope[0, 0] = 20
    model.layers[-1].set_weights([slope, np.array([-5.0, 0.0])[:outputs]])
    return model


@pytest.fixture
def dataset():
    return dots()


@pytest.fixture
def interpretable():
    return network(ki.InterpretableConv(3, 1, fraction=1.0, name="parts"))


@pytest.fixture
def ordinary():
    return network(keras.layers.Conv2D(3, 1, activation="relu", name="conv"))
