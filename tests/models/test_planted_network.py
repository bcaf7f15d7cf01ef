"""The network of planted data computes the known sums, and is like any other."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki


@pytest.mark.parametrize("pictures", ["plain", "birds"])
def test_its_scores_are_the_known_sums(pictures, tmp_path):
    planted = ki.datasets.PlantedParts(targets=2, pictures=pictures)
    dataset = planted.load(40)
    network = ki.models.planted_network(planted)
    images = dataset.images.astype("float32")
    scores = network.predict(images, verbose=0)
    # A share of the spread of the scores; pixels are rounded.
    assert scores == pytest.approx(planted.scores(dataset.ids), abs=0.03)
    network.save(tmp_path / "planted.keras")
    again = keras.models.load_model(tmp_path / "planted.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), scores)


def test_excitation_reaches_the_parts_alone():
    planted = ki.datasets.PlantedParts(targets=2)
    dataset = planted.load(30)
    network = ki.models.planted_network(planted)
    maps = ki.attribution.excitation_backprop(
        network, dataset.images.astype("float32"), 0, layer_name="maps", resize=False
    )
    on = planted.strengths(dataset.ids) > 0
    for image in range(30):
        column, row = (dataset.landmarks[image, on[image]] // 8).astype(int).T
        assert maps[image, row, column].sum() + 1e-5 >= maps[image].sum()
