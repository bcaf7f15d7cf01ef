"""The decision tree: its modes, its ways down, and what it says of one image."""

from __future__ import annotations

import json

import networkx
import numpy as np
import pytest
from sklearn.base import clone

import keras_interp as ki
from keras_interp.graphs._tree_scores import fitness

from .conftest import planted_modes, random_images, two_way_model

DecisionModes = ki.graphs.DecisionModes
DecisionTree = ki.graphs.DecisionTree


def test_a_tree_of_two_images_by_hand():
    """x = (1, 1), (2, 1); g = (1, 0), (0, 1) before and after their length is 1."""
    activations = np.array([[1.0, 1.0], [2.0, 1.0]])
    gradients = np.array([[1.0, 0.0], [0.0, 1.0]])
    scores = np.array([3.0, 2.0])
    modes = DecisionModes.from_maps(activations, gradients, scores)
    tree = DecisionTree(pooling="mean", selection=None).fit_modes(modes)
    # s = (1.5, 1): x = (2/3, 1), (4/3, 1); g = (1.5, 0), (0, 1), of length 1.5 and 1.
    structure = tree.structure_
    np.testing.assert_allclose(structure.weights[:2], [[1.0, 0.0], [0.0, 1.0]])
    # y / length is 2 for both; b = 2 - 2/3 and 2 - 1.
    np.testing.assert_allclose(structure.bias[:2], [4 / 3, 1.0])
    # The pair: gbar = (1, 1) / sqrt 2, b = 2 - mean of (5/3, 7/3) / sqrt 2.
    half = np.sqrt(0.5)
    np.testing.assert_allclose(structure.weights[-1], [half, half])
    assert structure.bias[-1] == pytest.approx(2.0 - 2.0 * half)
    # At the ends each image has its own score, at the root h times its length.
    np.testing.assert_allclose(tree.predict(modes), scores)
    h = np.array([5 / 3, 7 / 3]) * half + 2.0 - 2.0 * half
    np.testing.assert_allclose(tree.predict(modes, depth=0), h * [1.5, 1.0])


def test_two_ways_of_deciding_have_nodes_of_their_own(modes):
    tree = DecisionTree(selection=None).fit_modes(modes)
    graph = tree.to_networkx()
    ways = []
    for node in graph.successors(tree.structure_.root):
        under = networkx.descendants(graph, node) | {node}
        rows = np.array([graph.nodes[one]["image"] for one in under])
        # Images take turns; one half of the filters is for each way.
        way = np.unique(rows[rows >= 0] % 2)
        halves = np.abs(tree.structure_.weights[node]).reshape(2, 6).sum(axis=1)
        if len(way) == 1:
            assert halves[way[0]] > 10 * halves[1 - way[0]]
            ways.append(way[0])
    assert set(ways) == {0, 1}
    assert tree.score(modes, modes.scores > 0, depth=1) == 1.0
    # One mode for both ways cannot tell those that fire the filters of the other.
    assert tree.score(modes, modes.scores > 0, depth=0) < 0.7


def test_images_of_a_node_are_those_that_merged_into_it(tree):
    graph = tree.to_networkx()
    assert networkx.is_arborescence(graph)
    for node in graph:
        under = networkx.descendants(graph, node) | {node}
        images = [one for one in under if graph.nodes[one]["image"] >= 0]
        assert graph.nodes[node]["count"] == len(images)
        length = networkx.shortest_path_length(graph, tree.structure_.root, node)
        assert graph.nodes[node]["depth"] == length


def test_the_mean_prediction_of_a_node_is_the_mean_score_of_its_images(modes):
    tree = DecisionTree(selection="lasso", penalty=0.1).fit_modes(modes)
    known = tree.scaling_(modes)
    structure = tree.structure_
    graph = tree.to_networkx()
    for node in graph:
        under = networkx.descendants(graph, node) | {node}
        rows = [graph.nodes[one]["image"] for one in under]
        rows = [row for row in rows if row >= 0]
        h = known.vectors[rows] @ structure.weights[node] + structure.bias[node]
        assert h.mean() == pytest.approx(known.targets[rows].mean())
        # alpha is binary: a kept filter has the weight of the mean direction.
        if len(rows) > 1:
            direction = known.gradients[rows].sum(axis=0)
            direction /= np.linalg.norm(direction)
            expected = direction * structure.selected[node]
            np.testing.assert_allclose(structure.weights[node], expected)


def test_an_image_of_the_tree_ends_at_its_own_node_with_its_own_score(modes):
    tree = DecisionTree(selection=None, min_nodes=40).fit_modes(modes)
    # No merger: the second layer is the images themselves.
    assert len(tree.structure_.children(tree.structure_.root)) == 40
    positive = modes.take(modes.scores > 0)
    np.testing.assert_allclose(tree.predict(positive, depth=1), positive.scores)


def test_depths_and_numbers_of_nodes_stop_on_the_same_way_down(modes, tree):
    whole = tree.structure_.descend(tree.scaling_(modes).gradients)
    for depth in range(whole.shape[1]):
        some = tree.structure_.descend(tree.scaling_(modes).gradients, depth)
        assert some.shape[1] == depth + 1
        np.testing.assert_array_equal(some, whole[:, : depth + 1])
    second = len(tree.structure_.children(tree.structure_.root))
    np.testing.assert_array_equal(
        tree.predict(modes, nodes=second), tree.predict(modes, depth=1)
    )
    np.testing.assert_array_equal(
        tree.predict(modes, nodes=tree.structure_.leaves), tree.predict(modes)
    )


def test_the_parse_of_an_image_adds_up(modes, tree):
    parse = tree.parse(modes.take([3]))
    np.testing.assert_allclose(
        parse.contributions.sum(axis=1) + parse.bias, parse.predicted
    )
    assert parse.predicted[-1] == pytest.approx(tree.predict(modes.take([3]))[0])
    assert parse.predicted[1] == pytest.approx(tree.predict(modes.take([3]), 1)[0])
    assert parse.score == modes.scores[3]
    assert parse.nodes[0] == tree.structure_.root
    assert list(parse.counts) == sorted(parse.counts, reverse=True)
    assert parse.part_names == ()
    assert f"{parse.score:+.2f}" in parse.table()


def test_contributions_of_parts_are_sums_over_their_filters(modes):
    tree = DecisionTree().fit_modes(modes)
    parts = np.array([0] * 6 + [1] * 5 + [-1])
    parse = tree.name_parts(parts, ["head", "tail"]).parse(modes.take([0]))
    assert parse.part_names == ("head", "tail", "no part")
    np.testing.assert_allclose(
        parse.part_contributions,
        np.stack(
            [
                parse.contributions[:, :6].sum(axis=1),
                parse.contributions[:, 6:11].sum(axis=1),
                parse.contributions[:, 11],
            ],
            axis=1,
        ),
    )
    # The first image decides by the first half of the filters.
    assert parse.part_contributions[-1, 0] > 3 * abs(parse.part_contributions[-1, 1])
    assert "head" in parse.table()
    shares = tree.to_networkx().nodes[tree.structure_.root]["parts"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert "head" in tree.to_graphviz()


def test_names_of_the_metrics_are_taken(modes):
    landmarks = np.random.default_rng(0).uniform(0, 64, (100, 2, 2))
    positions = landmarks[:, [0] * 6 + [1] * 6]
    found = ki.metrics.name_filters(
        positions,
        np.ones((100, 12)),
        landmarks,
        landmark_names=["head", "tail"],
        image_size=64,
    )
    tree = DecisionTree().fit_modes(modes).name_parts(found)
    np.testing.assert_array_equal(tree.filter_parts_, found.part)
    with pytest.raises(ValueError, match="each of 12 filters"):
        tree.name_parts(found.part[:5], found.part_names)
    with pytest.raises(ValueError, match="each of 12 filters"):
        tree.name_parts(found.part)


def test_figures_of_a_tree_beside_what_needs_none(modes):
    tree = DecisionTree(selection=None).fit_modes(modes)
    found = tree.measure(modes, modes.scores > 0, depths=[0, 1, 3, None])
    assert found.network_accuracy == 1.0
    assert found.n == 60
    assert found.prediction_error[-1] < found.prediction_error[1]
    assert found.prediction_error[1] < found.prediction_error[0]
    assert found.fitness[-1] > found.fitness[1] > found.fitness[0]
    assert found.fitness[0] > found.baselines["fitness"].random
    assert found.baselines["accuracy"].constant == pytest.approx(40 / 60)
    h = tree.predict(modes, depth=1)
    expected = np.mean(np.abs(h - modes.scores)) / np.ptp(modes.scores)
    assert found.prediction_error[1] == pytest.approx(expected)
    assert found.accuracy[1] == pytest.approx(np.mean((h > 0) == (modes.scores > 0)))
    assert tree.score(modes, modes.scores > 0, 1) == pytest.approx(found.accuracy[1])
    assert np.isnan(found.part_error).all()
    assert "fitness" in found.table()


def test_fitness_by_hand():
    truth = np.array([[2.0, -1.0, 0.0]])
    # Shared 1 + 0 + 0, joint 2 + 1 + 0: the second has the other sign.
    assert fitness(np.array([[1.0, 1.0, 5.0]]), truth) == pytest.approx(1 / 3)
    assert fitness(truth, truth) == 1.0
    assert fitness(np.zeros((1, 3)), np.zeros((1, 3))) == 1.0


def test_error_of_parts_by_hand(modes):
    tree = DecisionTree().fit_modes(modes)
    tree.name_parts(np.array([0] * 6 + [1] * 6), ["head", "tail"])
    known = tree.scaling_(modes)
    rho = known.vectors * tree.structure_.weights[-1] * known.lengths[:, None]
    exact = np.stack([rho[:, :6].sum(axis=1), rho[:, 6:].sum(axis=1)], axis=1)
    positive = modes.scores > 0
    found = tree.measure(modes, positive, [0], part_effects=exact + 0.5)
    unit = modes.scores[positive].mean()
    assert found.part_error[0] == pytest.approx(0.5 / unit)
    equal = np.abs(modes.scores[:, None] / 2 - exact - 0.5).mean() / unit
    assert found.baselines["part_error"].constant == pytest.approx(equal)


def test_a_pruned_tree_predicts_as_the_whole_one_at_that_depth(modes, tree):
    for depth in (1, 2, 4):
        small = tree.prune(depth)
        np.testing.assert_allclose(small.predict(modes), tree.predict(modes, depth))
        assert small.structure_.depth().max() == depth
        assert networkx.is_arborescence(small.to_networkx())
    small = tree.prune(nodes=7)
    np.testing.assert_allclose(small.predict(modes), tree.predict(modes, nodes=7))
    large = tree.prune(min_images=5).structure_
    divided = np.unique(large.parent[large.parent >= 0])
    assert large.count[divided].min() >= 5
    assert len(large) < len(tree.structure_)
    assert len(tree.prune().structure_) == len(tree.structure_)


def test_it_is_an_estimator_of_scikit_learn(modes):
    tree = DecisionTree(beta=2.0, selection=None)
    assert tree.get_params()["beta"] == 2.0
    copied = clone(tree).set_params(beta=3.0)
    assert not hasattr(copied, "structure_")
    assert copied.beta == 3.0
    assert copied.fit_modes(modes) is copied


def test_larger_beta_leaves_fewer_nodes(modes):
    counts = [
        len(t.structure_.children(t.structure_.root))
        for t in (DecisionTree(beta=beta).fit_modes(modes) for beta in (0.0, 1.0, 50.0))
    ]
    assert counts[0] > counts[1] > counts[2] == 1


def test_the_same_data_give_the_same_tree(modes):
    first, second = (DecisionTree().fit_modes(modes) for _ in range(2))
    np.testing.assert_array_equal(first.structure_.parent, second.structure_.parent)
    np.testing.assert_array_equal(first.structure_.weights, second.structure_.weights)


def test_some_of_the_images_are_chosen_by_the_seed(modes):
    def rows(seed):
        tree = DecisionTree(max_positives=10, seed=seed)
        with pytest.warns(UserWarning, match="10 of 40 images"):
            tree.fit_modes(modes)
        return set(tree.structure_.image) - {-1}

    assert rows(0) == rows(0) != rows(1)
    assert len(rows(0)) == 10
    assert all(modes.scores[row] > 0 for row in rows(0))


def test_a_saved_tree_is_the_same(modes, tmp_path):
    tree = DecisionTree(beta=2.0).fit_modes(modes)
    tree.name_parts(np.arange(12) % 2, ["head", "tail"])
    tree.save(tmp_path / "tree.npz")
    again = DecisionTree.load(tmp_path / "tree.npz")
    assert again.get_params() == tree.get_params()
    np.testing.assert_array_equal(again.predict(modes, 2), tree.predict(modes, 2))
    assert again.parse(modes.take([0])).part_names == ("head", "tail", "no part")
    assert again.to_json() == tree.to_json()
    assert [path.name for path in tmp_path.iterdir()] == ["tree.npz"]
    found = json.loads(tree.to_json())
    np.testing.assert_allclose(found["structure"]["bias"], tree.structure_.bias)
    assert found["settings"]["beta"] == 2.0


def test_files_that_are_no_trees_are_refused(tmp_path, tree):
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="DecisionTree.save"):
        DecisionTree.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="DecisionTree.save"):
        DecisionTree.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        DecisionTree.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"ends in \.npz"):
        tree.save(tmp_path / "tree.pkl")


def test_a_tree_on_a_network_of_keras(tmp_path):
    model, images = two_way_model(), random_images()
    tree = DecisionTree().fit(model, images)
    modes = ki.graphs.decision_modes(model, images)
    np.testing.assert_allclose(tree.predict(images, 1), tree.predict(modes, 1))
    assert tree.layer_name_ == "parts"
    parse = tree.parse(images[0])
    assert parse.score == pytest.approx(modes.scores[0])
    labels = (modes.scores > 0).astype(int)
    assert 0.0 <= tree.score(images, labels, depth=2) <= 1.0
    tree.save(tmp_path / "tree.npz")
    again = DecisionTree.load(tmp_path / "tree.npz", model)
    np.testing.assert_array_equal(again.predict(images, 1), tree.predict(images, 1))
    with pytest.raises(ValueError, match="knows no network"):
        DecisionTree.load(tmp_path / "tree.npz").predict(images)


def test_what_a_score_loses_without_the_filters_of_a_part():
    model, images = two_way_model(), random_images()
    parts = np.array([0, 0, 1, 1, -1])
    lost = ki.graphs.part_effects(model, images, "parts", parts, 2)
    whole = ki.graphs.decision_modes(model, images).scores
    maps = ki.feature_maps(model, images, "parts")
    for part in range(2):
        values = maps * (parts != part)
        for layer in model.layers[1:-1]:
            values = layer(values)
        kernel, bias = model.layers[-1].get_weights()
        without = (np.asarray(values) @ kernel + bias)[:, 0]
        np.testing.assert_allclose(lost[:, part], whole - without, atol=1e-4)
    with pytest.raises(ValueError, match="part for each filter"):
        ki.graphs.part_effects(model, images, "parts", parts[:3], 2)


def test_bad_input_is_refused_in_words(modes, tree):
    few = modes.take(np.flatnonzero(modes.scores < 0))
    with pytest.raises(ValueError, match="at least two images of the class"):
        DecisionTree().fit_modes(few)
    with pytest.raises(ValueError, match="score above 0 on average"):
        DecisionTree().fit_modes(few, np.ones(len(few)))
    silent = DecisionModes.from_maps(np.zeros((4, 3)), np.ones((4, 3)), np.ones(4))
    with pytest.raises(ValueError, match="filters that fire"):
        DecisionTree().fit_modes(silent)
    flat = DecisionModes.from_maps(np.ones((4, 3)), np.zeros((4, 3)), np.ones(4))
    with pytest.raises(ValueError, match="gradients that are all zero"):
        DecisionTree().fit_modes(flat)
    with pytest.raises(ValueError, match="label for each of 60"):
        DecisionTree().fit_modes(modes, np.ones(3))
    with pytest.raises(ValueError, match="without NaN"):
        DecisionTree().fit_modes(modes, np.full(60, np.nan))
    with pytest.raises(ValueError, match="Call fit first"):
        DecisionTree().predict(modes)
    with pytest.raises(ValueError, match="12 filters"):
        tree.predict(planted_modes(filters=6))
    with pytest.raises(ValueError, match="depth or a number of nodes"):
        tree.predict(modes, 1, nodes=2)
    with pytest.raises(ValueError, match="depth as an integer"):
        tree.predict(modes, -1)
    with pytest.raises(ValueError, match="one image"):
        tree.parse(modes)
    with pytest.raises(ValueError, match="name_parts first"):
        tree.measure(modes, part_effects=np.ones((60, 2)))


@pytest.mark.parametrize(
    "settings",
    [
        {"beta": -1.0},
        {"penalty": np.nan},
        {"pooling": "sum"},
        {"selection": "forest"},
        {"min_nodes": 0},
        {"max_positives": 1},
    ],
)
def test_settings_out_of_range_are_refused(modes, settings):
    with pytest.raises(ValueError, match=f"Expected {next(iter(settings))}"):
        DecisionTree(**settings).fit_modes(modes)


def test_filters_that_never_fire_get_no_weight(modes):
    activations = np.column_stack([modes.activations, np.zeros(60)])
    gradients = np.column_stack([modes.gradients, np.full(60, 9.0)])
    more = DecisionModes.from_maps(activations, gradients, modes.scores)
    tree = DecisionTree().fit_modes(more)
    assert not tree.structure_.weights[:, -1].any()
    plain = DecisionTree().fit_modes(modes)
    np.testing.assert_allclose(tree.predict(more, 2), plain.predict(modes, 2))


def test_images_whose_score_depends_on_no_filter(modes):
    gradients = modes.gradients.copy()
    gradients[[0, 50]] = 0.0
    some = DecisionModes.from_maps(modes.activations, gradients, modes.scores)
    with pytest.warns(UserWarning, match="2 of 60 images are left out"):
        tree = DecisionTree().fit_modes(some)
    assert tree.structure_.leaves == 39
    with pytest.warns(UserWarning, match="predicts NaN"):
        predicted = tree.predict(some, 1)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(predicted)), [0, 50])
    with pytest.raises(ValueError, match="nothing to explain"):
        tree.parse(some.take([0]))


def test_an_image_without_activation_has_the_score_of_the_bias(modes, tree):
    dark = DecisionModes.from_maps(
        np.zeros((1, 12)), modes.gradients[:1], modes.scores[:1]
    )
    parse = tree.parse(dark, depth=1)
    assert not parse.contributions.any()
    np.testing.assert_allclose(parse.predicted, parse.bias)


def test_negative_activations_keep_the_plain_mean():
    random = np.random.default_rng(0)
    maps = random.normal(size=(20, 3, 3, 4))
    slopes = random.normal(size=maps.shape) + 1.0
    scores = (maps * slopes).sum(axis=(1, 2, 3))
    modes = DecisionModes.from_maps(maps, slopes, scores)
    both = [
        DecisionTree(pooling=pooling).fit_modes(modes)
        for pooling in ("mean", "weighted")
    ]
    np.testing.assert_array_equal(both[0].predict(modes), both[1].predict(modes))


def test_weighted_pooling_makes_the_ends_exact():
    random = np.random.default_rng(0)
    maps = random.uniform(size=(20, 3, 3, 4))
    slopes = random.normal(size=maps.shape)
    scores = (maps * slopes).sum(axis=(1, 2, 3)) + 0.3
    modes = DecisionModes.from_maps(maps, slopes, scores)
    tree = DecisionTree().fit_modes(modes)
    known = tree.scaling_(modes)
    added = known.vectors * known.gradients * known.lengths[:, None]
    np.testing.assert_allclose(added, (maps * slopes).sum(axis=(1, 2)))


def test_a_small_node_keeps_the_filters_of_the_node_above(modes):
    tree = DecisionTree(selection="lasso", penalty=3e-3, beta=100.0).fit_modes(modes)
    structure = tree.structure_
    assert 0 < structure.selected[structure.root].sum() < 12
    for node in range(len(structure) - 1):
        if 1 < structure.count[node] <= 12:
            above = structure.selected[structure.parent[node]]
            np.testing.assert_array_equal(structure.selected[node], above)
        if structure.count[node] == 1:
            assert structure.selected[node].all()


def test_a_silent_filter_has_its_gradient_of_other_images():
    maps = np.zeros((4, 2, 2, 2))
    maps[:, 0, 0, 0] = maps[:3, 1, 1, 1] = 1.0
    slopes = np.zeros_like(maps)
    # A pooling would send the gradient of the silent map to its first position.
    slopes[:, 0, 0, 0] = slopes[3, 0, 0, 1] = 1.0
    slopes[:3, 1, 1, 1] = 3.0
    scores = (maps * slopes).sum(axis=(1, 2, 3))
    modes = DecisionModes.from_maps(maps, slopes, scores)
    tree = DecisionTree().fit_modes(modes)
    known = tree.scaling_(modes)
    gradients = known.gradients * known.lengths[:, None]
    np.testing.assert_allclose(gradients, np.repeat(gradients[:1], 4, axis=0))
    np.testing.assert_allclose(gradients[0] / tree.scaling_.scale, [1.0, 3.0])
