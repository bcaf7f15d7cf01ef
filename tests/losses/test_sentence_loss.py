"""L_E, the cross entropy of sentences by their own length."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki


def test_the_value_worked_out_by_hand():
    probabilities = np.array(
        [
            [[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.9, 0.05, 0.05]],
            [[0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]],
        ]
    )
    words = [[1, 2, 0], [0, 1, 2]]
    # Two words of the first count: -(ln 0.25 + ln 0.8) / 2; three of the second.
    expected = [
        (1.3862943611 + 0.2231435513) / 2,
        (1.6094379124 + 1.2039728043 + 2.3025850930) / 3,
    ]
    # What a softmax does not see is added.
    logits = np.log(probabilities) + 3.0
    loss = ki.losses.sentence_loss(words, logits, [2, 3])
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-6)


def test_the_constant_bounds_what_a_word_costs():
    logits = np.zeros((1, 1, 2), "float32")
    logits[..., 0] = 500.0
    loss = ki.losses.sentence_loss([[1]], logits, [1])
    np.testing.assert_allclose(ops.convert_to_numpy(loss), [-np.log(1e-8)], rtol=1e-6)


def test_what_follows_the_end_does_not_count(rng):
    logits = rng.normal(size=(2, 4, 5)).astype("float32")
    words = rng.integers(0, 5, (2, 4))
    whole = ki.losses.sentence_loss(words, logits, [2, 0])
    logits[:, 2:], words[:, 2:] = np.inf, 3
    logits[:, 2:, 1] = 0.0
    short = ki.losses.sentence_loss(words[:, :2], logits[:, :2], [2, 0])
    np.testing.assert_allclose(
        ops.convert_to_numpy(whole), ops.convert_to_numpy(short), rtol=1e-6
    )
    assert ops.convert_to_numpy(whole)[1] == 0.0


def test_half_precision_logits_are_computed_in_float32(rng):
    logits = rng.normal(0, 4, (3, 6, 50)).astype("float16")
    words, lengths = rng.integers(0, 50, (3, 6)), [6, 4, 1]
    half = ki.losses.sentence_loss(words, logits, lengths)
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
    whole = ki.losses.sentence_loss(words, logits.astype("float32"), lengths)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(half), ops.convert_to_numpy(whole)
    )


@pytest.mark.parametrize(
    "shapes",
    [((2, 3), (2, 4, 5), (2,)), ((2, 3), (2, 3), (2,)), ((6,), (2, 3, 5), (2,))],
)
def test_shapes_that_do_not_fit_are_said(shapes):
    words, logits, lengths = shapes
    with pytest.raises(ValueError, match="Expected words"):
        ki.losses.sentence_loss(
            np.zeros(words, "int32"), np.zeros(logits), np.ones(lengths, "int32")
        )
