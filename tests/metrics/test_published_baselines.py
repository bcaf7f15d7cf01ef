"""Baselines of location instability on the real landmarks, beside known figures."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp import datasets
from keras_interp.metrics import instability_baselines, location_instability

SIZE = 227


@pytest.fixture(scope="module")
def birds(real_data):
    """Points `(1200, 15, 2)` of the test images of the first 40 classes of 60."""
    root = real_data / "cub" / "CUB_200_2011"
    classes = np.loadtxt(root / "image_class_labels.txt", dtype=int)
    test = np.loadtxt(root / "train_test_split.txt", dtype=int)
    points = np.loadtxt(root / "parts" / "part_locs.txt")
    label, count = np.unique(classes[:, 1], return_counts=True)
    chosen = label[np.argsort(-count, kind="stable")[:40]]
    ids = classes[np.isin(classes[:, 1], chosen) & (test[:, 1] == 0), 0]
    landmarks = np.full((ids.max() + 1, 15, 2), np.nan)
    seen = (points[:, 4] == 1) & (points[:, 0] <= ids.max())
    image, part = points[seen, 0].astype(int), points[seen, 1].astype(int) - 1
    landmarks[image, part] = points[seen, 2:4]
    return landmarks[ids]


# Part ids of CUB less one, as the paper's code takes them.
FOREHEAD, BACK, TAIL, BREAST = 5, 0, 13, 3


def test_birds_constant_and_random(birds):
    assert birds.shape == (1200, 15, 2)
    found = instability_baselines(birds[:, [FOREHEAD, BACK, TAIL]], SIZE, top=None)
    assert found.center == pytest.approx(0.062, abs=0.0005)
    assert 0.060 <= found.constant <= found.center
    assert found.random == pytest.approx(0.165, abs=0.01)


@pytest.mark.parametrize(
    ("part", "figure"),
    [(FOREHEAD, 0.060), (BACK, 0.053), (TAIL, 0.062), (BREAST, 0.077)],
)
def test_birds_perfect_detector_on_a_grid(birds, part, figure):
    # Cells of 16 pixels whose first one is centred at 17, as SqueezeNet's fire8 has.
    positions = 17 + 16 * np.clip(np.round((birds[:, [part]] - 17) / 16), 0, 12)
    found = location_instability(
        positions,
        np.ones((len(birds), 1)),
        birds[:, [FOREHEAD, BACK, TAIL]],
        SIZE,
        top=None,
    )
    assert found.value == pytest.approx(figure, abs=0.0006)


@pytest.mark.parametrize(
    ("category", "center", "random"),
    [("dog", 0.067, 0.152), ("sheep", 0.068, 0.159)],
)
def test_animals_constant_and_random(real_data, category, center, random):
    animals = datasets.load(
        "animal_part", real_data / "animal_part", categories=[category], size=32
    )
    found = instability_baselines(animals.landmarks, 32)
    assert found.center == pytest.approx(center, abs=0.001)
    assert found.random == pytest.approx(random, abs=0.003)
