"""Words in the colours of layers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from keras_interp.models import ExplainedSentence
from keras_interp.plotting import explained_sentence
from keras_interp.plotting._explained_sentence import layer_colors

LAYERS = ("input", "hidden", "probabilities")


def sentence(words, **changed):
    shares = np.tile([[0.2, 0.5, 0.3]], (len(words), 1))
    shares[0] = [0.6, 0.1, 0.3]
    given = {
        "words": tuple(words),
        "probabilities": np.linspace(0, 1, len(words)),
        "layers": LAYERS,
        "shares": shares,
    }
    return ExplainedSentence(**{**given, **changed})


def test_each_word_has_the_colour_of_its_layer_and_is_as_dark_as_it_is_likely():
    ax = explained_sentence(sentence(["red", "bird", "."]), title="a bird")
    colors = layer_colors(LAYERS)
    texts = ax.texts
    assert [text.get_text() for text in texts] == ["red", "bird", "."]
    assert to_rgba(texts[0].get_color()) == to_rgba(colors["input"])
    assert to_rgba(texts[1].get_color()) == to_rgba(colors["hidden"])
    assert texts[0].get_alpha() < texts[1].get_alpha() < texts[2].get_alpha() == 1.0
    assert ax.get_title(loc="left") == "a bird"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == list(LAYERS)


def test_the_bar_below_a_word_is_as_wide_as_its_shares():
    ax = explained_sentence(sentence(["red", "bird"]))
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(2, 3)
    np.testing.assert_allclose(widths[0] / widths[0].sum(), [0.6, 0.1, 0.3])
    np.testing.assert_allclose(widths[1].sum() / widths[0].sum(), 4 / 3)


def test_a_long_sentence_goes_on_in_the_next_line():
    words = ["bird", ",", "white"] * 15
    ax = explained_sentence(sentence(words))
    heights = [text.get_position()[1] for text in ax.texts]
    assert len(set(heights)) > 2
    left, right = ax.get_xlim()
    for text in ax.texts:
        assert left <= text.get_position()[0] < right
    # A comma stays with its word.
    assert all(heights[n] == heights[n - 1] for n, w in enumerate(words) if w == ",")


def test_it_draws_on_given_axes_and_a_word_without_a_gradient_is_grey():
    ax = Figure().subplots()
    given = sentence(["red", "bird"], shares=np.zeros((2, 3)))
    assert explained_sentence(given, ax) is ax
    assert {to_rgba(text.get_color()) for text in ax.texts} == {to_rgba("0.4")}


@pytest.mark.parametrize(
    "changed",
    [{"words": ()}, {"probabilities": np.ones(3)}, {"shares": np.ones((2, 4))}],
)
def test_numbers_that_do_not_fit_are_refused(changed):
    given = dataclasses.replace(sentence(["red", "bird"]), **changed)
    with pytest.raises(ValueError, match="Expected a probability and a share"):
        explained_sentence(given)
