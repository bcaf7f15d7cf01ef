"""Parts are found by nodes from a few annotated pictures."""

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.graphs import InferredNodes, PartLocator
from keras_interp.graphs.explanatory._part_locator import _places

SIZE = (100, 100)


def nodes_of(parts, seed=0):
    """Two nodes of filter 0 at the part, one beside filter 1, and noise of filter 2.

    Node 0 is strong where the part lies on the left, node 1 where it lies on the right.
    """
    rng = np.random.default_rng(seed)
    left = parts[:, 0] < 50
    positions = np.stack(
        [
            parts + [6, 0],
            parts + [6, 0],
            parts + [0, 30],
            rng.uniform(0, 100, parts.shape),
        ],
        axis=1,
    )
    positions[~left, 0] = rng.uniform(0, 100, (int((~left).sum()), 2))
    positions[left, 1] = rng.uniform(0, 100, (int(left.sum()), 2))
    strengths = np.stack(
        [left * 1.0, ~left * 1.0, np.full(len(parts), 0.5), np.ones(len(parts))], axis=1
    )
    return InferredNodes(
        positions,
        strengths,
        np.array(["low", "low", "low", "low"]),
        np.array([0, 0, 1, 2]),
        ("",) * 4,
        SIZE,
    )


@pytest.fixture
def parts():
    return np.random.default_rng(1).uniform(15, 65, (60, 2))


@pytest.mark.parametrize("shots", [1, 2, 3])
def test_a_part_is_found_from_few_pictures(parts, shots):
    """The offset of 6 pixels between node and part is learnt, too."""
    nodes = nodes_of(parts)
    shown = InferredNodes(
        nodes.positions[:shots],
        nodes.strengths[:shots],
        nodes.layers,
        nodes.filters,
        nodes.parts,
        SIZE,
    )
    locator = PartLocator().fit(shown, parts[:shots, None])
    found = locator.predict(nodes)
    assert found.shape == (60, 1, 2)
    error = np.linalg.norm(found[shots:, 0] - parts[shots:], axis=-1)
    mean = np.linalg.norm(parts[:shots].mean(axis=0) - parts[shots:], axis=-1)
    assert error.mean() < 0.5 * mean.mean()
    assert np.median(error) < 4
    np.testing.assert_array_equal(locator.predict(nodes.picture(7)), found[7])


def test_places_are_means_by_a_power_of_the_votes():
    heat = np.zeros((1, 2, 5))
    heat[0, 1, 1], heat[0, 1, 3] = 1.0, 0.5
    np.testing.assert_array_equal(_places(heat, None), [[1, 1]])
    np.testing.assert_allclose(_places(heat, 2.0), [[(1 + 3 * 0.25) / 1.25, 1]])
    np.testing.assert_allclose(_places(heat, 60.0), [[1, 1]], atol=1e-9)


def test_without_focus_the_place_of_most_votes_is_taken(parts):
    nodes = nodes_of(parts)
    most = PartLocator(focus=None).fit(nodes, parts[:, None]).predict(nodes)
    sharp = PartLocator(focus=400.0).fit(nodes, parts[:, None]).predict(nodes)
    step = 0.05 * np.hypot(*SIZE) / 4
    assert np.abs(most - sharp).max() < step
    assert np.abs(most / step - np.rint(most / step)).max() < 1e-6


def test_absent_landmarks_do_not_count(parts):
    nodes = nodes_of(parts)
    landmarks = np.stack([parts, parts + 10], axis=1)
    landmarks[0, 0] = np.nan
    everything = PartLocator().fit(nodes, landmarks)
    rest = PartLocator().fit(nodes_like(nodes, slice(1, None)), landmarks[1:, :1])
    np.testing.assert_allclose(
        everything.predict(nodes)[:, 0], rest.predict(nodes)[:, 0], atol=4
    )
    landmarks[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"\[1\] in none"):
        PartLocator().fit(nodes, landmarks)


def nodes_like(nodes, some):
    return InferredNodes(
        nodes.positions[some],
        nodes.strengths[some],
        nodes.layers,
        nodes.filters,
        nodes.parts,
        SIZE,
    )


def test_a_picture_without_evidence_has_no_parts(parts):
    nodes = nodes_of(parts)
    locator = PartLocator().fit(nodes, parts[:, None])
    blank = InferredNodes(
        nodes.positions[:1],
        0 * nodes.strengths[:1],
        nodes.layers,
        nodes.filters,
        nodes.parts,
        SIZE,
    )
    assert np.isnan(locator.predict(blank)).all()


def test_what_does_not_fit_is_refused(parts):
    nodes = nodes_of(parts)
    with pytest.raises(ValueError, match="before fit"):
        PartLocator().predict(nodes)
    with pytest.raises(ValueError, match="same images"):
        PartLocator().fit(nodes, parts[:5, None])
    locator = PartLocator().fit(nodes, parts[:, None])
    other = InferredNodes(
        nodes.positions[:, :2],
        nodes.strengths[:, :2],
        nodes.layers[:2],
        nodes.filters[:2],
        ("", ""),
        SIZE,
    )
    with pytest.raises(ValueError, match="another graph"):
        locator.predict(other)
    for name in ("radius", "width", "sharpness", "focus"):
        with pytest.raises(ValueError, match=name):
            PartLocator(**{name: 0.0})
    assert ki.graphs.PartLocator(radius=0.2).get_params()["radius"] == 0.2
