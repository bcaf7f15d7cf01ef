"""What is read from sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.datasets import synthetic_bird_mentions
from keras_interp.datasets.synthetic.bird_vocabulary import NOUNS


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("this bird has a red crown.", "crown red"),
        ("this bird has a red crown and a grey bill.", "crown red, beak gray"),
        ("a bird with a black and white striped breast.", "breast black white striped"),
        ("this bird has wings that are black and has a white belly.",
         "wing black, belly white"),
        ("this bird is brown and white in color, with a buff nape.",
         "bird brown white, nape tan"),
        ("the bird has a white breast with dark stripes.", "breast white striped"),
        ("brown wings with white bars and a red cap.", "wing brown barred, crown red"),
        ("the bill is grey and short, and the wings are brown with white bars.",
         "beak gray conical, wing brown barred"),
        ("a little plump bird with a bright red crown with a crest.",
         "bird small plump, crown red crested"),
        ("this bird has a sharp pointed jet black beak.", "beak pointed black"),
        ("it has a long tail and a long bill.", "tail long, beak pointed"),
        ("this medium sized bird has white eye rings and a forked tail.",
         "bird medium, eye_ring white, tail forked"),
        ("a long necked bird with a downward curved beak.",
         "bird long-necked, beak curved"),
        ("its tail is forked.", "tail forked"),
        ("THIS BIRD HAS A RED CROWN", "crown red"),
        ("the red.", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_mentions(sentence, expected):
    said = {
        (part, value)
        for clause in expected.split(", ")
        if clause
        for part, *values in [clause.split()]
        for value in values
    }
    assert synthetic_bird_mentions(sentence.replace("eye rings", "eyerings")) == said


@given(st.lists(st.sampled_from([*NOUNS, "red", "a", "and", ",", "is", "stripes"])))
def test_any_order_of_words_can_be_read(words):
    for part, value in synthetic_bird_mentions(" ".join(words)):
        assert part in NOUNS.values() and value


@given(st.text())
def test_any_text_can_be_read(text):
    synthetic_bird_mentions(text)
