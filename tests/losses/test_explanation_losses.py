"""The two terms of the loss of GVE."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

import keras_interp as ki
from keras_interp import _backend

PROBABILITIES = [
    [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]],
    [[0.25, 0.25, 0.5], [0.1, 0.1, 0.8]],
]
WORDS = [[0, 2], [2, 0]]


def test_relevance_is_a_sum_over_words_and_a_mean_over_sentences():
    # -(ln 1/2 + ln 1/8) = 4 ln 2, and -ln 1/2 = ln 2; the second word does not count.
    loss = ki.losses.relevance_loss(WORDS, np.log(PROBABILITIES), [2, 1])
    assert float(loss) == pytest.approx(2.5 * np.log(2), rel=1e-5)


def test_rewards_weigh_the_sentences_that_were_drawn():
    loss = ki.losses.discriminative_loss(
        WORDS, np.log(PROBABILITIES), [2, 1], [0.25, 0.5]
    )
    # (1/4 * 4 ln 2 + 1/2 * ln 2) / 2
    assert float(loss) == pytest.approx(0.75 * np.log(2), rel=1e-5)


@pytest.mark.parametrize("name", ["relevance_loss", "discriminative_loss"])
def test_rows_of_length_0_do_not_count(name):
    loss = getattr(ki.losses, name)
    extra = [[1.0]] if name == "discriminative_loss" else []
    one = loss(WORDS[:1], np.log(PROBABILITIES[:1]), [2], *extra)
    extra = [[1.0, 9.0]] if extra else []
    two = loss(WORDS, np.log(PROBABILITIES), [2, 0], *extra)
    assert float(two) == pytest.approx(float(one), rel=1e-6)
    extra = [[1.0, 9.0]] if extra else []
    assert float(loss(WORDS, np.log(PROBABILITIES), [0, 0], *extra)) == 0.0


def test_the_gradient_is_the_reward_times_that_of_the_log_probability():
    logits = np.log(PROBABILITIES).astype("float32")
    rewards = np.array([0.25, 0.5], "float32")
    slope = _backend.gradient(
        lambda z: ki.losses.discriminative_loss(WORDS, z, [2, 1], rewards), logits
    )
    said = np.eye(3)[WORDS]
    expected = (np.array(PROBABILITIES) - said) * rewards[:, None, None] / 2
    expected[1, 1] = 0.0
    np.testing.assert_allclose(slope, expected, atol=1e-6)


def test_no_gradient_reaches_the_rewards():
    def loss(rewards):
        return ki.losses.discriminative_loss(
            WORDS, np.log(PROBABILITIES), [2, 1], rewards
        )

    slope = _backend.gradient(loss, np.ones(2, "float32"))
    np.testing.assert_array_equal(slope, 0.0)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 6), st.integers(0, 99))
def test_with_rewards_of_1_both_are_the_same(batch, steps, size, seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, size, (batch, steps))
    logits = rng.normal(size=(batch, steps, size)).astype("float32")
    lengths = rng.integers(0, steps + 1, batch)
    relevance = ki.losses.relevance_loss(words, logits, lengths)
    drawn = ki.losses.discriminative_loss(words, logits, lengths, np.ones(batch))
    assert float(relevance) == pytest.approx(float(drawn), rel=1e-6)
    assert float(relevance) >= 0.0


def test_half_precision_is_summed_in_float32():
    logits = ops.cast(np.log(PROBABILITIES), "float16")
    loss = ki.losses.relevance_loss(WORDS, logits, [2, 1])
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Expected words"):
        ki.losses.relevance_loss(WORDS, np.log(PROBABILITIES), [2])
    with pytest.raises(ValueError, match="Expected a reward for each sentence"):
        ki.losses.discriminative_loss(WORDS, np.log(PROBABILITIES), [2, 1], [1.0])
