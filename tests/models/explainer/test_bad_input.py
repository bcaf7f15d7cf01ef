"""What an explainer refuses, and what it makes of odd networks and pictures."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.models.explainer import _features

LAYERS = keras.layers
Explainer = ki.models.Explainer


def trained(explainer, x, y=None, optimizer=None, **keywords):
    explainer.compile(optimizer, run_eagerly=True)
    log = explainer.fit(x, y, batch_size=16, verbose=0, **keywords).history
    assert all(np.isfinite(values).all() for values in log.values()), log
    for weight in explainer.weights:
        assert np.isfinite(ops.convert_to_numpy(weight)).all(), weight.path
    return log


def assert_finite_answers(explainer, pictures):
    assert np.isfinite(explainer.predict_on_batch(pictures)).all()
    for vectors in explainer.reconstruct(pictures).values():
        assert np.isfinite(vectors).all()
    encoding = explainer.encode(pictures)
    assert np.isfinite(encoding.part_maps).all()
    assert np.isfinite(encoding.interpretable + encoding.ordinary).all()
    return encoding


# What is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"initialization": "random"}, r"'identity', 'paper'.*'random'"),
        ({"objective": "labels"}, r"'reconstruction', 'classification'.*'labels'"),
        ({"restore": "mean"}, r"'scalar', 'channel'.*'mean'"),
        ({"filters": 0}, "filters.*positive integer.*0"),
        ({"filters": 8.0}, "filters.*positive integer.*8.0"),
        ({"filters": True}, "filters.*positive integer.*True"),
        ({"fraction": 1.5}, "fraction.*1.5"),
        ({"filter_loss": "best"}, "filter_loss.*'best'"),
        ({"filter_loss_weight": -1.0}, "filter_loss_weight.*-1.0"),
        ({"filter_loss_balance": -1.0}, "filter_loss_balance.*-1.0"),
        ({"norm": "l3"}, "norm.*l3"),
        ({"peak": "mean"}, "peak.*mean"),
        ({"scale": "own"}, "scale.*own"),
        ({"weight_schedule": "linear"}, "weight_schedule.*linear"),
        ({"ratio_reward": -0.1}, "reward.*-0.1"),
        ({"reconstruction_weight": -1.0}, "weight.*-1.0"),
        ({"reconstruction_power": 3}, "power.*3"),
        ({"norm_momentum": 1.0}, "momentum.*1.0"),
        ({"norm_floor": -1.0}, "floor.*-1.0"),
        (
            {"filter_loss_balance": 0.5, "objective": "classification"},
            "filter_loss_balance=None with objective='classification'",
        ),
        (
            {"filter_loss": "parts", "filter_loss_balance": 0.5},
            "filter_loss_balance=None with filter_loss='parts'.*0.5",
        ),
        (
            {"filter_loss": "parts", "scale": "paper"},
            "scale='peak' with filter_loss='parts'.*'paper'",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_settings(performer, settings, reason):
    with pytest.raises(ValueError, match=reason):
        Explainer(performer(), "relu2", **settings)


def test_wrong_layers(performer):
    model = performer()
    with pytest.raises(ValueError, match="'relu9'.*'relu1', 'relu2', 'relu3'"):
        Explainer(model, "relu9")
    with pytest.raises(ValueError, match=r"maps \(batch, height.*'conv1'"):
        Explainer(model, "fc6")
    with pytest.raises(ValueError, match="rebuilt_layers.*'relu3'"):
        Explainer(model, "relu2", rebuilt_layers=["relu3"])


def chain(*layers, size=(16, 16, 3)):
    return keras.Sequential([keras.Input(size), *layers], name="chain")


def test_a_target_of_another_size():
    """The dense layer takes as many numbers as the last convolution's maps have."""
    model = chain(
        LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="low"),
        LAYERS.Conv2D(4, 3, strides=2, activation="relu", name="half"),
        LAYERS.Conv2D(4, 3, activation="relu", name="top"),
        LAYERS.Flatten(name="flat"),
        LAYERS.Dense(5, activation="relu", name="hidden"),
        LAYERS.Dense(2, name="scores"),
    )
    for target in ("low", "half"):
        with pytest.raises(ValueError, match=r"'low'|'half'.*\(5, 5\) cells"):
            Explainer(model, target)
    assert Explainer(model, "top").output_shape == (None, 2)


def test_too_many_flattened_maps():
    model = chain(
        LAYERS.Conv2D(16, 3, padding="same", activation="relu", name="conv"),
        LAYERS.Flatten(name="flat"),
        LAYERS.Dense(2, activation="softmax", name="scores"),
        size=(40, 40, 3),
    )
    with pytest.raises(ValueError, match=r"25600 numbers.*rebuilt_layers=\['scores'\]"):
        Explainer(model, "conv")
    explainer = Explainer(model, "conv", rebuilt_layers=["scores"])
    assert explainer.get_layer("fc_dec_1").kernel.shape == (25600, 2)


def test_rebuilt_features_that_the_output_does_not_come_from_alone():
    inputs = keras.Input((16, 16, 3))
    x = LAYERS.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = LAYERS.GlobalAveragePooling2D(name="mean")(x)
    side = LAYERS.Dense(4, activation="relu", name="side")(x)
    outputs = LAYERS.Dense(2, name="scores")(LAYERS.Add(name="sum")([x, side]))
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="does not come from 'side' alone"):
        Explainer(model, "conv", rebuilt_layers=["side"])
    assert Explainer(model, "conv").rebuilt_layers == ["mean"]


@pytest.mark.parametrize("empty", [[], {}], ids=["pictures", "features"])
def test_no_pictures(performer, scenes, empty):
    explainer = Explainer(performer(), "relu2")
    given = scenes[:0]
    if empty == {}:
        features = explainer.performer_features(scenes)
        given = {name: values[:0] for name, values in features.items()}
    else:
        with pytest.raises(ValueError, match="at least one image"):
            explainer.performer_features(given)
    for ask in (explainer.reconstruct, explainer.encode):
        with pytest.raises(ValueError, match="at least one image"):
            ask(given)
    explainer.compile()
    if empty == []:
        with pytest.raises(ValueError, match="at least one image"):
            explainer.fit(given, cache_features=True, verbose=0)


def test_missing_features(performer, scenes):
    explainer = Explainer(performer(), "relu2")
    features = explainer.performer_features(scenes)
    del features["rebuilt_1"]
    for ask in (explainer, explainer.reconstruct, explainer.encode):
        with pytest.raises(ValueError, match=r"Missing: \['rebuilt_1'\]"):
            ask(features)


def test_features_of_another_layer(performer, scenes):
    features = Explainer(performer(), "relu1").performer_features(scenes)
    with pytest.raises(ValueError, match="incompatible|shape"):
        Explainer(performer(), "relu2").reconstruct(features)


def test_as_many_labels_as_pictures(performer, scenes):
    explainer = Explainer(performer(), "relu2", objective="classification")
    explainer.compile()
    with pytest.raises(ValueError, match="16 images and 3 labels"):
        explainer.fit(scenes, np.arange(3), cache_features=True, verbose=0)


def test_data_that_cannot_be_cached(performer, scenes):
    tf = pytest.importorskip("tensorflow")
    explainer = Explainer(performer(), "relu2")
    explainer.compile()
    weighted = (scenes, np.arange(16) % 3, np.ones(16, "float32"))
    data = tf.data.Dataset.from_tensor_slices(weighted).batch(8)
    with pytest.raises(ValueError, match="sample weights.*cache_features=False"):
        explainer.fit(data, cache_features=True, verbose=0)
    endless = tf.data.Dataset.from_tensor_slices(scenes).batch(8).repeat()
    with pytest.raises(ValueError, match=r"repeats for ever.*repeat\(\)"):
        explainer.fit(endless, cache_features=True, steps_per_epoch=2, verbose=0)


def test_a_disk_that_is_full(performer, scenes, monkeypatch, tmp_path):
    explainer = Explainer(performer(), "relu2")
    explainer.compile()
    monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 10_000)
    usage = _features.shutil.disk_usage(tmp_path)._replace(free=20_000)
    monkeypatch.setattr(_features.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="only 0 MiB are free.*cache_folder"):
        explainer.fit(scenes, cache_features=True, cache_folder=tmp_path, verbose=0)
    assert list(tmp_path.iterdir()) == []


def test_a_balance_needs_pictures_before_training(performer, scenes):
    explainer = Explainer(performer(), "relu2", filter_loss_balance=2 / 3)
    batches = ((batch,) for batch in (scenes[:8], scenes[8:]))
    explainer.compile()
    with pytest.raises(ValueError, match="iterator.*FilterLossBalance"):
        explainer.fit(batches, verbose=0)


# Odd networks and pictures ------------------------------------------------------


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_performer_of_mixed_precision(performer, scenes, policy):
    explainer = Explainer(performer(policy=policy), "relu2")
    own = [layer for layer in explainer.layers if "performer" not in layer.name]
    assert {layer.compute_dtype for layer in own} == {"float32"}
    for cached in (False, True):
        trained(explainer, scenes, cache_features=cached)
    encoding = assert_finite_answers(explainer, scenes)
    assert encoding.part_maps.dtype == "float32"
    features = explainer.performer_features(scenes)
    kept = "float16" if policy == "mixed_float16" else "float32"
    assert {values.dtype.name for values in features.values()} == {kept, "int32"}
    # It does what the same performer in single precision does, roughly.
    single = performer().predict_on_batch(scenes)
    np.testing.assert_allclose(
        explainer.performer.predict_on_batch(scenes), single, atol=0.1
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_everywhere(performer, scenes, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        explainer = Explainer(performer(), "relu2")
        assert explainer.get_layer("conv_interp_2").compute_dtype in policy
        old = [np.array(ops.convert_to_numpy(v)) for v in explainer.trainable_variables]
        # Keras begins with a scale that is too large, and halves it step by step.
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), 16.0)
        trained(explainer, scenes, optimizer=scaled)
        new = [ops.convert_to_numpy(v) for v in explainer.trainable_variables]
        assert any((a != b).any() for a, b in zip(old, new, strict=True))
        encoding = assert_finite_answers(explainer, scenes)
        assert encoding.interpretable.dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    ("dead", "settings"),
    [
        (1, {}),
        (1, {"norm_floor": 0.0, "restore": "channel"}),
        (8, {}),
        (8, {"fraction": 1.0, "norm_floor": 0.0}),
    ],
    ids=["one", "one without a floor", "all", "all without a floor"],
)
def test_dead_channels(performer, scenes, dead, settings):
    model = performer()
    norm = model.get_layer("bn3")
    gamma, beta, mean, variance = norm.get_weights()
    gamma[:dead], beta[:dead] = 0.0, -1.0
    norm.set_weights([gamma, beta, mean, variance])
    explainer = Explainer(model, "relu2", **settings)
    assert explainer.encode(scenes).part_maps[..., :dead].max() < 0.2
    trained(explainer, scenes, epochs=2)
    encoding = assert_finite_answers(explainer, scenes)
    assert (encoding.dead_filters == 1.0) is (dead == 8)


def test_a_silent_performer(performer, scenes):
    """Features that are all zero have no share that could be missing."""
    model = performer()
    for name in ("fc6", "fc7"):
        layer = model.get_layer(name)
        layer.bias.assign(np.full(layer.bias.shape, -100.0))
    explainer = Explainer(model, "relu2")
    trained(explainer, scenes)
    assert_finite_answers(explainer, scenes)


@pytest.mark.parametrize(
    ("classes", "end", "bias", "loss"),
    [
        (1, "sigmoid", -1000.0, "posterior"),
        (1, "sigmoid", 1000.0, "posterior"),
        (1, "linear", -1000.0, "approx"),
        (3, "softmax", 1000.0, "posterior"),
        (3, "softmax", 1000.0, "authors"),
    ],
)
def test_pictures_of_one_category(performer, scenes, classes, end, bias, loss):
    model = performer(classes, end)
    biases = np.zeros(classes)
    biases[0] = bias
    model.get_layer("fc8").bias.assign(biases)
    explainer = Explainer(model, "relu2", filter_loss=loss)
    decided = explainer.performer_features(scenes)["category"]
    assert set(decided.tolist()) == {int(classes == 1 and bias > 0)}
    trained(explainer, scenes)
    assert_finite_answers(explainer, scenes)


def test_negatives_alone_then_positives(performer, scenes):
    """The norm layers learn from positive pictures; none in the first batches."""
    explainer = Explainer(performer(1, "sigmoid"), "relu2")
    positive = explainer.performer_features(scenes)["category"] == 1
    tracks = explainer.get_layer("tracks")
    trained(explainer, scenes[~positive])
    for norm in (tracks.norm_interpretable, tracks.norm_ordinary):
        np.testing.assert_array_equal(ops.convert_to_numpy(norm.alpha), 0)
    assert_finite_answers(explainer, scenes)
    trained(explainer, scenes[positive])
    for norm in (tracks.norm_interpretable, tracks.norm_ordinary):
        assert ops.convert_to_numpy(norm.alpha).max() > 0
    assert_finite_answers(explainer, scenes)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_pictures_that_are_all_alike(performer, value):
    explainer = Explainer(performer(), "relu2")
    pictures = np.full((8, 32, 32, 3), value, "float32")
    trained(explainer, pictures)
    assert_finite_answers(explainer, pictures)


def test_whole_numbers_as_pictures(seeded, rng):
    """A performer that scales bytes itself is given bytes."""
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = LAYERS.Rescaling(1 / 255)(inputs)
    x = LAYERS.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = LAYERS.GlobalMaxPooling2D(name="highest")(x)
    x = LAYERS.Dense(3, activation="softmax", name="scores")(x)
    model = seeded(keras.Model(inputs, x))
    explainer = Explainer(model, "conv")
    pictures = rng.integers(0, 256, (8, 16, 16, 3)).astype("uint8")
    for cached in (False, True):
        trained(explainer, pictures, cache_features=cached)
    np.testing.assert_array_equal(
        explainer.performer_features(pictures)["category"],
        model.predict_on_batch(pictures).argmax(axis=1),
    )
    assert_finite_answers(explainer, pictures)


@pytest.mark.slow
def test_double_precision_says_the_same(performer, scenes):
    single = Explainer(performer(), "relu2")
    weights = single.get_weights()
    single.compile()
    wanted = single.train_on_batch(scenes, return_dict=True)
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        double = Explainer(performer(), "relu2")
        double.set_weights(weights)
        double.compile()
        found = double.train_on_batch(scenes.astype("float64"), return_dict=True)
        assert_finite_answers(double, scenes)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy(policy)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
