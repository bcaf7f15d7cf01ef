import copy
import math

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

LAYERS = keras.layers
Explainer = ki.models.Explainer
Encoding = ki.models.Encoding
LEARNT = [
    *(
        f"{name}/{kind}"
        for name in ("conv_interp_1", "conv_interp_2", "conv_ordinary")
        for kind in ("kernel", "bias")
    ),
    "tracks/ratio_logit",
    *(f"fc_dec_{number}/{kind}" for number in (1, 2) for kind in ("kernel", "bias")),
]


def arrays_of(model):
    return [np.array(ops.convert_to_numpy(v)) for v in model.variables]


def trained(explainer, scenes, labels=None, **keywords):
    """One step without a graph, which takes long to trace."""
    keywords = {"batch_size": 16, "verbose": 0, "shuffle": False, **keywords}
    if not explainer.compiled:
        explainer.compile(run_eagerly=True)
    return explainer.fit(scenes, labels, **keywords).history


# What is learnt and what is only read -------------------------------------------


def test_what_is_learnt(performer):
    explainer = Explainer(performer(), "relu2")
    paths = [variable.path for variable in explainer.trainable_variables]
    assert sorted(paths) == sorted(LEARNT)
    for kind in ("variables", "weights"):
        own = {id(v) for v in getattr(explainer.performer, kind)}
        assert not own & {id(v) for v in getattr(explainer, f"trainable_{kind}")}
        assert own <= {id(v) for v in getattr(explainer, f"non_trainable_{kind}")}
    everything = [*explainer.trainable_variables, *explainer.non_trainable_variables]
    assert len({id(v) for v in everything}) == len(everything)
    assert {id(v) for v in everything} == {id(v) for v in explainer.variables}


def test_a_frozen_explainer_learns_nothing(performer):
    explainer = Explainer(performer(), "relu2")
    explainer.get_layer("conv_ordinary").trainable = False
    assert len(explainer.trainable_variables) == len(LEARNT) - 2
    explainer.trainable = False
    assert explainer.trainable_variables == []


@pytest.mark.parametrize("objective", ["reconstruction", "classification"])
def test_the_performer_stays_as_it_is(performer, scenes, objective):
    model = performer()
    model.get_layer("conv2").trainable = False
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    labels = np.arange(16) % 3
    model.train_on_batch(scenes, labels)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    before = [np.array(ops.convert_to_numpy(v)) for v in variables]
    flags = [layer.trainable for layer in model.layers]
    compiled = copy.deepcopy(model.get_compile_config())
    learnt = [v.path for v in model.trainable_variables]
    explainer = Explainer(model, "relu2", objective=objective)
    own = arrays_of(explainer)
    trained(explainer, scenes, labels if objective == "classification" else None)
    explainer.predict(scenes, verbose=0)
    explainer.encode(scenes)
    assert any((a != b).any() for a, b in zip(arrays_of(explainer), own, strict=False))
    for variable, old in zip(variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)
    assert [layer.trainable for layer in model.layers] == flags
    assert model.get_compile_config() == compiled
    assert [v.path for v in model.trainable_variables] == learnt
    # It can go on learning by itself.
    model.train_on_batch(scenes, labels)
    assert (arrays_of(model)[0] != before[0]).any()


@pytest.mark.parametrize(("classes", "end"), [(1, "sigmoid"), (3, "softmax")])
def test_in_training_the_performer_does_as_in_inference(
    performer, scenes, classes, end
):
    """A step on pictures is the same as on features computed before: neither dropout
    nor the statistics of a batch norm are at work."""
    results = []
    for with_features in (False, True):
        keras.utils.set_random_seed(5)
        explainer = Explainer(performer(classes, end), "relu2")
        given = explainer.performer_features(scenes) if with_features else scenes
        log = trained(explainer, given)
        results.append((log["loss"], arrays_of(explainer)))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_an_interpretable_network_as_performer(scenes):
    """Its own filter losses need labels, which distillation has none of."""
    inputs = keras.Input((32, 32, 3))
    x = LAYERS.Conv2D(6, 5, strides=4, activation="relu", name="conv1")(inputs)
    x = ki.InterpretableConv(6, 3, name="parts", filter_loss="authors", padding="same")(
        x
    )
    x = LAYERS.GlobalMaxPooling2D(name="highest")(x)
    x = LAYERS.Dense(3, activation="softmax")(x)
    model = ki.models.InterpretableModel(inputs, x)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(scenes, np.arange(16) % 3)
    before = arrays_of(model)
    explainer = Explainer(model, "conv1")
    log = trained(explainer, scenes, validation_data=(scenes,))
    assert np.isfinite(log["loss"]).all()
    assert not [name for name in log if "parts" in name]
    for now, old in zip(arrays_of(model), before, strict=True):
        np.testing.assert_array_equal(now, old)


def test_penalties_of_the_performer_are_not_the_explainers(performer, scenes):
    losses = []
    for penalty in (None, keras.regularizers.L2(100.0)):
        keras.utils.set_random_seed(5)
        model = performer()
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                layer.kernel.regularizer = penalty
        assert bool(model.losses) is bool(penalty)
        explainer = Explainer(model, "relu2")
        assert explainer.losses == []
        losses.append(trained(explainer, scenes)["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


# What goes in and comes out -----------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "activation"),
    [(3, "softmax"), (3, "linear"), (1, "sigmoid"), (1, "linear"), (3, "sigmoid")],
)
def test_features_of_the_performer(performer, scenes, classes, activation):
    model = performer(classes, activation)
    explainer = Explainer(model, "conv2")
    found = explainer.performer_features(scenes, batch_size=5)
    assert list(found) == ["target", "rebuilt_0", "rebuilt_1", "category"]
    for name, layer in zip(found, ("relu2", "relu6", "relu7"), strict=False):
        view = keras.Model(model.inputs, model.get_layer(layer).output)
        np.testing.assert_allclose(
            found[name], view.predict_on_batch(scenes), rtol=1e-5, atol=1e-6
        )
        assert found[name].dtype == "float32"
    scores = model.predict_on_batch(scenes)
    expected = scores.argmax(axis=1)
    if classes == 1:
        expected = scores[:, 0] > (0.5 if activation == "sigmoid" else 0.0)
    assert 0 < np.mean(expected > 0) < 1
    np.testing.assert_array_equal(found["category"], expected)
    assert found["category"].dtype == "int32"
    assert explainer.performer_features(found) is found


def test_types_and_shapes(performer, scenes):
    explainer = Explainer(performer(), "relu2")
    trained(explainer, scenes)
    assert explainer.input_shape == (None, 32, 32, 3)
    assert explainer.output_shape == (None, 3)
    assert explainer.name == "performer_explainer"
    assert explainer.target_layer == "relu2"
    assert explainer.rebuilt_layers == ["fc6", "fc7"]
    assert explainer.interpretable_filters == 4
    assert isinstance(explainer.interpretable_ratio, float)
    rebuilt = explainer.reconstruct(scenes, batch_size=7)
    assert {k: v.shape for k, v in rebuilt.items()} == {
        "fc6": (16, 12),
        "fc7": (16, 10),
    }
    encoding = explainer.encode(scenes, batch_size=7)
    assert isinstance(encoding, Encoding)
    assert encoding.part_maps.shape == (16, 8, 8, 8)
    assert encoding.interpretable.shape == encoding.ordinary.shape == (16, 3, 3, 8)
    assert encoding.interpretable_filters == 4
    for array in (
        *rebuilt.values(),
        encoding.part_maps,
        encoding.interpretable,
        encoding.ordinary,
    ):
        assert isinstance(array, np.ndarray)
        assert array.dtype == "float32"


def test_pictures_and_their_features_give_the_same(performer, scenes):
    explainer = Explainer(performer(), "relu2")
    trained(explainer, scenes)
    features = explainer.performer_features(scenes)
    close = {"rtol": 1e-5, "atol": 1e-6}
    for name, vectors in explainer.reconstruct(features).items():
        np.testing.assert_allclose(
            vectors, explainer.reconstruct(scenes)[name], **close
        )
    one, other = explainer.encode(features), explainer.encode(scenes)
    for field in ("part_maps", "interpretable", "ordinary"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), **close)
    expected = explainer.predict(scenes, verbose=0)
    np.testing.assert_allclose(
        explainer.predict(features, verbose=0), expected, **close
    )
    found = ops.convert_to_numpy(explainer(features))
    np.testing.assert_allclose(found, expected, **close)
    # Those of another explainer of the same layer serve as well.
    other = Explainer(explainer.performer, "conv2", fraction=1.0)
    assert other.predict(features, verbose=0).shape == (16, 3)


def test_the_output_goes_through_the_rebuilt_features(performer, scenes):
    explainer = Explainer(performer(), "relu2")
    trained(explainer, scenes)
    model = explainer.performer
    vector = explainer.reconstruct(scenes)["fc7"]
    scores = vector @ model.get_layer("fc8").get_weights()[0]
    scores = scores + model.get_layer("fc8").get_weights()[1]
    np.testing.assert_allclose(
        explainer.predict_on_batch(scenes),
        ops.convert_to_numpy(ops.softmax(scores)),
        rtol=1e-4,
        atol=1e-6,
    )
    # decode gives the same as tensors.
    decoded = explainer.decode(explainer.performer_features(scenes))
    decoded = ops.convert_to_numpy(decoded[1])
    np.testing.assert_allclose(decoded, vector, rtol=1e-4, atol=1e-6)


def test_both_tracks_add_up_to_what_is_decoded(performer, scenes):
    explainer = Explainer(performer(), "relu2")
    trained(explainer, scenes)
    encoding = explainer.encode(scenes)
    encoded = (encoding.interpretable + encoding.ordinary).reshape(16, -1)
    kernel, bias = explainer.get_layer("fc_dec_1").get_weights()
    np.testing.assert_allclose(
        np.maximum(encoded @ kernel + bias, 0),
        explainer.reconstruct(scenes)["fc6"],
        rtol=1e-4,
        atol=1e-5,
    )
    # After training the two shares of the magnitude are p and 1 - p, roughly: the
    # running means stand for the batches that were seen.
    ratio = encoding.interpretable.mean() / (
        encoding.interpretable.mean() + encoding.ordinary.mean()
    )
    np.testing.assert_allclose(ratio, explainer.interpretable_ratio, atol=0.05)


def test_one_sample_and_a_batch_of_one(performer, scenes):
    explainer = Explainer(performer(1, "sigmoid"), "relu2")
    log = trained(explainer, scenes[:9], batch_size=8)
    assert np.isfinite(log["loss"]).all()
    assert explainer.predict(scenes[:1], verbose=0).shape == (1, 1)
    assert explainer.encode(scenes[:1]).part_maps.shape == (1, 8, 8, 8)


# Encoding -----------------------------------------------------------------------


def encoding(parts, interpretable, ordinary, filters):
    arrays = (
        np.asarray(values, "float32") for values in (parts, interpretable, ordinary)
    )
    return Encoding(*arrays, filters)


def test_masked_share_of_constructed_arrays():
    maps = np.ones((2, 1, 1, 3))
    # Masked filters 2 x (1 + 2), the whole 2 x (1 + 2 + 3) + 2 x 4.
    found = encoding(maps, [[1, 2, 3]] * 2, [[4, 0, 0]] * 2, 2)
    assert found.masked_share == pytest.approx(6 / 20)
    assert isinstance(found.masked_share, float)
    assert encoding(maps, [[1, 2, 3]] * 2, np.zeros((2, 3)), 3).masked_share == 1.0
    assert encoding(maps, [[1, 2, 3]] * 2, np.zeros((2, 3)), 0).masked_share == 0.0
    assert math.isnan(encoding(maps, [[0, 0, 0]], [[0, 0, 0]], 2).masked_share)


def test_dead_filters_of_constructed_arrays():
    maps = np.zeros((3, 2, 2, 5))
    maps[2, 0, 1, 1] = 0.1
    maps[:, :, :, 4] = 1.0
    none = np.zeros((3, 5))
    # The last one is alive, but not among the interpretable ones.
    assert encoding(maps, none, none, 4).dead_filters == 0.75
    assert encoding(maps, none, none, 5).dead_filters == pytest.approx(0.6)
    assert encoding(maps[:2], none, none, 4).dead_filters == 1.0
    assert isinstance(encoding(maps, none, none, 4).dead_filters, float)
    assert math.isnan(encoding(maps, none, none, 0).dead_filters)


# Settings -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "classes", "end", "reward"),
    [
        ("alexnet", 3, "softmax", 1e6),
        ("vgg_s", 1, "sigmoid", 1e6),
        ("vgg16", 1, "linear", 1.5e5),
    ],
)
def test_the_papers_settings(performer, scenes, net, classes, end, reward):
    settings = ki.models.EXPLAINER_PAPER_SETTINGS[net]
    assert settings["ratio_reward"] == reward
    explainer = Explainer(performer(classes, end), "relu2", **settings)
    assert explainer.interpretable_filters == 8
    log = trained(explainer, scenes)
    assert all(np.isfinite(values).all() for values in log.values())
    assert all(np.isfinite(values).all() for values in arrays_of(explainer))
    assert np.isfinite(explainer.predict_on_batch(scenes)).all()
    for mask in (
        explainer.get_layer("mask_interp_1"),
        explainer.get_layer("tracks").mask,
    ):
        assert float(mask.balance) > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"filter_loss": None},
        {"filter_loss": "exact", "fraction": 1.0, "norm": "l2", "peak": "centroid"},
        {"filter_loss": "authors", "weight_schedule": "inverse_epoch"},
        {"fraction": 0.0},
        {"on_mixture": False, "ratio_reward": 0.0},
        {"restore": "channel", "norm_floor": 0.0, "norm_momentum": 0.0},
        {"restore": None, "reconstruction_power": 1, "initialization": "paper"},
        {"filter_loss_balance": 2 / 3},
        {"filters": 4, "beta": 2.0},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_every_setting_trains(performer, scenes, settings):
    explainer = Explainer(performer(), "relu2", **settings)
    log = trained(explainer, scenes, validation_data=(scenes,))
    assert all(np.isfinite(values).all() for values in log.values())
    for name, value in settings.items():
        assert explainer.get_config()[name] == value
    names = {"interpretable_ratio", "reconstruction_fc6", "reconstruction_fc7", "loss"}
    assert names | {f"val_{name}" for name in names} <= set(log)
    with_loss = settings.get("filter_loss", "posterior") and settings.get("fraction", 1)
    assert ("tracks_filter_loss" in log) is bool(with_loss)
