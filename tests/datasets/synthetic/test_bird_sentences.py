"""Sentences about birds."""

from __future__ import annotations

import collections
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.datasets import synthetic_bird_mentions, synthetic_bird_species
from keras_interp.datasets.synthetic._bird_body import LANDMARKS
from keras_interp.datasets.synthetic._bird_individuals import make_individuals
from keras_interp.datasets.synthetic._bird_words import (
    NOUNS,
    PART_NOUNS,
    UNSAID,
    clauses,
    noun_phrases,
    relative_phrases,
)
from keras_interp.datasets.synthetic._drawing import ImageRandom
from keras_interp.datasets.synthetic.bird_sentences import (
    can_be_named,
    mention_weights,
    visible_parts,
    write_sentences,
)
from keras_interp.datasets.synthetic.bird_species import (
    COLORS,
    PARTS,
    PATTERNS,
    SHAPES,
)

SPECIES = synthetic_bird_species()
NUMBERS = np.arange(960)


def phrase(table, part, variant, color, pattern="plain", shape=None):
    form = UNSAID if shape is None else SHAPES[part].index(shape)
    place = (COLORS.index(color), PATTERNS.index(pattern), form)
    return table()[(PARTS.index(part), variant, *place)]


@pytest.fixture(scope="module")
def birds():
    return make_individuals(NUMBERS % 48, ImageRandom(0, NUMBERS))


@pytest.fixture(scope="module")
def named():
    return np.random.default_rng(0).random((len(NUMBERS), len(PARTS))) < 0.7


@pytest.fixture(scope="module")
def sentences(birds, named):
    weights = mention_weights(birds.species)
    return write_sentences(birds, named, weights, ImageRandom(1, NUMBERS))


def test_phrases():
    assert phrase(noun_phrases, "crown", 0, "red") == "a red crown"
    assert phrase(noun_phrases, "nape", 0, "orange") == "an orange nape"
    assert phrase(noun_phrases, "wing", 3, "brown", "barred") == (
        "brown wings with white bars"
    )
    assert phrase(noun_phrases, "breast", 3, "white", "spotted") == (
        "a white breast with dark spots"
    )
    assert phrase(noun_phrases, "tail", 1, "black", "barred", "forked") == (
        "a forked banded black tail"
    )
    assert phrase(noun_phrases, "beak", 6, "gray", shape="hooked") == "a hooked beak"
    assert phrase(noun_phrases, "beak", 6, "red") == "a red beak"
    assert phrase(relative_phrases, "wing", 0, "black") == "wings that are black"
    assert phrase(clauses, "tail", 1, "blue", shape="long") == "tail is blue and long"


@pytest.mark.parametrize("table", [noun_phrases, relative_phrases, clauses])
def test_every_phrase_says_what_the_look_is_and_nothing_else(table):
    for place in np.ndindex(*table().shape):
        part, _, color, pattern, shape = place
        shapes = SHAPES.get(PARTS[part], ())
        form = shapes[shape] if shape < len(shapes) else ""
        truth = {COLORS[color], PATTERNS[pattern], form} - {"plain", "smooth", ""}
        said = synthetic_bird_mentions(table()[place])
        assert said and {name for name, _ in said} == {PARTS[part]}
        assert {value for _, value in said} <= truth


def test_ten_different_sentences_a_image(sentences):
    assert len(sentences) == len(NUMBERS)
    assert {len(some) for some in sentences} == {10}
    # Where hardly a part may be named, two sentences can come out the same.
    different = np.array([len(set(some)) for some in sentences])
    assert different.min() >= 8 and (different == 10).mean() > 0.98


def test_sentences_are_written_as_those_of_cub(sentences):
    for sentence in sum(sentences, []):
        assert re.fullmatch(r"[a-z]+(,? [a-z]+)*\.", sentence), sentence
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", sentence), sentence


def test_only_parts_that_may_be_named_are_named(sentences, named):
    """Read with the nouns alone, whatever the reader of mentions does."""
    for row, some in enumerate(sentences):
        words = set(re.findall("[a-z]+", " ".join(some).replace("eye ring", "eyering")))
        for column, part in enumerate(PARTS):
            nouns = {noun.replace("eye ring", "eyering") for noun in PART_NOUNS[part]}
            assert named[row, column] or not words & nouns


def test_sentences_tell_the_truth(sentences, birds):
    for row, some in enumerate(sentences):
        for part, value in set().union(*map(synthetic_bird_mentions, some)):
            if part == "bird":
                continue
            column = PARTS.index(part)
            shapes = SHAPES.get(part, ("",))
            assert value in (
                COLORS[birds.colors[row, column]],
                PATTERNS[birds.patterns[row, column]],
                shapes[birds.shapes[row, column]],
            )
            assert not (part == "beak" and value in shapes and birds.facing[row])


def test_the_bird_as_a_whole_has_colors_of_its_body(sentences, birds, named):
    body = [PARTS.index(part) for part in ("wing", "back", "breast", "belly")]
    for row, some in enumerate(sentences):
        said = {
            v for one in some for p, v in synthetic_bird_mentions(one) if p == "bird"
        }
        colors = {COLORS[birds.colors[row, c]] for c in body if named[row, c]}
        species = SPECIES[birds.species[row]]
        assert said <= colors | {species.size, species.build}


def test_openings_vary(sentences):
    openings = [" ".join(one.split()[:3]) for some in sentences for one in some]
    counted = collections.Counter(openings)
    assert len(counted) > 100
    assert counted.most_common(1)[0][1] < 0.25 * len(openings)
    for some in sentences:
        assert len({" ".join(one.split()[:3]) for one in some}) >= 4


def test_numbers_of_parts_vary(sentences):
    parts = collections.Counter(
        len({part for part, _ in synthetic_bird_mentions(one)} - {"bird"})
        for one in sum(sentences, [])
    )
    shares = {n: count / parts.total() for n, count in parts.items()}
    assert set(shares) == {1, 2, 3} and min(shares.values()) > 0.1
    assert shares[2] > 0.35


def test_field_marks_are_named_most(birds):
    """Where everything may be named."""
    every = birds.colors >= 0
    weights = mention_weights(birds.species)
    written = write_sentences(birds, every, weights, ImageRandom(1, NUMBERS))
    marks = total = 0
    for row, some in enumerate(written):
        for one in some:
            parts = {part for part, _ in synthetic_bird_mentions(one)} - {"bird"}
            marks += len(parts & set(SPECIES[birds.species[row]].field_marks))
            total += len(parts)
    assert 0.6 < marks / total < 0.9


def test_a_image_has_the_same_sentences_in_any_company(sentences, birds, named):
    some = np.array([500, 3])
    again = write_sentences(
        birds.take(some),
        named[some],
        mention_weights(birds.species[some]),
        ImageRandom(1, some),
    )
    assert again == [sentences[500], sentences[3]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_parts_are_enough(birds, count):
    """Sentences that need more are replaced."""
    named = np.zeros((len(NUMBERS), len(PARTS)), bool)
    named[:, [PARTS.index("crown"), PARTS.index("throat")][:count]] = True
    weights = mention_weights(birds.species)
    written = write_sentences(birds, named, weights, ImageRandom(1, NUMBERS), count=5)
    for sentence in sum(written, []):
        parts = {part for part, _ in synthetic_bird_mentions(sentence)} - {"bird"}
        assert parts <= {"crown", "throat"} and bool(parts) == bool(count)
        assert re.fullmatch(r"[a-z]+(,? [a-z]+)*\.", sentence), sentence


def test_visible_parts_have_a_landmark():
    landmarks = np.full((3, len(LANDMARKS), 2), np.nan)
    landmarks[0, LANDMARKS.index("left wing")] = 5
    landmarks[1, [LANDMARKS.index("right eye"), LANDMARKS.index("forehead")]] = 5
    landmarks[2, LANDMARKS.index("crown")] = 5
    seen = [[PARTS[k] for k in np.flatnonzero(row)] for row in visible_parts(landmarks)]
    assert seen == [["wing"], ["eye_ring"], ["crown"]]


def test_drab_and_absent_parts_cannot_be_named(birds):
    landmarks = np.zeros((len(NUMBERS), len(LANDMARKS), 2))
    named = can_be_named(birds, landmarks)
    np.testing.assert_array_equal(named, (birds.colors >= 0) & ~birds.drab)
    assert 0.5 < named[:, PARTS.index("nape")].mean() < 1


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
