"""Products of Gaussians by hand, and the steps against loops as the formulas say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.graphs.explanatory._gaussian_product import (
    Expectation,
    expectation_of_parents,
    without_parents,
)
from keras_interp.graphs.explanatory._graph_layers import GraphLayer
from keras_interp.graphs.explanatory._learning import (
    LayerState,
    Recipe,
    blurred,
    learn_layer,
)
from keras_interp.graphs.explanatory._parents import candidate_parents, choose_parents
from keras_interp.graphs.explanatory._votes import (
    Nodes,
    UnitGrid,
    cast_votes,
    find_nodes,
)
from keras_interp.receptive_fields import ReceptiveField

GRID = UnitGrid(
    np.arange(6, dtype="float32") * 8 + 4,
    np.arange(7, dtype="float32") * 8 + 3,
    np.array([8, 8], "float32"),
)
SEARCH, BACKGROUND = 0.3, 0.1


def test_the_product_of_two_parents_by_hand():
    """Sigmas 3 and 6, moved by (0, 0) and (10, 0): weights 1/18 and 1/72.

    1/s^2 = 5/72; m = 14.4 * 10/72 = 2; rest of the exponent 100/72 - 4/14.4 = 10/9;
    integral 14.4 / (3 * 6) * exp(-5/9).
    """
    found = expectation_of_parents(
        np.array([[[0.0, 0.0], [10.0, 0.0]]]), np.array([3.0, 6.0]), np.array([[0, 1]])
    )
    np.testing.assert_allclose(found.sigmas, [np.sqrt(14.4)], rtol=1e-6)
    np.testing.assert_allclose(found.shifts, [[[2.0, 0.0]]], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        found.log_scales, [[np.log(0.8) - 5 / 9]], rtol=1e-6, atol=1e-6
    )


def test_one_parent_and_parents_that_agree():
    """A parent hands its displacement on; equal ones make no narrower Gaussian."""
    moved = np.array([[[3.0, -4.0]] * 3])
    for parents in ([[0]], [[0, 1, 2]]):
        found = expectation_of_parents(moved, np.full(3, 5.0), np.array(parents))
        np.testing.assert_allclose(found.shifts, [[[3, -4]]], rtol=1e-6)
        np.testing.assert_allclose(found.sigmas, [5], rtol=1e-6)
        np.testing.assert_allclose(found.log_scales, [[0]], atol=1e-6)


def gaussian(places, center, sigma):
    square = ((places - center) ** 2).sum(axis=-1)
    return np.exp(-0.5 * square / sigma**2) / (2 * np.pi * sigma**2)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 6))
def test_the_product_is_the_product(seed, count):
    rng = np.random.default_rng(seed)
    moved, sigmas = rng.normal(0, 5, (1, count, 2)), rng.uniform(2, 9, count)
    found = expectation_of_parents(moved, sigmas, np.arange(count)[None])
    places = rng.normal(0, 5, (8, 2))
    wanted = np.prod(
        [
            gaussian(places, one, sigma) ** (1 / count)
            for one, sigma in zip(moved[0], sigmas, strict=True)
        ],
        axis=0,
    )
    made = np.exp(found.log_scales[0, 0]) * gaussian(
        places, found.shifts[0, 0], found.sigmas[0]
    )
    np.testing.assert_allclose(made, wanted, rtol=2e-4)


@pytest.fixture
def problem():
    """Two filters with three nodes each on four pictures, all numbers different."""
    rng = np.random.default_rng(5)
    responses = np.maximum(rng.normal(0, 1, (2, 4, 6, 7)), 0).astype("float32")
    means = rng.uniform(6, 44, (2, 3, 2)).astype("float32")
    expected = Expectation(
        rng.normal(0, 6, (4, 6, 2)).astype("float32"),
        rng.uniform(3, 14, 6).astype("float32"),
        rng.normal(-0.3, 0.2, (4, 6)).astype("float32"),
        SEARCH,
    )
    return responses, means, expected


def loops(responses, means, expected):
    """Chapter H.3 and H.4, unit by unit: sums of one E step."""
    filters, images, height, width = responses.shape
    nodes = means.shape[1]
    half = np.maximum(
        np.minimum(SEARCH * 8 * np.sqrt(42), 3 * expected.sigmas.astype(float)), 4
    )
    density = np.zeros((filters, images, nodes, height, width))
    offset = np.zeros((filters, images, nodes, height, width, 2))
    for f in range(filters):
        for i in range(images):
            for v in range(nodes):
                node = f * nodes + v
                center = means[f, v] + expected.shifts[i, node]
                for r in range(height):
                    for c in range(width):
                        away = np.array([GRID.columns[c], GRID.rows[r]]) - center
                        offset[f, i, v, r, c] = away
                        if np.abs(away).max() <= half[node]:
                            density[f, i, v, r, c] = (
                                64
                                * np.exp(expected.log_scales[i, node])
                                * gaussian(away, 0, expected.sigmas[node])
                            )
    return density, offset


def test_the_votes_of_loops(problem):
    responses, means, expected = problem
    density, offset = loops(*problem)
    found = cast_votes(responses, GRID, means, expected, background=BACKGROUND)
    filters, images, nodes = density.shape[:3]
    moves, sigmas = np.zeros((filters, nodes, 2)), np.zeros((filters, nodes))
    strengths, likelihood = np.zeros((images, filters, nodes)), np.zeros(images)
    for f in range(filters):
        tau = BACKGROUND * density[f].sum(axis=1).mean()
        for v in range(nodes):
            weight, moved, covered, second = 0.0, 0.0, 0.0, 0.0
            for i in range(images):
                total = density[f, i].sum(axis=0) + tau
                posterior = density[f, i, v] / total
                vote = posterior * responses[f, i]
                weight += vote.sum()
                moved += (vote[..., None] * offset[f, i, v]).sum(axis=(0, 1))
                score = density[f, i, v] * responses[f, i]
                strengths[i, f, v] = score.sum()
                covered += score.sum()
                second += (score * (offset[f, i, v] ** 2).sum(axis=-1)).sum()
            moves[f, v], sigmas[f, v] = moved / weight, np.sqrt(second / covered)
        for i in range(images):
            total = density[f, i].sum(axis=0) + tau
            likelihood[i] += (responses[f, i] * np.log(total)).sum()
    np.testing.assert_allclose(found.moves, moves, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.sigmas, sigmas, rtol=1e-4)
    np.testing.assert_allclose(found.strengths, strengths, rtol=1e-4)
    np.testing.assert_allclose(found.log_likelihood, likelihood, rtol=1e-4)


def test_the_places_of_loops(problem):
    responses, means, expected = problem
    density, _ = loops(*problem)
    found = find_nodes(responses, GRID, means, expected)
    filters, images, nodes, height, width = density.shape
    for f in range(filters):
        for i in range(images):
            for v in range(nodes):
                heat = density[f, i, v] * responses[f, i]
                r, c = np.unravel_index(heat.argmax(), heat.shape)
                total = x = y = 0.0
                for rr in range(max(r - 1, 0), min(r + 2, height)):
                    for cc in range(max(c - 1, 0), min(c + 2, width)):
                        total += heat[rr, cc]
                        x += heat[rr, cc] * GRID.columns[cc]
                        y += heat[rr, cc] * GRID.rows[rr]
                place = i, f, v
                assert found.scores[place] == pytest.approx(heat.max(), rel=1e-4)
                assert found.strengths[place] == pytest.approx(heat.sum(), rel=1e-4)
                np.testing.assert_allclose(
                    found.positions[place], [x / total, y / total], atol=0.02
                )


def test_a_node_without_evidence_lies_where_it_is_expected(problem):
    responses, means, expected = problem
    found = find_nodes(0 * responses, GRID, means, expected)
    assert (found.scores == 0).all()
    wanted = means[None] + expected.shifts.reshape(4, 2, 3, 2)
    np.testing.assert_allclose(found.positions, GRID.clip(wanted), atol=1e-4)


def test_an_m_step_of_loops(problem):
    """Means go to their votes; sigmas stay in their limits."""
    responses, means, expected = problem
    recipe = Recipe(density=3 / 42, iterations=1, top_search=0.3)
    state = LayerState(
        Nodes(means.copy(), np.full((2, 3), 9.0, "float32")), np.empty((6, 0), int)
    )
    (after,) = learn_layer(state, responses, GRID, None, recipe)
    first = Expectation(
        np.zeros((4, 6, 2), "float32"),
        np.full(6, 0.15 * 8 * np.sqrt(42), "float32"),
        np.zeros((4, 6), "float32"),
        0.3,
    )
    votes = cast_votes(responses, GRID, means, first, background=0.1)
    np.testing.assert_allclose(
        after.nodes.means, GRID.clip(means + votes.moves), atol=1e-3
    )
    most = 8 / np.sqrt(3 / 42)
    np.testing.assert_allclose(
        after.nodes.sigmas, np.clip(votes.sigmas, most / 10, most), rtol=1e-5
    )


def test_the_likelihood_grows():
    rng = np.random.default_rng(0)
    maps = np.zeros((1, 20, 12, 12), "float32")
    rows, columns = rng.integers(2, 5, (2, 20))
    maps[0, np.arange(20), rows, columns] = 5
    maps[0, np.arange(20), rows + 5, columns + 5] = 5
    grid = UnitGrid(
        np.arange(12, dtype="float32"), np.arange(12, dtype="float32"), np.ones(2)
    )
    means = rng.uniform(1, 10, (1, 6, 2)).astype("float32")
    state = LayerState(Nodes(means, np.ones((1, 6), "float32")), np.empty((6, 0), int))
    recipe = Recipe(density=6 / 144, iterations=12)
    *_, last = learn_layer(state, blurred(maps), grid, None, recipe)
    assert last.log_likelihoods[-1] > last.log_likelihoods[0]


def test_parents_of_loops():
    rng = np.random.default_rng(2)
    own, above = rng.normal(0, 4, (9, 5, 2)), rng.normal(0, 4, (9, 7, 2))
    above[:, 3] = own[:, 0]  # moves exactly like the first node
    scores = rng.random((9, 5))
    found = choose_parents(own, scores, above, 2)
    for node in range(5):
        apart = ((own[:, [node]] - above) ** 2).sum(axis=-1)
        mean = apart.mean()
        figures = [
            sum(scores[i, node] * np.exp(-apart[i, c] / (2 * mean)) for i in range(9))
            for c in range(7)
        ]
        assert found[node].tolist() == np.argsort(figures)[::-1][:2].tolist()
    assert found[0, 0] == 3


def test_candidates_move_are_strong_and_off_the_edge():
    rng = np.random.default_rng(0)
    positions = np.full((6, 5, 2), 50.0)
    positions[:, [0, 1, 3, 4]] += rng.normal(0, 5, (6, 4, 2))
    positions[:, 1, 0] -= 45  # at the edge
    strengths = np.tile([1.0, 9.0, 9.0, 2.0, 0.0], (6, 1))  # the last never fires
    limits = np.array([0.0, 0.0]), np.array([100.0, 100.0])
    found = candidate_parents(positions, strengths, limits, 3)
    assert set(found.tolist()) <= {0, 3}
    assert 2 not in found
    assert 4 not in found


def test_nodes_without_parents_can_look_for_a_part_far_away():
    """0.3 of the map's side from the mean: within three first spreads of 0.15."""
    side = 20
    places = np.arange(side, dtype="float32") * 8 + 4
    grid = UnitGrid(places, places, np.array([8, 8], "float32"))
    responses = np.zeros((1, 1, side, side), "float32")
    responses[0, 0, 10, 16] = 1.0
    means = np.array([[[84.0, 84.0]]], "float32")
    layer = GraphLayer(
        "conv",
        ReceptiveField(size=32, stride=8, start=4),
        (side, side),
        np.array([0]),
        np.ones(1, "float32"),
        Nodes(means, np.full((1, 1), 9.0, "float32")),
        np.empty((1, 0), int),
        np.empty(0),
        np.empty(0),
        top_search=0.45,
    )
    free = layer.find(responses, None, None, None)
    np.testing.assert_allclose(free.positions[0, 0, 0], [132.0, 84.0], atol=1e-4)
    assert free.scores[0, 0, 0] > 0
    led = without_parents(1, 1, 0.15 * 8 * side, 0.15)
    found = find_nodes(responses, grid, means, led)
    np.testing.assert_allclose(found.positions[0, 0, 0], [84.0, 84.0])
    assert found.scores[0, 0, 0] == 0
