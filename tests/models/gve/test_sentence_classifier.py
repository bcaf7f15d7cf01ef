"""The classifier of sentences that gives the reward."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

SENTENCES = ["this is a red bird.", "a bird, it is green.", "this is blue."]


def test_it_learns_which_class_a_sentence_is_about(sentence_classifier):
    found = sentence_classifier.predict_sentences(SENTENCES)
    assert found.argmax(axis=-1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-5)


def test_the_class_is_read_at_the_last_word(sentence_classifier, vocabulary):
    """The LSTM by hand, in double, over the words alone."""
    words, lengths = vocabulary.encode(SENTENCES)
    embedded, kernel, recurrent, bias, dense, dense_bias = (
        np.asarray(w, "float64") for w in sentence_classifier.get_weights()
    )
    units = recurrent.shape[0]

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for row, length, probabilities in zip(
        words, lengths, sentence_classifier.predict_sentences(SENTENCES), strict=True
    ):
        output, memory = np.zeros(units), np.zeros(units)
        for word in row[:length]:
            gates = embedded[word] @ kernel + output @ recurrent + bias
            let_in, keep, new, let_out = np.split(gates, 4)
            memory = sigmoid(keep) * memory + sigmoid(let_in) * np.tanh(new)
            output = sigmoid(let_out) * np.tanh(memory)
        scores = np.exp(output @ dense + dense_bias)
        np.testing.assert_allclose(probabilities, scores / scores.sum(), atol=1e-5)


def test_what_follows_the_end_changes_nothing(sentence_classifier, vocabulary):
    words, _ = vocabulary.encode(SENTENCES)
    padded = np.pad(words, [(0, 0), (0, 5)])
    np.testing.assert_allclose(
        ops.convert_to_numpy(sentence_classifier(padded)),
        ops.convert_to_numpy(sentence_classifier(words)),
        atol=1e-6,
    )


def test_it_is_saved_with_its_words(sentence_classifier, tmp_path):
    path = tmp_path / "classifier.keras"
    sentence_classifier.save(path)
    loaded = keras.models.load_model(path)
    assert loaded.get_config() == sentence_classifier.get_config()
    np.testing.assert_array_equal(
        loaded.predict_sentences(SENTENCES),
        sentence_classifier.predict_sentences(SENTENCES),
    )


def test_a_seed_gives_the_same_classifier(vocabulary, images, held_back):
    def weights():
        model = ki.models.SentenceClassifier(
            vocabulary, 3, units=4, embedding_dim=3, seed=3
        )
        model.fit_sentences(
            images[2], images[1], (held_back[2], held_back[1]), 1, 6, seed=4, verbose=0
        )
        return model.get_weights()

    for one, other in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_ordinary_keras_model(vocabulary, images):
    model = ki.models.SentenceClassifier(vocabulary, 3, units=4, embedding_dim=3)
    assert model(keras.Input((None,), dtype="int32")).shape == (None, 3)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    words, _ = vocabulary.encode([row[0] for row in images[2]])
    model.fit(words, images[1], epochs=1, verbose=0)
    assert model.predict(words, verbose=0).shape == (18, 3)


def test_mixed_precision_gives_float32():
    vocabulary = ki.datasets.Vocabulary(["bird"])
    model = ki.models.SentenceClassifier(
        vocabulary, 2, units=4, embedding_dim=3, dtype="mixed_float16"
    )
    found = model(np.array([[3, 2]]))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(ops.sum(found)), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("words", 3), "Expected a keras_interp.datasets.Vocabulary"),
        ((None, 1), "Expected num_classes as an integer of 2 or more"),
        ((None, 3, {"units": 0}), "Expected units"),
        ((None, 3, {"max_length": 2.5}), "Expected max_length"),
        ((None, 3, {"dropout": 1.0}), "Expected dropout"),
    ],
)
def test_wrong_arguments_are_refused(vocabulary, arguments, message):
    given, classes, *settings = arguments
    with pytest.raises(ValueError, match=message):
        ki.models.SentenceClassifier(
            vocabulary if given is None else given, classes, **dict(*settings)
        )


def test_wrong_sentences_and_labels_are_refused(vocabulary, images, held_back):
    model = ki.models.SentenceClassifier(vocabulary, 3, units=4, embedding_dim=3)
    _, labels, captions = images
    others = held_back[2], held_back[1]
    with pytest.raises(ValueError, match="Expected labels as an integer from 0 to 2"):
        model.fit_sentences(captions, labels + 1, others)
    with pytest.raises(ValueError, match="Expected captions"):
        model.fit_sentences(captions[:-1], labels, others)
    with pytest.raises(ValueError, match="at least one sentence for each picture"):
        model.fit_sentences([[], *captions[1:]], labels, others)
    with pytest.raises(
        ValueError, match=r"Expected validation_data=\(captions, labels"
    ):
        model.fit_sentences(captions, labels)
    with pytest.raises(ValueError, match="at least one sentence"):
        model.predict_sentences([])
