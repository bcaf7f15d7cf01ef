"""The sentence that agrees most with the others."""

import numpy as np
import pytest

import keras_interp as ki

CAPTIONS = [
    ["a red bird with a long bill.", "this bird is red."],
    ["a red bird, and it has a short bill."],
    ["a blue bird with a long bill.", "a small blue bird."],
    ["this bird is blue."],
]
LABELS = [0, 0, 1, 1]
SURE = np.array([[1.0, 0.0], [0.0, 1.0]])


@pytest.fixture(scope="module")
def vocabulary():
    return ki.datasets.Vocabulary.from_sentences(CAPTIONS)


def drawn(vocabulary, *pictures):
    """Sentences of each picture as numbers `(pictures, samples, words)`."""
    ids, _ = vocabulary.encode([s for group in pictures for s in group])
    return ids.reshape(len(pictures), len(pictures[0]), -1)


def said(memory, pictures, probabilities=None, longest=20):
    found = memory.chosen(drawn(memory.vocabulary, *pictures), probabilities, longest)
    return memory.vocabulary.decode(found)


def test_what_is_drawn_most_is_said_and_commas_do_not_count(vocabulary):
    memory = ki.models.SentenceMemory(vocabulary, CAPTIONS)
    samples = ["a blue bird.", "this bird is red.", "this bird, is red.", "a bill."]
    assert said(memory, [samples]) in (["this bird is red."], ["this bird, is red."])


def test_sentences_of_the_probable_class_are_evidence_and_may_be_said(vocabulary):
    memory = ki.models.SentenceMemory(vocabulary, CAPTIONS, LABELS, weight=1.0)
    samples = [["a short bill."], ["a short bill."]]
    red, blue = said(memory, samples, SURE)
    assert red in sum(CAPTIONS[:2], []) and blue in sum(CAPTIONS[2:], [])
    assert said(memory, samples, 1 - SURE) == [blue, red]


def test_without_weight_the_memory_still_has_the_last_word(vocabulary):
    memory = ki.models.SentenceMemory(vocabulary, CAPTIONS, LABELS, weight=0.0)
    # Nobody drew it whole; the two halves together speak for it.
    halves = ["a blue bird with.", "with a long bill."]
    assert said(memory, [halves], SURE[:1]) == ["a blue bird with a long bill."]


def test_what_has_unknown_words_or_is_too_long_is_never_said(vocabulary):
    small = ki.datasets.Vocabulary([w for w in vocabulary.words[3:] if w != "small"])
    for words, longest in ((small, 20), (vocabulary, 4)):
        memory = ki.models.SentenceMemory(words, CAPTIONS, LABELS, weight=1.0)
        sentences = said(memory, [["a bird."], ["a bird."]], SURE, longest)
        assert "<unk>" not in str(sentences)
        assert max(len(ki.datasets.tokenize(s)) for s in sentences) <= longest or (
            longest == 20
        )


def test_a_class_without_sentences_is_no_evidence(vocabulary):
    memory = ki.models.SentenceMemory(vocabulary, CAPTIONS, LABELS)
    chances = np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 0.9]])
    only, red = said(memory, [["a bird."], ["a bird."]], chances)
    assert only == "a bird." and "red" in red


def test_a_trained_model_says_the_colour_of_each_picture(
    make_model, trained_weights, colored
):
    features, labels, captions = colored
    model = make_model()
    model.set_weights(trained_weights[0])
    for known in (None, labels):
        memory = ki.models.SentenceMemory(model.vocabulary, captions, known)
        some = model.explain_by_consensus(features, memory, samples=8, seed=1)
        colors = ("red", "green", "blue")
        assert (
            np.mean([colors[k] in s for k, s in zip(labels, some, strict=True)]) > 0.9
        )
        few = model.explain_by_consensus(features[:5], memory, samples=8, seed=1)
        assert few == some[:5]
    r = model.context(features)
    assert some == model.explain_by_consensus(
        context=r, memory=memory, samples=8, seed=1
    )
    assert model.explain_by_consensus(context=r[:0], memory=memory) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"captions": CAPTIONS[:1]}, "two pictures or more"),
        ({"captions": None}, "captions=None"),
        ({"captions": [["a bird."], []]}, "at least one sentence"),
        ({"labels": [0, 1]}, "label for each of 4"),
        ({"labels": [0.0, 0.0, 1.0, 1.0]}, "label for each of 4"),
        ({"labels": [0, 0, -1, 1]}, "labels from 0"),
        ({"weight": 1.5}, "weight from 0 to 1"),
        ({"sharpness": -1.0}, "sharpness of 0 or more"),
        ({"sharpness": float("nan")}, "sharpness of 0 or more"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(vocabulary, wrong, message):
    with pytest.raises(ValueError, match=message):
        ki.models.SentenceMemory(vocabulary, **{"captions": CAPTIONS, **wrong})


def test_wrong_use_is_refused(make_model, colored):
    features, labels, captions = colored
    model = make_model()
    other = ki.models.SentenceMemory(ki.datasets.Vocabulary(["bird"]), captions)
    memory = ki.models.SentenceMemory(model.vocabulary, captions, labels)
    for wrong in (None, other):
        with pytest.raises(ValueError, match="of the model's vocabulary"):
            model.explain_by_consensus(features, wrong)
    for options in ({"samples": 0}, {"temperature": 0.0}, {"max_length": 2.5}):
        with pytest.raises(ValueError, match=next(iter(options))):
            model.explain_by_consensus(features, memory, **options)
    with pytest.raises(ValueError, match="either inputs or context"):
        model.explain_by_consensus(memory=memory)
    with pytest.raises(ValueError, match="Leave out labels"):
        make_model(conditioning="input").explain_by_consensus(features, memory)
    more = ki.models.SentenceMemory(model.vocabulary, captions, labels + 1)
    with pytest.raises(ValueError, match="Expected labels below 3"):
        model.explain_by_consensus(features, more, samples=2)
