"""The explanatory graph: from maps to nodes, files, and what it refuses."""

import json

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.graphs import ExplanatoryGraph

LOW = ki.ReceptiveField(size=20, stride=4, start=2)
HIGH = ki.ReceptiveField(size=60, stride=8, start=4)
FIELDS = {"low": LOW, "high": HIGH}
SIZE = 64
IMAGES = 40


def bump(field, side, places):
    """Maps `(N, side, side)` with a blob at each place `(N, 2)` in pixels."""
    offsets = field.centers(side, side) - places[:, None, None]
    return np.exp(-0.5 * (offsets**2).sum(-1) / (0.7 * field.stride) ** 2)


@pytest.fixture(scope="module")
def parts():
    """A head and a tail `(N, 2, 2)` that move by themselves, in pixels."""
    rng = np.random.default_rng(3)
    return np.array([[18.0, 18.0], [46.0, 44.0]]) + rng.uniform(-6, 6, (IMAGES, 2, 2))


@pytest.fixture(scope="module")
def maps(parts):
    """Below one filter that fires on both parts; above a filter for each of them.

    The second filter below never fires.
    """
    both = bump(LOW, 16, parts[:, 0]) + bump(LOW, 16, parts[:, 1])
    low = np.stack([both, np.zeros_like(both)], axis=-1)
    high = np.stack([bump(HIGH, 8, parts[:, part]) for part in range(2)], axis=-1)
    return {"low": low.astype("float32"), "high": high.astype("float32")}


@pytest.fixture(scope="module")
def graph(maps):
    graph = ExplanatoryGraph(parents=2, iterations=8)
    return graph.fit_maps(maps, FIELDS, SIZE, verbose=0)


def arrays_of(graph):
    table = graph.nodes
    return [table.means, table.sigmas, table.strengths, table.edges]


def assert_same(one, other):
    for left, right in zip(arrays_of(one), arrays_of(other), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_filter_of_two_parts_is_separated_into_two_nodes(graph, maps, parts):
    """The filter's own peak jumps between the parts; a node follows one of them."""
    found = graph.infer_maps(maps)
    nodes = found.of_layer("low")
    filter_peaks, scores = ki.metrics.positions_and_scores(maps["low"][..., :1], LOW)
    jumping = ki.metrics.tracking(filter_peaks, scores, parts, SIZE)
    nodes_track = ki.metrics.tracking(
        found.located[:, nodes], found.strengths[:, nodes], parts, SIZE
    )
    assert jumping.value < 0.5
    for part in range(2):
        assert np.nanmax(nodes_track.per_part[:, part]) > 0.9
    # One node stays with the head, another with the tail, and none with both.
    apart = np.linalg.norm(found.positions[:, nodes, None] - parts[:, None], axis=-1)
    near = (apart < 5).mean(axis=0)
    assert (near.max(axis=0) > 0.9).all()
    assert near.min(axis=1).max() < 0.1


def test_parents_are_nodes_that_move_along(graph, maps, parts):
    """Parents of the best node of a part belong to the filter of that part."""
    found, table = graph.infer_maps(maps), graph.nodes
    low = found.of_layer("low")
    for part in range(2):
        apart = np.linalg.norm(found.positions[:, low] - parts[:, [part]], axis=-1)
        child = low[apart.mean(axis=0).argmin()]
        parents = table.edges[table.edges[:, 1] == child, 0]
        assert len(parents) == 2
        assert (table.filters[parents] == part).all()
        assert (table.layers[parents] == "high").all()


def test_filters_that_never_fire_have_no_nodes(graph):
    table = graph.nodes
    assert set(table.filters[table.layers == "low"]) == {0}
    assert set(table.filters[table.layers == "high"]) == {0, 1}


def test_counts_follow_the_published_densities():
    """H.2: 40, 20 and 10 nodes for maps of 28, 14 and 7 units a side."""
    rng = np.random.default_rng(0)
    for side, wanted in ((28, 40), (14, 20), (7, 10)):
        maps = {"conv": rng.random((2, side, side, 1), "float32")}
        field = ki.ReceptiveField(size=9, stride=224 / side, start=0)
        graph = ExplanatoryGraph(iterations=1)
        graph.fit_maps(maps, {"conv": field}, 224, verbose=0)
        assert len(graph.nodes) == wanted


def test_chunks_change_nothing(graph, maps):
    one = ExplanatoryGraph(parents=2, iterations=8, filters_at_once=1)
    assert_same(graph, one.fit_maps(maps, FIELDS, SIZE, verbose=0))
    alone = [graph.infer_maps({k: v[[i]] for k, v in maps.items()}) for i in (0, 5)]
    together = graph.infer_maps(maps)
    for index, found in zip((0, 5), alone, strict=True):
        np.testing.assert_allclose(found.positions[0], together.positions[index])
        np.testing.assert_allclose(found.strengths[0], together.strengths[index])


def test_the_seed_decides(graph, maps):
    same = ExplanatoryGraph(parents=2, iterations=8)
    assert_same(graph, same.fit_maps(maps, FIELDS, SIZE, verbose=0))
    other = ExplanatoryGraph(parents=2, iterations=8, seed=1)
    other.fit_maps(maps, FIELDS, SIZE, verbose=0)
    assert not np.array_equal(other.nodes.means, graph.nodes.means)


def test_pixels_move_with_the_field(maps):
    """Strides of layers differ: a field shifted by 30 pixels shifts every node so."""
    fields = {
        "low": ki.ReceptiveField(20, 4, 32),
        "high": ki.ReceptiveField(60, 8, 34),
    }
    here = ExplanatoryGraph(parents=2, iterations=3)
    here.fit_maps(maps, FIELDS, SIZE, verbose=0)
    there = ExplanatoryGraph(parents=2, iterations=3)
    there.fit_maps(maps, fields, SIZE + 30, verbose=0)
    np.testing.assert_allclose(there.nodes.means, here.nodes.means + 30, atol=1e-3)
    np.testing.assert_array_equal(there.nodes.edges, here.nodes.edges)


def test_how_far_the_top_layer_looks_matters_and_is_saved(graph, maps, tmp_path):
    wide = ExplanatoryGraph(parents=2, iterations=8, top_search=0.45)
    wide.fit_maps(maps, FIELDS, SIZE, verbose=0)
    found = wide.infer_maps(maps)
    assert not np.array_equal(found.positions, graph.infer_maps(maps).positions)
    wide.save(tmp_path / "graph.npz")
    loaded = ExplanatoryGraph.load(tmp_path / "graph.npz")
    np.testing.assert_array_equal(loaded.infer_maps(maps).positions, found.positions)


def test_saved_and_loaded(graph, maps, tmp_path):
    path = tmp_path / "graph.npz"
    graph.save(path)
    loaded = ExplanatoryGraph.load(path)
    assert loaded.get_params() == graph.get_params()
    assert_same(loaded, graph)
    np.testing.assert_array_equal(
        loaded.infer_maps(maps).positions, graph.infer_maps(maps).positions
    )
    with np.load(path, allow_pickle=False) as content:
        about = json.loads(content["about"].tobytes())
    assert [layer["name"] for layer in about["layers"]] == ["high", "low"]
    assert [file.name for file in tmp_path.iterdir()] == ["graph.npz"]


class Stopped(Exception):
    """In place of somebody who stops a long run."""


@pytest.mark.parametrize("writes", [3, 9, 13])
def test_learning_goes_on_where_it_was_stopped(
    graph, maps, tmp_path, monkeypatch, writes
):
    from keras_interp.graphs.explanatory import _layer_by_layer as learning

    path, done = tmp_path / "half.npz", []
    write = learning.write_checkpoint

    def stop(*arguments):
        write(*arguments)
        done.append(None)
        if len(done) == writes:
            raise Stopped

    monkeypatch.setattr(learning, "write_checkpoint", stop)
    half = ExplanatoryGraph(parents=2, iterations=8)
    with pytest.raises(Stopped):
        half.fit_maps(maps, FIELDS, SIZE, checkpoint=path, verbose=0)
    monkeypatch.setattr(learning, "write_checkpoint", write)
    resumed = ExplanatoryGraph(parents=2, iterations=8)
    resumed.fit_maps(maps, FIELDS, SIZE, checkpoint=path, verbose=0)
    assert_same(resumed, graph)
    with pytest.raises(ValueError, match="same settings"):
        ExplanatoryGraph(parents=2, iterations=8, seed=1).fit_maps(
            maps, FIELDS, SIZE, checkpoint=path, verbose=0
        )


def test_to_networkx(graph):
    whole, table = graph.to_networkx(), graph.nodes
    assert whole.number_of_nodes() == len(table)
    assert whole.number_of_edges() == len(table.edges) == 2 * 23
    for parent, child in whole.edges:
        assert whole.nodes[parent]["layer"] == "high"
        assert whole.nodes[child]["layer"] == "low"
    assert whole.nodes[0]["x"] == pytest.approx(float(table.means[0, 0]))


def test_nodes_are_named_after_parts(graph, maps, parts, tmp_path):
    dataset = ki.datasets.PartsDataset(
        images=np.zeros((IMAGES, SIZE, SIZE, 3), "uint8"),
        labels=np.zeros(IMAGES, int),
        class_names=["bird"],
        landmarks=parts.astype("float32"),
        landmark_names=["head", "tail"],
    )
    named = ExplanatoryGraph(parents=2, iterations=8)
    named.fit_maps(maps, FIELDS, SIZE, verbose=0)
    names = named.name_parts(dataset, named.infer_maps(maps), radius=0.04)
    assert names.names == named.nodes.parts == named.infer_maps(maps).parts
    table = named.nodes
    found = {table.parts[i] for i in np.flatnonzero(table.layers == "low")}
    assert {"head", "tail"} <= found
    named.save(tmp_path / "named.npz")
    assert ExplanatoryGraph.load(tmp_path / "named.npz").nodes.parts == names.names


def test_a_picture_without_activation(graph, maps):
    """All strengths are 0, no position counts, and none is NaN."""
    blank = {name: np.zeros_like(array[:1]) for name, array in maps.items()}
    found = graph.infer_maps(blank).picture(0)
    assert (found.strengths == 0).all()
    assert np.isfinite(found.positions).all()
    assert np.isnan(found.located).all()
    assert len(found.strongest(5)) == 0
    # Among others it changes nothing but the mean.
    more = {k: np.concatenate([v, blank[k]]) for k, v in maps.items()}
    learnt = ExplanatoryGraph(parents=2, iterations=2)
    learnt.fit_maps(more, FIELDS, SIZE, verbose=0)
    assert all(np.isfinite(array).all() for array in arrays_of(learnt))


def small_model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="first"),
            keras.layers.Conv2D(5, 3, strides=2, activation="relu", name="second"),
            keras.layers.GlobalAveragePooling2D(name="mean"),
        ]
    )


def test_learnt_from_a_model(tmp_path):
    model = small_model()
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype="uint8")

    def preprocess(batch):
        return batch.astype("float32") / 255

    graph = ExplanatoryGraph(iterations=2, parents=3)
    graph.fit(model, ["first", "second"], images, preprocess=preprocess, verbose=0)
    assert graph.layers == ("first", "second")
    maps = ki.feature_maps(model, preprocess(images), ["first", "second"])
    fields = {name: ki.receptive_field(model, name) for name in maps}
    by_maps = ExplanatoryGraph(iterations=2, parents=3)
    assert_same(graph, by_maps.fit_maps(maps, fields, 32, verbose=0))
    one = graph.infer(images[2])
    several = graph.infer(images)
    np.testing.assert_allclose(one.positions, several.positions[2], atol=1e-3)
    graph.save(tmp_path / "graph.npz")
    loaded = ExplanatoryGraph.load(tmp_path / "graph.npz")
    again = loaded.infer(images[2], model=model, preprocess=preprocess)
    np.testing.assert_allclose(one.positions, again.positions, atol=1e-3)
    with pytest.raises(ValueError, match="model=None"):
        loaded.infer(images[2])
    with pytest.raises(ValueError, match="Resize"):
        graph.infer(images[:, :20])
    with pytest.raises(ValueError, match="lowest to the highest"):
        graph.fit(model, ["second", "first"], images, verbose=0)
    with pytest.raises(ValueError, match="mean"):
        graph.fit(model, ["first", "mean"], images, verbose=0)
    with pytest.raises(ValueError, match="at least one"):
        graph.fit(model, ["first"], images[:0], verbose=0)


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        (ki.models.VGG16, ["relu4_2", "relu5_3"]),
        (ki.models.SqueezeNet, ["fire6", "fire9"]),
        (keras.applications.ResNet50, ["conv3_block4_out", "conv4_block6_out"]),
    ],
)
def test_layers_of_published_networks(network, layers):
    model = network(weights=None, include_top=False, input_shape=(64, 64, 3))
    images = np.random.default_rng(0).random((2, 64, 64, 3), "float32")
    graph = ExplanatoryGraph(filters=3, iterations=1)
    graph.fit(model, layers, images, verbose=0)
    assert graph.layers == tuple(layers)
    assert np.isfinite(graph.infer(images[0]).positions).all()


def test_progress_is_shown(maps, capsys):
    ExplanatoryGraph(iterations=1).fit_maps(
        {"high": maps["high"]}, FIELDS, SIZE, verbose=1
    )
    assert "Nodes of high: 12 for each of 2 filters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["low"].__setitem__((0, 0, 0, 0), np.nan), "'low'.*NaN"),
        (lambda m: m["high"].__setitem__(..., 0.0), "'high'.*above 0"),
        (lambda m: m.update(high=m["high"][:5]), "same images"),
        (lambda m: m.update(low=m["low"][0]), "'low'.*shape"),
        (lambda m: m.update(other=m["low"]), "receptive field for each"),
        (lambda m: m.update(low=m.pop("low")), "lowest to the highest"),
        (lambda m: m.clear(), "different names"),
    ],
)
def test_maps_that_do_not_fit_are_refused(maps, change, words):
    broken = {name: array.copy() for name, array in maps.items()}
    change(broken)
    with pytest.raises(ValueError, match=words):
        ExplanatoryGraph(iterations=1).fit_maps(broken, FIELDS, SIZE, verbose=0)


def test_other_maps_than_learnt_from_are_refused(graph, maps):
    with pytest.raises(ValueError, match="'low'"):
        graph.infer_maps({"high": maps["high"]})
    with pytest.raises(ValueError, match="of shape"):
        graph.infer_maps({**maps, "low": maps["low"][:, :9]})


@pytest.mark.parametrize(
    "argument",
    [
        {"filters": 0},
        {"density": 0.0},
        {"density": 1.5},
        {"parents": 0},
        {"parent_candidates": 2.5},
        {"iterations": True},
        {"background": 0.0},
        {"background": float("nan")},
        {"filters_at_once": -1},
        {"top_search": 0.0},
        {"top_search": 0.6},
    ],
)
def test_wrong_arguments_are_refused(argument):
    with pytest.raises(ValueError, match=next(iter(argument))):
        ExplanatoryGraph(**argument)
    with pytest.raises(ValueError, match=next(iter(argument))):
        ExplanatoryGraph().set_params(**argument)


def test_parameters_and_the_unlearnt_graph(tmp_path):
    graph = ExplanatoryGraph(seed=4).set_params(parents=3)
    assert graph.get_params()["parents"] == 3
    assert graph.get_params()["seed"] == 4
    with pytest.raises(ValueError, match="colour"):
        graph.set_params(colour=3)
    for ask in (graph.to_networkx, lambda: graph.save(tmp_path / "graph.npz")):
        with pytest.raises(ValueError, match="Call fit"):
            ask()
    (tmp_path / "other.npz").write_bytes(b"no graph")
    with pytest.raises(ValueError, match=r"other\.npz"):
        ExplanatoryGraph.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        ExplanatoryGraph.load(tmp_path / "none.npz")
