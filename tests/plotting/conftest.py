"""Images, maps and a receptive field that the plotting tests share."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture
def field():
    """Cells 8 pixels apart, the first at pixel 3.5, as in an image of 32 pixels."""
    return ki.ReceptiveField(size=20, stride=8, start=3.5)


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def maps():
    """Maps `(6, 4, 4, 3)`: filter 0 peaks at a known cell, filter 2 is silent."""
    maps = np.zeros((6, 4, 4, 3), "float32")
    for image in range(6):
        maps[image, image % 4, 1, 0] = 1.0 + image
        maps[image, 2, 3, 1] = 1.0
    return maps
