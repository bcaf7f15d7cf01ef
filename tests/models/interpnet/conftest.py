"""Pictures of three colours, and what is said of them."""

import keras
import numpy as np
import pytest

import keras_interp as ki

COLORS = ("red", "green", "blue")


@pytest.fixture(scope="session")
def colored():
    """Feature vectors, labels and two sentences each, of 24 pictures."""
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    features = np.eye(3)[labels].repeat(2, axis=1) + 0.1 * rng.normal(size=(24, 6))
    captions = [
        [f"this is a {COLORS[k]} bird.", f"a bird, and it is {COLORS[k]}."]
        for k in labels
    ]
    return features.astype("float32"), labels, captions


@pytest.fixture
def make_model(colored):
    """A function that makes an untrained InterpNet of the same weights each time."""
    vocabulary = ki.datasets.Vocabulary.from_sentences(colored[2])

    def make(**settings):
        # With this seed so small a classifier has live units on every backend.
        classifier = ki.models.interpnet_classifier(6, 3, (5, 4), seed=4)
        small = {"units": 16, "embedding_dim": 6, "projection": 8, "dropout": 0.1}
        return ki.models.InterpNet(
            classifier, vocabulary, seed=2, **{**small, "max_length": 12, **settings}
        )

    return make


@pytest.fixture(scope="session")
def trained_weights(colored):
    """Weights of a model that was trained on most of the pictures, and its history."""
    keras.utils.set_random_seed(0)
    features, labels, captions = colored
    vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
    classifier = ki.models.interpnet_classifier(6, 3, (5, 4), seed=4)
    model = ki.models.InterpNet(
        classifier,
        vocabulary,
        units=16,
        embedding_dim=6,
        projection=8,
        dropout=0.1,
        max_length=12,
        seed=2,
    )
    train, held = slice(0, 18), slice(18, 24)
    first = model.fit_classifier(
        features[train],
        labels[train],
        (features[held], labels[held]),
        epochs=12,
        batch_size=6,
        learning_rate=0.03,
        verbose=0,
    )
    before = [np.array(w) for w in classifier.get_weights()]
    second = model.fit_explainer(
        features[train],
        captions[train],
        (features[held], captions[held]),
        epochs=25,
        batch_size=6,
        learning_rate=0.03,
        verbose=0,
    )
    return model.get_weights(), (first, second), before


@pytest.fixture
def trained(make_model, trained_weights):
    model = make_model()
    model.set_weights(trained_weights[0])
    return model
