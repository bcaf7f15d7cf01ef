"""Images of three colours, what is said of them, and small models of both kinds."""

import keras
import numpy as np
import pytest

import keras_interp as ki

COLORS = ("red", "green", "blue")
# Numbers of a small model.
SMALL = {"units": 12, "embedding_dim": 6, "max_length": 8}


def colored_images():
    """Feature vectors, labels and two sentences each, of 24 images."""
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    features = np.eye(3)[labels].repeat(2, axis=1) + 0.1 * rng.normal(size=(24, 6))
    captions = [
        [f"this is a {COLORS[k]} bird.", f"a bird, it is {COLORS[k]}."] for k in labels
    ]
    return features.astype("float32"), labels, captions


@pytest.fixture(scope="session")
def images():
    """Features, labels and captions of the training."""
    features, labels, captions = colored_images()
    return features[:18], labels[:18], captions[:18]


@pytest.fixture(scope="session")
def held_back():
    """Features, labels and captions of the validation."""
    features, labels, captions = colored_images()
    return features[18:], labels[18:], captions[18:]


@pytest.fixture(scope="session")
def vocabulary():
    return ki.datasets.Vocabulary.from_sentences(colored_images()[2])


@pytest.fixture(scope="session")
def sentence_classifier(vocabulary, images, held_back):
    """A trained one, which no test may change."""
    keras.utils.set_random_seed(0)
    model = ki.models.SentenceClassifier(vocabulary, 3, dropout=0.2, seed=1, **SMALL)
    model.fit_sentences(
        images[2],
        images[1],
        (held_back[2], held_back[1]),
        epochs=15,
        batch_size=6,
        learning_rate=0.02,
        verbose=0,
    )
    return model


@pytest.fixture(scope="session")
def relevance_weights(vocabulary, images, held_back):
    """Weights of a GVE after its first phase, and the history of that."""
    keras.utils.set_random_seed(0)
    model = ki.models.GVE(vocabulary, 3, 6, class_feature_dim=3, seed=2, **SMALL)
    history = model.fit_relevance(
        *images,
        held_back,
        epochs=20,
        batch_size=6,
        learning_rate=0.03,
        class_features=np.eye(3),
        verbose=0,
    )
    return model.get_weights(), history.history


@pytest.fixture
def trained(vocabulary, relevance_weights):
    """A GVE after its first phase."""
    model = ki.models.GVE(vocabulary, 3, 6, class_feature_dim=3, seed=2, **SMALL)
    model.set_weights(relevance_weights[0])
    return model
