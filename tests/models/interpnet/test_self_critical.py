"""Training on CIDEr, and that CIDEr itself."""

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.models.interpnet._self_critical import _advantages
from keras_interp.models.interpnet._word_runs import WordRuns

CAPTIONS = [
    ["a red bird with a long bill", "this bird is red"],
    ["a red bird and it has a short bill"],
    ["a blue bird with a long bill", "a small blue bird"],
    ["this bird is blue"],
]


@pytest.mark.parametrize("words", [None, ["a", "red", "blue", "bird", ","]])
def test_cider_d_is_that_of_the_metric(words):
    vocabulary = ki.datasets.Vocabulary.from_sentences(CAPTIONS)
    if words is not None:
        vocabulary = ki.datasets.Vocabulary(words)
    spoken = ["a red bird is long", "this bird has a blue bill", "red red bird", "a"]
    # The metric sees the words that the vocabulary knows.
    ids, _ = vocabulary.encode(CAPTIONS)
    known = [s.rstrip(".") for s in vocabulary.decode(ids)]
    written = [known[:2], known[2:3], known[3:5], known[5:]]
    runs = WordRuns(ids, np.repeat(np.arange(4), [2, 1, 2, 1]), vocabulary)
    said, _ = vocabulary.encode(spoken)
    heard = [s.rstrip(".") for s in vocabulary.decode(said)]
    score = ki.metrics.cider_d(heard, written).per_sentence
    np.testing.assert_allclose(runs.cider_d(said, np.arange(4)), score, atol=1e-12)


def test_directions_are_those_of_cider():
    vocabulary = ki.datasets.Vocabulary.from_sentences(CAPTIONS)
    pictures = np.repeat(np.arange(4), [2, 1, 2, 1])
    runs = WordRuns(vocabulary.encode(CAPTIONS)[0], pictures, vocabulary)
    spoken = ["a red bird is long", "this bird has a blue bill", "red red bird", "a"]
    directions = runs.directions(vocabulary.encode([*sum(CAPTIONS, []), *spoken])[0])
    cosines = sum((d[6:] @ d[:6].T).toarray() for d in directions)
    mean = [cosines[n, pictures == n].mean() for n in range(4)]
    score = ki.metrics.cider(spoken, CAPTIONS).per_sentence
    # A cosine for each of four lengths of run, times 10.
    np.testing.assert_allclose(np.array(mean) * 10 / 4, score, atol=1e-12)


def test_repeating_words_does_not_pay():
    vocabulary = ki.datasets.Vocabulary.from_sentences(CAPTIONS)
    pictures = np.repeat(np.arange(4), [2, 1, 2, 1])
    runs = WordRuns(vocabulary.encode(CAPTIONS)[0], pictures, vocabulary)
    once, again = "a bird with a long bill", "a bird with a long bill with a long bill"
    said, _ = vocabulary.encode([once, again])
    scores = runs.cider_d(said, np.zeros(2, int))
    assert scores[1] < scores[0]


def test_commas_and_the_period_do_not_count():
    vocabulary = ki.datasets.Vocabulary.from_sentences([*CAPTIONS, ["a, b"]])
    ids, _ = vocabulary.encode(CAPTIONS)
    runs = WordRuns(ids, np.repeat(np.arange(4), [2, 1, 2, 1]), vocabulary)
    marked, _ = vocabulary.encode(["a red, bird, with a long bill.", "a red bird"])
    plain, _ = vocabulary.encode(["a red bird with a long bill", "a red bird"])
    pictures = np.zeros(2, int)
    found = runs.cider_d(marked, pictures)
    np.testing.assert_array_equal(found, runs.cider_d(plain, pictures))


def test_an_advantage_is_beside_the_other_samples():
    found = _advantages(np.array([1.0, 2.0, 6.0, 3.0, 3.0, 3.0]), 3)
    np.testing.assert_allclose(found, [-3.0, -1.5, 4.5, 0.0, 0.0, 0.0])


def slightly_trained(make_model, colored):
    features, labels, captions = colored
    train, held = slice(0, 18), slice(18, 24)
    model = make_model()
    given = features[train], captions[train], (features[held], captions[held])
    model.fit_explainer(*given, epochs=6, batch_size=6, learning_rate=0.03, verbose=0)
    return model, given


def test_it_raises_what_it_is_rewarded_for(make_model, colored):
    model, given = slightly_trained(make_model, colored)
    before = [np.array(w) for w in model.classifier.get_weights()]
    options = {"batch_size": 3, "learning_rate": 0.03, "verbose": 0, "samples": 6}
    history = model.fit_self_critical(*given, epochs=8, **options).history
    assert set(history) == {"loss", "reward", "val_cider_d", "learning_rate"}
    assert np.mean(history["reward"][-3:]) > 1.3 * history["reward"][0]
    said = model.explain(given[2][0])
    best = ki.metrics.cider_d(said, given[2][1], tokens="words")
    assert float(best) == pytest.approx(max(history["val_cider_d"]), abs=1e-6)
    for one, other in zip(before, model.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_it_goes_on_where_it_was_interrupted(make_model, colored, tmp_path):
    options = {"batch_size": 6, "verbose": 0, "samples": 3, "learning_rate": 0.01}
    model, given = slightly_trained(make_model, colored)
    start = model.get_weights()
    whole = model.fit_self_critical(*given, epochs=3, **options).history
    file, ends = tmp_path / "training.npz", model.get_weights()
    model.set_weights(start)
    for epochs in (1, 3):
        again = model.fit_self_critical(
            *given, epochs=epochs, checkpoint=file, **options
        ).history
    assert again["val_cider_d"] == pytest.approx(whole["val_cider_d"])
    for one, other in zip(ends, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_wrong_arguments_are_refused(make_model, colored):
    features, _, captions = colored
    model = make_model()
    pair = (features[18:], captions[18:])
    with pytest.raises(ValueError, match="samples as an integer of 2 or more"):
        model.fit_self_critical(features, captions, pair, samples=1)
    with pytest.raises(ValueError, match="two pictures or more"):
        model.fit_self_critical(features[:1], captions[:1], pair)
    with pytest.raises(ValueError, match="validation_data"):
        model.fit_self_critical(features, captions)
