"""What an explanation module reads, computes and learns."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki


def logits_of(network, images):
    scores = keras.Model(network.inputs, network.get_layer("scores").output)
    return scores.predict(images, verbose=0)


def test_it_reads_the_layer_and_the_logits_before_the_softmax(make, network, images):
    module = make(class_index=[2, 0])
    features, logits = module.features(images)
    np.testing.assert_allclose(features, ki.feature_maps(network, images, "fc6"))
    expected = logits_of(network, images)[:, [2, 0]]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert make(class_index=3).features(images[:5])[1].shape == (5,)


def test_the_logit_is_the_sum_of_the_contributions(trained, images):
    x_features = trained.x_features(images)
    weights = ops.convert_to_numpy(trained.feature_weights)
    contributions = trained.contributions(images)
    np.testing.assert_allclose(contributions, x_features * weights, rtol=1e-6)
    center = trained.features(images)[1].mean(axis=0)
    expected = contributions.sum(axis=-1) + center
    np.testing.assert_allclose(trained.predict(images), expected, atol=1e-4)
    called = ops.convert_to_numpy(trained(images))
    np.testing.assert_allclose(called, expected, atol=1e-4)


def test_features_stand_for_their_images(trained, images):
    features, logits = trained.features(images)
    for name in ("x_features", "contributions", "predict"):
        method = getattr(trained, name)
        np.testing.assert_allclose(method(features), method(images), atol=1e-5)
    found = trained.faithfulness(features, logits)
    assert found.value == pytest.approx(trained.faithfulness(images).value, rel=1e-4)


def test_training_brings_it_near_the_logits(trained, images):
    found = trained.faithfulness(images)
    _, logits = trained.features(images)
    mean = np.abs(logits - logits.mean(axis=0)).mean(axis=0)
    assert (found.per_output < 0.8 * mean).all()
    expected = np.abs(trained.predict(images) - logits).mean(axis=0)
    np.testing.assert_allclose(found.per_output, expected, rtol=1e-4)


def test_the_loss_is_equation_1(make, images):
    """Paper-literal: raw features and logits, no centre, the sum over the modules."""
    settings = {**ki.models.SRAE_PAPER_SETTINGS, "hidden_units": (12, 6)}
    settings |= {"weight_decay": 0.0, "pull_away": 2.0, "sparsity": 7.0}
    module = make([1, 2], **settings)
    features, logits = module.features(images)
    found = module(features)
    loss = module.compute_loss(features, logits, found)
    rebuilt, x_features = (
        ops.convert_to_numpy(found[name]) for name in ("rebuilt", "x_features")
    )
    weights = ops.convert_to_numpy(module.feature_weights)
    expected = 0.0
    for k in range(2):
        approximated = x_features[:, k] @ weights[k]
        errors = ((rebuilt[:, k] - features) ** 2).mean(axis=0)
        pull = ki.losses.pull_away_term(x_features[:, k] * weights[k])
        expected += ((approximated - logits[:, k]) ** 2).mean()
        expected += 10.0 * np.log1p(7.0 * errors).mean() + 2.0 * float(pull)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("reconstruction", ["mse", None])
def test_the_loss_of_the_baselines(make, images, reconstruction):
    module = make(reconstruction=reconstruction, weight_decay=0.0, standardize=False)
    features, logits = module.features(images)
    found = module(features)
    loss = module.compute_loss(features, logits[:, None], found)
    rebuilt = ops.convert_to_numpy(found["rebuilt"])[:, 0]
    approximated = ops.convert_to_numpy(found["logits"])[:, 0]
    expected = ((approximated - logits) ** 2).mean()
    if reconstruction == "mse":
        expected += 10.0 * ((rebuilt - features) ** 2).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_weight_decay_is_half_the_squared_length(make, images):
    losses = []
    for rate in (0.0, 0.2):
        module = make(weight_decay=rate, seed=5)
        features, logits = module.features(images)
        losses.append(
            float(module.compute_loss(features, logits[:, None], module(features)))
        )
    squares = sum(
        (ops.convert_to_numpy(v) ** 2).sum() for v in module.trainable_variables
    )
    assert losses[1] - losses[0] == pytest.approx(0.1 * squares, rel=1e-3)


def test_units_that_never_fire_are_left_out(make, images):
    module = make()
    features, logits = module.features(images)
    features = features.copy()
    features[:, 3] = 0.0
    module.fit_features(features, logits, epochs=1, verbose=0)
    scaled = ops.convert_to_numpy(module.scaled(features))
    assert (scaled[:, 3] == 0).all()
    live = features.std(axis=0) > 0
    np.testing.assert_allclose(scaled[:, live].std(axis=0), 1.0, rtol=1e-3)
    # What a dead unit is rebuilt as costs nothing.
    found = module(features)
    moved = {**found, "rebuilt": found["rebuilt"] + np.eye(20, dtype="float32")[3]}
    y = logits[:, None]
    same = [float(module.compute_loss(features, y, f)) for f in (found, moved)]
    assert same[0] == pytest.approx(same[1], rel=1e-6)


def test_the_network_stays_as_it_was(make, network, images):
    before = [ops.convert_to_numpy(v) for v in network.variables]
    module = make()
    module.fit(images, epochs=1, verbose=0)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)
    own = len(module.srae.trainable_variables) + 1
    assert len(module.trainable_variables) == own
    assert network.trainable


def test_several_classes_learn_as_each_would_alone(network, images):
    """From the same weights, in the same order, without dropout."""
    options = {"hidden_units": (12, 6), "pretraining": None, "dropout": 0.0}
    together = ki.models.ExplanationModule(network, "fc6", [1, 2], **options)
    starts = [ops.convert_to_numpy(v) for v in together.trainable_variables]
    together.compile()
    together.fit(images, epochs=3, batch_size=20, shuffle=False, verbose=0)
    expected = together.predict(images)
    alone = ki.models.ExplanationModule(network, "fc6", 2, **options)
    for variable, start in zip(alone.trainable_variables, starts, strict=True):
        variable.assign(start[1:])
    alone.compile()
    alone.fit(images, epochs=3, batch_size=20, shuffle=False, verbose=0)
    found = alone.predict(images)
    assert found.shape == (40,)
    np.testing.assert_allclose(found, expected[:, 1], atol=1e-3)


def test_the_log_and_the_evaluation(make, images):
    module = make(class_index=[0, 1])
    history = module.fit(images, images[:7], epochs=2, verbose=0).history
    names = {"loss", "faithfulness", "reconstruction"}
    assert set(history) == names | {f"val_{n}" for n in names} | {"learning_rate"}
    found = module.evaluate(images[:7], verbose=0, return_dict=True)
    assert found["faithfulness"] == pytest.approx(
        module.faithfulness(images[:7]).value, rel=1e-3
    )
    assert found["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-3)


def test_the_learning_rate_falls_only_where_none_was_given(make, images):
    features, logits = make().features(images)
    module = make(pretraining=None)
    history = module.fit_features(features, logits, epochs=10, verbose=0).history
    expected = [1e-3] * 6 + [1e-4] * 3 + [1e-5]
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-5)
    module = make(pretraining=None)
    module.compile(keras.optimizers.SGD(0.5e-3))
    assert (
        "learning_rate"
        not in module.fit_features(features, logits, epochs=2, verbose=0).history
    )


def test_layerwise_pretraining_brings_each_pair_of_layers_nearer(make, images):
    features, logits = make().features(images)
    errors = []
    for epochs in (0, 30):
        module = make(pretraining="layerwise", pretraining_epochs=epochs, seed=4)
        # With a learning rate of 0 nothing but that phase, of its own Adam, moves.
        module.compile(keras.optimizers.SGD(0.0))
        module.fit_features(features, logits, epochs=1, batch_size=20, verbose=0)
        found = module.srae.layerwise_errors(module.scaled(features))
        errors.append(float(ops.convert_to_numpy(found)[0]))
    assert errors[1] < 0.8 * errors[0]


def test_least_squares_start_from_the_pretrained_x_features(make, images):
    features, logits = make().features(images)
    module = make(pretraining="reconstruction", dropout=0.0)
    module.compile(keras.optimizers.SGD(0.0))
    module.fit_features(features, logits, epochs=1, verbose=0)
    x_features = module.x_features(features)
    weights = ops.convert_to_numpy(module.feature_weights)[0]
    residual = logits - logits.mean() - x_features @ weights
    slope = x_features.T @ residual - 1e-3 * (x_features**2).mean() * weights
    scale = np.abs(x_features.T @ (logits - logits.mean())).max()
    assert np.abs(slope).max() < 0.2 * scale


def test_rounds_strengthen_the_modules_that_were_not_accepted(make, images, capsys):
    module = make([0, 1, 2, 3], rounds=3, pretraining=None, pull_away=1.0)
    module.fit(images, epochs=1, batch_size=20, verbose=2)
    said = capsys.readouterr().out
    mean = module.contributions(images).mean(axis=0)
    ordered = np.sort(mean, axis=-1)[:, ::-1]
    accepted = ((mean > 0).sum(axis=-1) >= 2) & (ordered[:, 1] >= 0.3 * ordered[:, 0])
    np.testing.assert_array_equal(module.accepted, accepted)
    assert ("round 1" in said) or accepted.all()


def test_a_second_fit_goes_on(make, images):
    module = make()
    module.fit(images, epochs=2, verbose=0)
    before = ops.convert_to_numpy(module.srae.encoder_kernels[0])
    module.compile(keras.optimizers.SGD(0.0))
    module.fit(images, epochs=1, verbose=0)
    after = ops.convert_to_numpy(module.srae.encoder_kernels[0])
    np.testing.assert_array_equal(before, after)


def test_mixed_precision(network, images):
    module = ki.models.ExplanationModule(
        network, "fc6", 1, hidden_units=(12, 6), dtype="mixed_float16"
    )
    module.compile()
    history = module.fit(images, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert module.predict(images).dtype == "float32"


def test_it_stands_beside_an_explainer_of_the_same_network(make, network, images):
    """Keras makes the bases of a functional model, which that is, functional."""
    ki.models.Explainer(network, "conv2", filters=4)
    assert make(class_index=3).predict(images[:2]).shape == (2,)
    assert make().trainable_variables


def test_maps_and_subclassed_networks(images):
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.conv = keras.layers.Conv2D(4, 5, 3, activation="relu", name="conv")
            self.pool = keras.layers.GlobalMaxPooling2D(name="pool")
            self.scores = keras.layers.Dense(3, name="scores")

        def call(self, inputs):
            return self.scores(self.pool(self.conv(inputs)))

    network = Own()
    network(images[:1])
    for layer, units in (("pool", 4), ("conv", 4 * 3 * 3)):
        module = ki.models.ExplanationModule(
            network, layer, [0, 2], hidden_units=(8,), pretraining_epochs=1
        )
        module.compile()
        module.fit(images, epochs=1, verbose=0)
        assert module.features(images[:2])[0].shape == (2, units)
        assert np.isfinite(module.predict(images)).all()


def test_data_sets_of_batches(make, images):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return images[10 * index : 10 * index + 10], np.zeros(10)

    module = make()
    features, logits = module.features(Batches())
    expected = module.features(images)
    np.testing.assert_allclose(features, expected[0], atol=1e-6)
    np.testing.assert_allclose(logits, expected[1], atol=1e-6)
    module.fit(Batches(), Batches(), epochs=1, verbose=0)
