"""Sentences against searches that look at everything."""

import itertools

import numpy as np
import pytest
from keras import ops

import keras_interp as ki

LONGEST = 4


class NextWord:
    """Log-probabilities of each next word of one picture, by the whole sequence."""

    def __init__(self, model, vector):
        self._known = {}
        self._decoder, self._vector = model.decoder, vector[None]

    def __call__(self, said):
        said = tuple(said)
        if said not in self._known:
            logits = self._decoder([np.array([[0, *said]]), self._vector])
            logits = np.asarray(ops.convert_to_numpy(logits), "float64")[0, -1]
            # The start and the unknown are never said.
            logits[:2] = -np.inf
            self._known[said] = logits - np.log(np.exp(logits).sum())
        return self._known[said]

    def score(self, said):
        total = sum(self(said[:place])[word] for place, word in enumerate(said))
        return total / ((5 + len(said)) / 6) ** 0.7


@pytest.fixture(scope="module")
def tiny():
    """A decoder of 4 words that can be said, with weights that make it choose."""
    vocabulary = ki.datasets.Vocabulary(["a", "b", "c"])
    classifier = ki.models.interpnet_classifier(5, 2, (3,), seed=1)
    model = ki.models.InterpNet(
        classifier, vocabulary, units=4, embedding_dim=3, projection=3, seed=5
    )
    rng = np.random.default_rng(26)
    for weight in model.decoder.weights:
        weight.assign(rng.normal(0, 2.0, weight.shape))
    features = rng.normal(0, 1.5, (6, 5)).astype("float32")
    return model, features, model.context(features)


def sentences(words, longest):
    """All that end with the terminal word."""
    for length in range(longest):
        for said in itertools.product(words, repeat=length):
            yield [*said, 2]


def test_the_best_word_at_each_step(tiny):
    model, features, context = tiny
    found = model.explain_ids(features, max_length=LONGEST)
    for row, vector in zip(found, context, strict=True):
        following, said = NextWord(model, vector), []
        while len(said) < LONGEST and 2 not in said:
            said.append(int(np.argmax(following(said))))
        assert row.tolist() == [*said, *[0] * (LONGEST - len(said))]


def test_a_wide_beam_finds_the_best_of_all_sentences(tiny):
    model, features, context = tiny
    found = model.explain_ids(features, beam_width=100, max_length=LONGEST)
    differ = 0
    for row, vector in zip(found, context, strict=True):
        every = list(sentences((3, 4, 5), LONGEST))
        following = NextWord(model, vector)
        scores = [following.score(said) for said in every]
        best = every[int(np.argmax(scores))]
        assert row.tolist() == [*best, *[0] * (LONGEST - len(best))]
        differ += (
            row.tolist()
            != model.explain_ids(context=vector[None], max_length=LONGEST)[0].tolist()
        )
    assert differ


def followed(model, vector, width, longest):
    """The rule of the beam, one sentence after another."""
    following = NextWord(model, vector)
    beam, best = [(0.0, [])], (-np.inf, None)
    for _ in range(longest):
        if all(2 in said for _, said in beam):
            break
        tries = [pair for pair in beam if 2 in pair[1]]
        for total, said in beam:
            if 2 not in said:
                for word in (2, 3, 4, 5):
                    tries.append((total + following(said)[word], [*said, word]))
        tries.sort(key=lambda p: -p[0] / ((5 + len(p[1])) / 6) ** 0.7)
        beam = tries[:width]
        for total, said in beam:
            value = total / ((5 + len(said)) / 6) ** 0.7
            if 2 in said and value > best[0]:
                best = value, said
    return best[1] or beam[0][1]


@pytest.mark.parametrize("width", [2, 3])
def test_a_narrow_beam_follows_its_rule(tiny, width):
    model, features, context = tiny
    found = model.explain_ids(features, beam_width=width, max_length=6)
    for row, vector in zip(found, context, strict=True):
        said = followed(model, vector, width, 6)
        assert row.tolist() == [*said, *[0] * (6 - len(said))]


def test_words_come_as_often_as_they_are_likely(tiny):
    model, _, context = tiny
    many = np.repeat(context[:1], 4000, axis=0)
    for temperature in (1.0, 0.5):
        drawn = model.explain_ids(
            context=many, temperature=temperature, seed=1, max_length=1
        )
        shares = np.bincount(drawn[:, 0], minlength=6) / 4000
        expected = np.exp(NextWord(model, context[0])([]) / temperature)
        np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.03)


def test_the_nucleus_holds_the_likeliest_words(tiny):
    model, _, context = tiny
    many = np.repeat(context[:1], 4000, axis=0)
    likely = np.exp(NextWord(model, context[0])([]))
    order = np.argsort(-likely)
    # Between the first and the sum of the first two: both are drawn, and no other.
    top_p = likely[order[0]] + 0.5 * likely[order[1]]
    drawn = model.explain_ids(context=many, top_p=top_p, seed=1, max_length=1)
    shares = np.bincount(drawn[:, 0], minlength=6) / 4000
    expected = np.where(np.isin(np.arange(6), order[:2]), likely, 0.0)
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.03)
    drawn = model.explain_ids(context=many[:50], top_p=1e-6, seed=1, max_length=LONGEST)
    best = model.explain_ids(context=many[:1], max_length=LONGEST)
    np.testing.assert_array_equal(drawn, np.repeat(best, 50, axis=0))


def test_a_seed_gives_the_same_sentences_whatever_the_batches(tiny):
    model, features, _ = tiny
    same = [
        model.explain(features, temperature=1.5, seed=4, batch_size=size, max_length=6)
        for size in (2, 4, 256)
    ]
    assert same[0] == same[1] == same[2]
    other = model.explain(features, temperature=1.5, seed=5, max_length=6)
    assert other != same[0]
    for beam_width in (1, 3):
        sizes = [
            model.explain(features, beam_width, batch_size=size, max_length=6)
            for size in (2, 256)
        ]
        assert sizes[0] == sizes[1]


def test_the_vector_of_another_picture_gives_its_sentence(tiny):
    model, features, context = tiny
    said = model.explain(features, max_length=6)
    assert model.explain(context=context[::-1], max_length=6) == said[::-1]
    assert len(set(said)) > 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"beam_width": 0}, "beam_width=0"),
        ({"max_length": 1.5}, r"max_length=1\.5"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"temperature": 0.0}, r"temperature=0\.0"),
        ({"top_p": 1.5}, r"top_p=1\.5"),
        ({"beam_width": 2, "temperature": 1.0}, "either a beam or chance"),
        ({"inputs": None}, "neither"),
        ({"context": np.zeros((2, 9))}, "both"),
        ({"inputs": None, "context": np.zeros((2, 9))}, r"shape \(2, 9\)"),
        ({"inputs": None, "context": np.full((2, 10), np.nan)}, "NaN or infinity"),
        ({"inputs": np.full((2, 5), np.nan, "float32")}, "for 2 of 2 pictures"),
        ({"inputs": np.zeros((0, 5), "float32")}, "Received none"),
    ],
)
def test_wrong_arguments_are_said(tiny, arguments, says):
    model, features, _ = tiny
    with pytest.raises(ValueError, match=says):
        model.explain(**{"inputs": features, **arguments})
