"""The two terms of the loss that makes a sentence fit an image and tell its class."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_interp.losses._sentence_loss import sentence_loss


def relevance_loss(words: Any, logits: Any, lengths: Any) -> Any:
    """Cross entropy of sentences, summed over words, as a mean over sentences.

    `-(1/N) sum_i sum_t log p(w_t | w_0..t-1, I, C)`: a long sentence counts more than a
    short one. It is computed from logits, in float32 under any policy.

    Example:

    ```python
    words = np.array([[1, 0], [1, 1]])
    logits = np.log([[[0.5, 0.5], [0.9, 0.1]], [[0.75, 0.25], [0.5, 0.5]]])
    print(np.round(ki.losses.relevance_loss(words, logits, [1, 2]), 4))  # 1.3863
    ```

    Args:
        words: integers `(batch, steps)`, the words that were to be said.
        logits: `(batch, steps, vocabulary size)`, before the softmax.
        lengths: integers `(batch,)`, number of words of each sentence, its terminal
            word included. A sentence of length 0 does not count.

    Returns:
        float32 scalar.

    Raises:
        ValueError: if the shapes do not fit together.

    Reference:
        Hendricks et al., "Generating Visual Explanations", ECCV 2016, section 3,
        "Relevance Loss".
    """
    lengths = ops.cast(lengths, "float32")
    each = sentence_loss(words, logits, lengths) * lengths
    return ops.sum(each) / _number_of_sentences(lengths)


def discriminative_loss(words: Any, logits: Any, lengths: Any, rewards: Any) -> Any:
    """A loss whose gradient is that of REINFORCE, for sentences that were drawn.

    `-(1/N) sum_i R_i sum_t log p(w_t)` with the rewards held constant. Its value means
    nothing; where the sentences are drawn from `p`, its gradient is on average that of
    `-E[R]`. It is computed from logits, in float32 under any policy.

    Example:

    ```python
    words = np.array([[1, 0], [1, 1]])
    logits = np.log([[[0.5, 0.5], [0.9, 0.1]], [[0.75, 0.25], [0.5, 0.5]]])
    loss = ki.losses.discriminative_loss(words, logits, [1, 2], rewards=[1.0, 0.5])
    print(np.round(loss, 4))  # 0.8664
    ```

    Args:
        words: integers `(batch, steps)`, the sentences that were drawn.
        logits: `(batch, steps, vocabulary size)`, before the softmax, of what they were
            drawn from.
        lengths: integers `(batch,)`, number of words of each sentence, its terminal
            word included. A sentence of length 0 does not count.
        rewards: `(batch,)`, R of each sentence: `p(C | sentence)` of a classifier of
            sentences.

    Returns:
        float32 scalar.

    Raises:
        ValueError: if the shapes do not fit together.

    Reference:
        Hendricks et al., "Generating Visual Explanations", ECCV 2016, section 3,
        "Discriminative Loss"; Williams, "Simple statistical gradient-following
        algorithms for connectionist reinforcement learning", 1992.
    """
    lengths = ops.cast(lengths, "float32")
    rewards = ops.stop_gradient(ops.cast(rewards, "float32"))
    if tuple(rewards.shape) != tuple(lengths.shape):
        raise ValueError(
            "Expected a reward for each sentence. Received: rewards of shape "
            f"{tuple(rewards.shape)} and lengths of shape {tuple(lengths.shape)}. Give "
            "one number for each sentence."
        )
    each = sentence_loss(words, logits, lengths) * lengths * rewards
    return ops.sum(each) / _number_of_sentences(lengths)


def _number_of_sentences(lengths: Any) -> Any:
    return ops.maximum(ops.sum(ops.cast(lengths > 0, "float32")), 1.0)
