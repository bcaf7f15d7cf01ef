"""BLEU that is expected against evidence: equal to the mean over all draws."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy import sparse

import keras_interp as ki
from keras_interp.datasets.vocabulary import START_ID
from keras_interp.models.interpnet._expected_bleu import SMOOTHING, ExpectedBleu


def counts(sentence, length):
    words = [word for word in sentence if word]
    return Counter(tuple(words[k : k + length]) for k in range(len(words) - length + 1))


def mean_over_draws(candidate, sentences, shares, references):
    """Logarithm of BLEU, all numbers of it counted in every possible draw."""
    counted, exponent = np.zeros(4), 0.0
    size = sum(counts(candidate, 1).values())
    for drawn in itertools.product(range(len(sentences)), repeat=references):
        chance = math.prod(shares[k] for k in drawn)
        others = [sentences[k] for k in drawn]
        for length in range(1, 5):
            most = Counter()
            for other in others:
                most |= counts(other, length)
            counted[length - 1] += chance * (counts(candidate, length) & most).total()
        closest = min(
            (np.count_nonzero(other) for other in others),
            key=lambda one: (abs(one - size), one),
        )
        exponent += chance * min(0.0, 1.0 - closest / size)
    possible = np.maximum(size - np.arange(4), 0)
    precisions = (counted + SMOOTHING) / (possible + SMOOTHING)
    return exponent + np.log(precisions).mean()


@pytest.mark.parametrize("references", [1, 2, 3])
def test_it_is_the_mean_over_all_draws(references):
    rng = np.random.default_rng(references)
    ids = rng.integers(3, 6, (7, 9))
    for row, length in enumerate((9, 2, 5, 4, 7, 6, 3)):
        ids[row, length:] = 0
    shares = np.array([0.0, 0.1, 0.3, 0.2, 0.4, 0.0, 0.0])
    found, _ = ExpectedBleu(ids, 6, references).scores(
        sparse.csr_matrix(shares[None]), np.arange(7)[None], np.empty(0, int), 0.0
    )
    wanted = [mean_over_draws(one, ids, shares, references) for one in ids]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-10)
    _, same = ExpectedBleu(ids, 6, references).scores(
        sparse.csr_matrix(shares[None]), np.zeros((1, 1), int), np.arange(7), 0.0
    )
    np.testing.assert_allclose(same, found, rtol=1e-12)


def test_a_sentence_is_no_evidence_for_itself():
    ids = np.array([[3, 4, 5, 6, 7], [8, 9, 3, 4, 5]])
    evidence = sparse.csr_matrix([[0.5, 0.5]])
    own, none = np.array([[0, 1]]), np.empty(0, int)
    bleu = ExpectedBleu(ids, 10, 4)
    found, _ = bleu.scores(evidence, own, none, 0.5)
    # Each has three words of five, two pairs of four and one triple of three in common
    # with the other.
    matched, possible = np.array([3, 2, 1, 0]) + 0.1, np.array([5, 4, 3, 2]) + 0.1
    np.testing.assert_allclose(found, np.log(matched / possible).mean(), rtol=1e-10)


def test_nothing_said_is_worth_nothing_and_the_start_is_no_word():
    ids = np.array([[0, 0, 0], [3, 0, 0], [START_ID, 3, 0]])
    bleu = ExpectedBleu(ids, 4, 2)
    own, none = np.arange(3)[None], np.empty(0, int)
    ((nothing, word, started),) = bleu.scores(
        sparse.csr_matrix([[0.0, 1.0, 0.0]]), own, none, 0.0
    )[0]
    assert nothing == -np.inf
    assert word == started == 0.0


CAPTIONS = [
    ["a red bird with a long bill.", "this bird is red."],
    ["this bird is red.", "a bird with a crest."],
]


def test_the_usual_sentence_is_said_by_bleu_and_commas_count():
    vocabulary = ki.datasets.Vocabulary.from_sentences([*CAPTIONS, ["a, b."]])
    drawn = ["this bird is red.", "this bird, is red.", "this bird is red.", "a crest."]
    ids, _ = vocabulary.encode(drawn)
    memory = ki.models.SentenceMemory(vocabulary, CAPTIONS, agreement="bleu")
    chosen = memory.chosen(ids[None], None, 20)
    assert vocabulary.decode(chosen) == ["this bird is red."]


@pytest.mark.parametrize("labels", [None, [0, 1]])
def test_one_reference_and_one_sample(labels):
    vocabulary = ki.datasets.Vocabulary.from_sentences(CAPTIONS)
    ids, _ = vocabulary.encode(["a bird."])
    memory = ki.models.SentenceMemory(
        vocabulary, CAPTIONS, labels, agreement="bleu", references=1
    )
    chosen = memory.chosen(ids[None], np.array([[0.0, 1.0]]), 20)
    said = vocabulary.decode(chosen)
    assert said == ["a bird."] if labels is None else said[0] in CAPTIONS[1]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"agreement": "rouge"}, "agreement out of .'cider', 'bleu'.. Received"),
        ({"references": 0}, "references"),
        ({"references": 2.5}, "references"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    vocabulary = ki.datasets.Vocabulary.from_sentences(CAPTIONS)
    with pytest.raises(ValueError, match=message):
        ki.models.SentenceMemory(vocabulary, CAPTIONS, **wrong)
