"""Sentences as numbers, and back."""

import warnings

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_interp as ki

Vocabulary, tokenize = ki.datasets.Vocabulary, ki.datasets.tokenize


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("This bird is red.", ["this", "bird", "is", "red", "."]),
        ("no period", ["no", "period", "."]),
        ("a red, white bird!", ["a", "red", ",", "white", "bird", "."]),
        ("it is small. it is red.", "it is small it is red .".split()),
        ("the bird's (long) tail...", ["the", "bird's", "long", "tail", "."]),
        ("the bird\u2019s tail", ["the", "bird's", "tail", "."]),
        ("yellow-bellied; 10 cm", ["yellow-bellied", "10", "cm", "."]),
        (", red,, and white,", ["red", ",", "and", "white", "."]),
        ("", ["."]),
        ("CAFE\u0301 \u00dcBER", ["caf\u00e9", "\u00fcber", "."]),
        ("a <unk> bird", ["a", "<unk>", "bird", "."]),
    ],
)
def test_the_words_of_a_sentence(sentence, words):
    assert tokenize(sentence) == words


@given(st.text(max_size=40))
def test_any_text_ends_with_one_period_and_is_read_alike_again(text):
    words = tokenize(text)
    assert words.count(".") == 1 and words[-1] == "."
    assert tokenize(" ".join(words)) == words


def test_numbers_go_by_frequency_and_the_special_words_come_first():
    vocabulary = Vocabulary.from_sentences([["b a b.", "c b"], ["a"]])
    assert vocabulary.words == ("<start>", "<unk>", ".", "b", "a", "c")
    assert len(vocabulary) == 6 and "a" in vocabulary and "d" not in vocabulary
    assert Vocabulary.from_sentences(["b a b c b a"], min_count=2).words[3:] == (
        "b",
        "a",
    )


def test_sentences_become_rows_and_rows_sentences():
    vocabulary = Vocabulary(["this", "bird", "is", "red", ",", "white"])
    ids, lengths = vocabulary.encode(["This bird is red, white.", "bird"])
    np.testing.assert_array_equal(ids, [[3, 4, 5, 6, 7, 8, 2], [4, 2, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(lengths, [7, 2])
    assert ids.dtype == lengths.dtype == np.int32
    assert vocabulary.decode(ids) == ["this bird is red, white.", "bird."]
    assert vocabulary.decode(ids[1]) == ["bird."]
    # What follows the terminal word is left out; where there is none, it is put.
    assert vocabulary.decode([[4, 2, 6, 6], [4, 5, 6, 6]]) == [
        "bird.",
        "bird is red red.",
    ]


def test_a_long_sentence_is_cut_counted_and_keeps_its_terminal_word():
    vocabulary = Vocabulary(["a", "b"])
    with pytest.warns(UserWarning, match="1 of 2 sentences are longer") as told:
        ids, lengths = vocabulary.encode(["a b a b a b", "a b"], max_length=4)
    assert len(told) == 1
    np.testing.assert_array_equal(ids, [[3, 4, 3, 2], [3, 4, 2, 0]])
    np.testing.assert_array_equal(lengths, [4, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vocabulary.encode(["a b a"], max_length=4)


def test_unknown_words_are_one_word_and_are_counted():
    vocabulary = Vocabulary(["a", "b"])
    ids, _ = vocabulary.encode(["a zebra b"])
    np.testing.assert_array_equal(ids, [[3, 1, 4, 2]])
    assert vocabulary.decode(ids) == ["a <unk> b."]
    assert vocabulary.unknown_share([["a zebra b", "a"], ["a"]]) == 0.2


def test_it_is_saved_with_what_it_belongs_to():
    vocabulary = Vocabulary(["caf\u00e9", "b", "."])
    config = keras.saving.serialize_keras_object(vocabulary)
    loaded = keras.saving.deserialize_keras_object(config)
    assert loaded == vocabulary and loaded.words == vocabulary.words
    assert hash(loaded) == hash(vocabulary)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Vocabulary([]), "0 words"),
        (lambda: Vocabulary(["<unk>", "."]), "0 words"),
        (lambda: Vocabulary(["a", "a"]), r"\['a'\] more than once"),
        (lambda: Vocabulary(["a", ""]), "none empty"),
        (lambda: Vocabulary.from_sentences([]), "0 words"),
        (lambda: Vocabulary.from_sentences(["a"], min_count=2), "0 words"),
        (lambda: Vocabulary.from_sentences(["a"], min_count=0), "min_count=0"),
        (lambda: Vocabulary.from_sentences("a bird"), "one str"),
        (lambda: Vocabulary(["a"]).encode([]), "Received none"),
        (lambda: Vocabulary(["a"]).encode(["a"], max_length=0), "max_length=0"),
        (lambda: Vocabulary(["a"]).encode([None]), "sentence=None"),
        (lambda: Vocabulary(["a"]).decode([[0, 4]]), "from 0 to 4"),
        (lambda: Vocabulary(["a"]).decode([[0.5]]), "type float64"),
        (lambda: Vocabulary(["a"]).unknown_share(["."]), "Received none"),
    ],
)
def test_wrong_input_is_said(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()
