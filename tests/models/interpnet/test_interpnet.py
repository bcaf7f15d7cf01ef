"""InterpNET: r(x), the two phases, and what is saved."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp import _backend

InterpNet = ki.models.InterpNet


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


# r(x) ---------------------------------------------------------------------------------


def test_r_is_the_features_the_hidden_activations_and_the_probabilities(
    make_model, colored
):
    model = make_model()
    features = colored[0]
    kernels = [numbers(w) for w in model.classifier.weights]
    first = np.maximum(features @ kernels[0] + kernels[1], 0)
    second = np.maximum(first @ kernels[2] + kernels[3], 0)
    scores = np.exp(second @ kernels[4] + kernels[5])
    expected = [features, first, second, scores / scores.sum(axis=-1, keepdims=True)]
    read = model.context(features, batch_size=7)
    np.testing.assert_allclose(read, np.concatenate(expected, axis=-1), atol=1e-5)
    assert read.dtype == np.float32
    names = [block.name for block in model.context_blocks]
    assert names == ["input", "hidden_1", "hidden_2", "probabilities"]
    for block, values in zip(model.context_blocks, expected, strict=True):
        np.testing.assert_allclose(read[:, block.slice], values, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "names", "width"),
    [
        ({"conditioning": "probabilities"}, ["probabilities"], 3),
        ({"conditioning": "input"}, ["input"], 6),
        ({"layer_names": ["hidden_2"]}, ["hidden_2", "probabilities"], 7),
        ({"layer_names": ["logits", "probabilities"]}, ["logits", "probabilities"], 6),
    ],
)
def test_the_variants(make_model, settings, names, width):
    model = make_model(**settings)
    assert [block.name for block in model.context_blocks] == names
    assert model.context_blocks[-1].stop == width


def test_blocks_can_be_brought_to_length_1(make_model, colored):
    model = make_model(normalize_blocks=True)
    read = model.context(colored[0])
    for block in model.context_blocks:
        lengths = np.linalg.norm(read[:, block.slice], axis=-1)
        np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)


def test_a_head_on_a_network_of_images(colored):
    """Inner models, dropout, activations of their own, and maps by name."""
    layers = keras.layers
    backbone = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, activation="relu", name="conv")],
        name="backbone",
    )
    classifier = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            backbone,
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dropout(0.5),
            layers.Dense(5),
            layers.ReLU(name="relu"),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax", name="classes"),
        ]
    )
    vocabulary = ki.datasets.Vocabulary(["bird"])
    small = {"units": 4, "embedding_dim": 3, "projection": 4}
    model = InterpNet(classifier, vocabulary, **small)
    images = np.random.default_rng(0).random((3, 8, 8, 3)).astype("float32")
    names = [block.name for block in model.context_blocks]
    assert names == ["pool", "relu", "probabilities"]
    read = model.context(images)
    maps = ki.feature_maps(classifier, images, "backbone/conv")
    np.testing.assert_allclose(read[:, :4], maps.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(read[:, -2:], numbers(classifier(images)), atol=1e-6)
    by_name = InterpNet(classifier, vocabulary, layer_names=["backbone/conv"], **small)
    np.testing.assert_allclose(
        by_name.context(images)[:, :4], maps.mean(axis=(1, 2)), atol=1e-5
    )


def test_no_gradient_reaches_the_classifier(make_model, colored):
    model = make_model()
    words, _ = model.vocabulary.encode([row[0] for row in colored[2]])
    features = ops.convert_to_tensor(colored[0])

    def total(inputs):
        return ops.sum(ops.square(model.word_logits(inputs, words)))

    assert float(total(features)) > 0
    try:
        slope = _backend.gradient(total, features)
    except RuntimeError as error:  # torch has no graph at all.
        assert "grad" in str(error)
    else:
        assert not slope.any()


# Training -----------------------------------------------------------------------------


def test_both_phases_learn_what_there_is_to_learn(trained_weights, trained, colored):
    features, labels, captions = colored
    first, second = trained_weights[1]
    assert max(first.history["val_accuracy"]) == 1.0
    assert min(second.history["val_loss"]) < 0.4
    # One of the 24 may be taken for another, and is then said to be that.
    found = trained.predict(features, verbose=0).argmax(axis=-1)
    assert np.mean(found == labels) > 0.9
    said = trained.explain(features)
    assert np.mean([said[i] in captions[i] for i in range(24)]) > 0.9


def test_the_second_phase_leaves_the_classifier_bit_for_bit(trained_weights, trained):
    for before, after in zip(
        trained_weights[2], trained.classifier.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_the_rate_is_halved_and_the_best_epoch_restored(make_model, colored):
    """A rate that is too high for anything to improve."""
    features, _, captions = colored
    model = make_model(dropout=0.0)
    history = model.fit_explainer(
        features[:18],
        captions[:18],
        (features[18:], captions[18:]),
        epochs=8,
        batch_size=9,
        learning_rate=2.0,
        verbose=0,
    ).history
    losses, rates = history["val_loss"], history["learning_rate"]
    for epoch in range(7):
        better = losses[epoch] <= min(losses[: epoch + 1])
        fresh = epoch == 0 or losses[epoch] < min(losses[:epoch])
        assert better == fresh
        assert rates[epoch + 1] == pytest.approx(rates[epoch] / (1 if fresh else 2))
    assert rates[-1] < 2.0
    words, lengths = model.vocabulary.encode(captions[18:])
    logits = model.word_logits(features[18:].repeat(2, axis=0), words)
    loss = numbers(ki.losses.sentence_loss(words, logits, lengths)).mean()
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_it_stops_when_nothing_improves(make_model, colored):
    features, _, captions = colored
    history = make_model().fit_explainer(
        features[:18],
        captions[:18],
        (features[18:], captions[18:]),
        epochs=50,
        batch_size=36,
        learning_rate=1e-12,
        patience=2,
        verbose=0,
    )
    assert len(history.epoch) < 10


@pytest.mark.slow
def test_an_interrupted_training_goes_on_where_it_was(make_model, colored, tmp_path):
    features, _, captions = colored
    path = tmp_path / "folder" / "training.npz"
    given = (features[:18], captions[:18], (features[18:], captions[18:]))
    options = {"batch_size": 6, "learning_rate": 0.01, "verbose": 0}
    whole = make_model()
    expected = whole.fit_explainer(*given, epochs=4, **options)
    first = make_model()
    first.fit_explainer(*given, epochs=2, checkpoint=path, **options)
    second = make_model()
    history = second.fit_explainer(*given, epochs=4, checkpoint=path, **options)
    assert [p.name for p in path.parent.iterdir()] == ["training.npz"]
    assert history.epoch == [0, 1, 2, 3]
    for name, values in expected.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-4)
    for one, other in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    with pytest.raises(ValueError, match="Expected a checkpoint of this training"):
        make_model().fit_explainer(
            *given, epochs=4, checkpoint=path, **{**options, "learning_rate": 0.02}
        )


def test_an_interruption_leaves_the_best_there_was(make_model, colored, monkeypatch):
    from keras_interp.models.interpnet import _training

    features, _, captions = colored
    model = make_model()
    losses = iter([1.0, 2.0, KeyboardInterrupt()])
    kept = []

    def figures(*_):
        found = next(losses)
        if isinstance(found, BaseException):
            raise found
        kept.append(model.decoder.get_weights())
        return found

    monkeypatch.setattr(_training.SentenceTraining, "sentence_losses", figures)
    with pytest.raises(KeyboardInterrupt):
        model.fit_explainer(
            features[:18], captions[:18], (features[18:], captions[18:]), verbose=0
        )
    for one, other in zip(kept[0], model.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# Saving -------------------------------------------------------------------------------


def test_a_saved_model_says_the_same(trained, colored, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.vocabulary == trained.vocabulary
    assert loaded.explain(colored[0]) == trained.explain(colored[0])
    np.testing.assert_array_equal(
        loaded.predict(colored[0], verbose=0), trained.predict(colored[0], verbose=0)
    )
    assert loaded.context_blocks == trained.context_blocks


def test_layers_are_counted_once(make_model):
    model = make_model()
    assert len({id(v) for v in model.variables}) == len(model.variables)
    assert len(model.trainable_variables) == 6 + 12
