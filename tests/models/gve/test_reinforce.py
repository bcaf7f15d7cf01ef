"""The gradient of REINFORCE against that of the expected reward, by enumeration."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.models.gve._training import GeneratorTraining, SentenceSampler

LENGTH = 3
# "." ends a sentence; 0 fills, 1 is never drawn.
END, FIRST, SECOND = 2, 3, 4


def all_sentences():
    """Every sentence that can be drawn, of two words and the terminal one."""
    found = {
        (*words[: words.index(END) + 1],) if END in words else words
        for words in itertools.product((END, FIRST, SECOND), repeat=LENGTH)
    }
    rows = [(*words, *[0] * (LENGTH - len(words))) for words in sorted(found)]
    return np.array(rows, "int32")


def lengths_of(words):
    return (words != 0).sum(axis=1).astype("int32")


@pytest.fixture
def generator():
    vocabulary = ki.datasets.Vocabulary(["bird", "red"])
    model = ki.models.GVE(
        vocabulary,
        2,
        3,
        units=3,
        embedding_dim=2,
        class_feature_dim=2,
        max_length=LENGTH,
        seed=0,
    )
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


@pytest.fixture
def classifier(generator):
    model = ki.models.SentenceClassifier(
        generator.vocabulary, 2, units=4, embedding_dim=3, max_length=LENGTH, seed=0
    )
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


FEATURES = np.array([[0.5, -1.0, 2.0]], "float32")
LABELS = np.array([1], "int32")


def probabilities(generator, words):
    """p of each sentence by the chain rule, in double."""
    count = len(words)
    logits = generator([FEATURES.repeat(count, 0), LABELS.repeat(count), words])
    logits = np.asarray(ops.convert_to_numpy(logits), "float64")[..., END:]
    chosen = np.take_along_axis(
        logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)),
        np.maximum(words - END, 0)[..., None],
        axis=-1,
    )[..., 0]
    return np.exp(np.where(words != 0, chosen, 0.0).sum(axis=1))


def test_there_are_15_sentences_whose_probabilities_add_up_to_1(generator):
    words = all_sentences()
    # "."; 2 of a word and "."; 4 x 3 of two words and any third.
    assert len(words) == 1 + 2 + 4 * 3
    assert probabilities(generator, words).sum() == pytest.approx(1.0, abs=1e-6)


def test_the_expected_step_is_the_gradient_of_the_expected_reward(generator):
    """The mean over all sentences, each as often as it is drawn, without chance."""
    words = all_sentences()
    rewards = np.random.default_rng(2).random(len(words))

    def expected_reward():
        return float(probabilities(generator, words) @ rewards)

    slopes = {}
    for weight in generator.trainable_variables:
        start = np.array(ops.convert_to_numpy(weight))
        place = tuple(n // 2 for n in start.shape)
        found = []
        for sign in (1.0, -1.0):
            moved = start.copy()
            moved[place] += sign * 1e-2
            weight.assign(moved)
            found.append(expected_reward())
        weight.assign(start)
        slopes[weight.path] = place, (found[0] - found[1]) / 2e-2

    model = GeneratorTraining(generator, discriminative_weight=1.0)
    model.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    before = {v.path: np.array(ops.convert_to_numpy(v)) for v in generator.variables}
    count = len(words)
    chance = probabilities(generator, words)
    model.train_on_batch(
        {
            "features": FEATURES.repeat(2 * count, 0),
            "labels": LABELS.repeat(2 * count),
            "words": np.concatenate([0 * words, words]),
            # What people wrote has no words here: relevance is 0.
            "lengths": np.concatenate([0 * lengths_of(words), lengths_of(words)]),
            # The loss is a mean over rows, of which each stands for its probability.
            "rewards": np.concatenate([0 * chance, count * chance * rewards]).astype(
                "float32"
            ),
        }
    )
    largest = 0.0
    for weight in generator.trainable_variables:
        place, slope = slopes[weight.path]
        moved = ops.convert_to_numpy(weight)[place] - before[weight.path][place]
        assert moved == pytest.approx(slope, rel=0.02, abs=2e-5), weight.path
        largest = max(largest, abs(slope))
    assert largest > 1e-3
    # What stands for a class is no weight that learns.
    after = ops.convert_to_numpy(generator.class_features)
    np.testing.assert_array_equal(after, before[generator.class_features.path])


def test_sentences_are_drawn_as_often_as_they_are_likely(generator, classifier):
    count = 4096
    sampler = SentenceSampler(generator, classifier, count)
    drawn, rewards = sampler(
        FEATURES.repeat(count, 0), LABELS.repeat(count), np.random.default_rng(0)
    )
    words = all_sentences()
    matches = (drawn[:, None] == words[None]).all(axis=-1)
    assert (matches.sum(axis=1) == 1).all()
    chance = probabilities(generator, words)
    # Four standard deviations of each share.
    slack = 4 * np.sqrt(chance * (1 - chance) / count) + 1e-4
    assert (np.abs(matches.mean(axis=0) - chance) < slack).all()
    # The reward is what the classifier says of the sentence and the class.
    expected = ops.convert_to_numpy(classifier(words))[:, LABELS[0]]
    np.testing.assert_allclose(rewards, expected[matches.argmax(axis=1)], atol=1e-5)
    assert 0.0 <= rewards.min() < rewards.max() <= 1.0


def test_a_batch_weighs_its_halves_by_lambda(generator):
    words = all_sentences()[:2]
    both = np.concatenate([words, words])
    inputs = {
        "features": FEATURES.repeat(4, 0),
        "labels": LABELS.repeat(4),
        "words": both,
        "lengths": lengths_of(both),
        "rewards": np.array([0, 0, 0.5, 1.0], "float32"),
    }
    logits = generator([inputs[name] for name in ("features", "labels", "words")])
    relevance = ki.losses.relevance_loss(words, logits[:2], inputs["lengths"][:2])
    # The words that are never drawn are left out of the probabilities.
    drawn = -np.log(probabilities(generator, words)) * [0.5, 1.0]
    model = GeneratorTraining(generator, discriminative_weight=0.25)
    loss = model.compute_loss(inputs, y_pred=logits)
    expected = float(relevance) + 0.25 * drawn.mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)
