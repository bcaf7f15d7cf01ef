"""Prints what a GVE of the active Keras backend says, and learns by REINFORCE.

Run with `KERAS_BACKEND` set and the path of an `.npz` file to write.
"""

from __future__ import annotations

import sys

import numpy as np

import keras_interp as ki


def fill(model, rng) -> None:
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))


def main() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(8, 4)).astype("float32")
    labels = np.arange(8) % 2
    captions = [[("a red bird.", "it is blue.")[label]] for label in labels]
    vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
    classifier = ki.models.SentenceClassifier(
        vocabulary, 2, units=4, embedding_dim=3, max_length=5
    )
    model = ki.models.GVE(
        vocabulary, 2, 4, units=4, embedding_dim=3, class_feature_dim=2, max_length=5
    )
    fill(classifier, rng)
    fill(model, rng)
    states = model.mean_hidden_states(features, labels, captions)
    said = model.explain(features, labels) + model.explain(features, labels, 2)
    train, held = slice(0, 6), slice(6, 8)
    history = model.fit_discriminative(
        features[train],
        labels[train],
        captions[train],
        classifier,
        (features[held], labels[held], captions[held]),
        epochs=2,
        batch_size=4,
        learning_rate=0.01,
        verbose=0,
    ).history
    np.savez(
        sys.argv[1],
        states=states,
        said=np.array(said),
        probabilities=classifier.predict_sentences(["a blue bird."]),
        weights=np.concatenate([np.ravel(w) for w in model.get_weights()]),
        **{name: np.array(values) for name, values in history.items()},
    )


if __name__ == "__main__":
    main()
