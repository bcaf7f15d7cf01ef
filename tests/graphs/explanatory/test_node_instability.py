"""Location instability of nodes: the top images first, then those with the landmark."""

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.graphs import node_instability


def test_values_by_hand():
    """Of the best three images one lacks the landmark: distances 3 and 5 are left.

    Their unbiased deviation is sqrt(2), over a diagonal of 50.
    """
    positions = np.array([[3, 0], [7, 7], [0, 5], [20, 0]], "float64")[:, None]
    landmarks = np.zeros((4, 1, 2))
    landmarks[1] = np.nan
    strengths = np.array([[4.0], [3.0], [2.0], [1.0]])
    found = node_instability(positions, strengths, landmarks, (30, 40), top_images=3)
    assert found.value == pytest.approx(np.sqrt(2) / 50)
    # The other rule replaces the image that lacks the landmark: 3, 5 and 20.
    other = ki.metrics.location_instability(
        positions, strengths, landmarks, (30, 40), top=3
    )
    assert other.value == pytest.approx(np.std([3, 5, 20], ddof=1) / 50)


def loops(positions, strengths, landmarks, diagonal, top_nodes, top_images):
    best = [sorted(s, reverse=True)[:top_images] for s in strengths.T]
    nodes = sorted(range(len(best)), key=lambda n: -np.mean(best[n]))[:top_nodes]
    figures = []
    for node in nodes:
        images = sorted(range(len(strengths)), key=lambda i: -strengths[i, node])
        deviations = []
        for k in range(landmarks.shape[1]):
            apart = [
                np.linalg.norm(positions[i, node] - landmarks[i, k])
                for i in images[:top_images]
                if not np.isnan(landmarks[i, k, 0]) and strengths[i, node] > 0
            ]
            if len(apart) > 1:
                deviations.append(np.std(apart, ddof=1) / diagonal)
        figures.append(np.mean(deviations))
    return np.mean(figures), nodes


def test_the_figure_of_loops():
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 64, (40, 9, 2))
    strengths = np.maximum(rng.normal(0, 1, (40, 9)), 0)
    landmarks = rng.uniform(0, 64, (40, 3, 2))
    landmarks[rng.random((40, 3)) < 0.3] = np.nan
    found = node_instability(
        positions, strengths, landmarks, 64, top_nodes=5, top_images=12
    )
    value, nodes = loops(positions, strengths, landmarks, np.hypot(64, 64), 5, 12)
    assert found.value == pytest.approx(value)
    assert found.chosen.tolist() == nodes
    assert np.isnan(found.per_node).sum() == 4
    assert found.baseline_constant < found.baseline_random


def test_nodes_that_never_fire_have_no_figure():
    strengths = np.zeros((5, 2))
    found = node_instability(
        np.full((5, 2, 2), np.nan), strengths, np.ones((5, 1, 2)), 64
    )
    assert np.isnan(found.value)
    assert found.chosen.tolist() == []


@pytest.mark.parametrize("wrong", [{"top_nodes": 0}, {"top_images": 1}])
def test_numbers_that_are_too_small_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        node_instability(
            np.ones((5, 2, 2)), np.ones((5, 2)), np.ones((5, 1, 2)), 64, **wrong
        )
