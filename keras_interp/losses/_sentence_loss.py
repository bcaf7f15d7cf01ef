"""The cross entropy of sentences, each divided by its own length."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

# Added to each probability in the authors' code: no word costs more than 18.4.
LEAST_PROBABILITY = 1e-8


def sentence_loss(words: Any, logits: Any, lengths: Any) -> Any:
    """Cross entropy of each sentence, as a mean over its own words.

    `-(1/len) sum_t log(p_t(w_t) + 1e-8)`, of which L_E is the mean over sentences: a
    short sentence counts as much as a long one. It is computed from logits, in float32
    under any policy.

    Example:

    ```python
    words = np.array([[1, 0], [1, 1]])
    logits = np.log([[[0.5, 0.5], [0.9, 0.1]], [[0.75, 0.25], [0.5, 0.5]]])
    loss = ki.losses.sentence_loss(words, logits, lengths=[1, 2])
    print(np.round(loss, 4))  # [0.6931 1.0397]
    ```

    Args:
        words: integers `(batch, steps)`, the words that were to be said.
        logits: `(batch, steps, vocabulary size)`, before the softmax.
        lengths: integers `(batch,)`, number of words of each sentence, its terminal
            word included; what stands after them does not count.

    Returns:
        float32 `(batch,)`; 0 for a sentence of length 0.

    Raises:
        ValueError: if the shapes do not fit together.

    Reference:
        Barratt, "InterpNET: Neural Introspection for Interpretable Deep Learning",
        2017, section 2.3; the length and the constant are those of its released code.
    """
    words, logits, lengths = (
        ops.convert_to_tensor(x) for x in (words, logits, lengths)
    )
    ranks = len(words.shape), len(logits.shape), len(lengths.shape)
    if (
        ranks != (2, 3, 1)
        or _differ(words.shape, logits.shape[:2])
        or _differ(words.shape[:1], lengths.shape)
    ):
        raise ValueError(
            "Expected words (batch, steps), logits (batch, steps, vocabulary size) and "
            f"lengths (batch,). Received: shapes {tuple(words.shape)}, "
            f"{tuple(logits.shape)} and {tuple(lengths.shape)}. Give a logit for each "
            "word of the vocabulary at each step."
        )
    logits = ops.cast(logits, "float32")
    said = ops.cast(words, "int32")[..., None]
    chosen = ops.take_along_axis(logits, said, axis=-1)[..., 0]
    log_probability = chosen - ops.logsumexp(logits, axis=-1)
    floored = ops.logaddexp(log_probability, np.float32(np.log(LEAST_PROBABILITY)))
    steps = ops.arange(ops.shape(words)[1], dtype="int32")
    lengths = ops.cast(lengths, "int32")
    counted = steps[None, :] < lengths[:, None]
    total = -ops.sum(ops.where(counted, floored, ops.zeros_like(floored)), axis=-1)
    return total / ops.cast(ops.maximum(lengths, 1), "float32")


def _differ(first: Any, second: Any) -> bool:
    pairs = zip(first, second, strict=True)
    return any(None not in (a, b) and a != b for a, b in pairs)
