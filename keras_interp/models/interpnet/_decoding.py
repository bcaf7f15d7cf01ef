"""From r(x) to a sentence: the best word at each step, a beam of them, or chance.

Each function is the body of a compiled one: the pictures of a batch are decoded
together, a step of a loop is a word of all of them, and the loop ends with the last
sentence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_interp.datasets.vocabulary import START_ID, TERMINAL_ID, UNKNOWN_ID
from keras_interp.layers import ExplanationLSTM

# Stands for the logarithm of 0, and can be added up.
NEVER = -1e9
# Exponent and base of the length penalty.
PENALTY_EXPONENT = 0.7
PENALTY_OFFSET = 5.0


def length_penalty(length: Any) -> Any:
    """`(5 + len)^0.7 / 6^0.7`, by which a sum of log-probabilities is divided."""
    offset = ops.cast(length, "float32") + PENALTY_OFFSET
    return ops.power(offset / (PENALTY_OFFSET + 1.0), PENALTY_EXPONENT)


def greedy(decoder: ExplanationLSTM, context: Any, max_length: int) -> Any:
    """The most likely word at each step.

    Args:
        decoder: built decoder.
        context: `(batch, features)`.
        max_length: most words.

    Returns:
        int32 `(batch, max_length)`, with zeros after the terminal word.
    """
    return _one_by_one(
        decoder, context, max_length, lambda logits, place: ops.argmax(logits, axis=-1)
    )


class Chance(NamedTuple):
    """What decides which words are drawn.

    Attributes:
        uniform: `(max_length, batch)`, numbers from 0 to 1.
        temperature: that the logits are divided by.
        top_p: share of the probability that the likeliest words must have together.
        nucleus: whether `top_p` is used at all.
    """

    uniform: Any
    temperature: Any
    top_p: Any
    nucleus: bool


def sample(
    decoder: ExplanationLSTM, context: Any, chance: Chance, max_length: int
) -> Any:
    """Words drawn from the probabilities, or from the likeliest of them.

    Args:
        decoder: built decoder.
        context: `(batch, features)`.
        chance: what decides.
        max_length: most words.

    Returns:
        int32 `(batch, max_length)`, with zeros after the terminal word.
    """

    def draw(logits: Any, place: Any) -> Any:
        scaled = logits / chance.temperature
        # Sorted, the words below any share of the probability are the first ones.
        scaled, words = (
            ops.top_k(scaled, k=logits.shape[-1]) if chance.nucleus else (scaled, None)
        )
        reached = ops.cumsum(ops.softmax(scaled, axis=-1), axis=-1)
        total = reached[:, -1:]
        if chance.nucleus:
            # The last word that is needed to reach top_p is in; rounding must not lose
            # the first.
            needed = ops.cast(reached < chance.top_p * total, "int32")
            last = ops.minimum(
                ops.sum(needed, axis=-1, keepdims=True), logits.shape[-1] - 1
            )
            total = ops.take_along_axis(reached, last, axis=-1)
        drawn = ops.take(chance.uniform, place, axis=0)[:, None] * total
        chosen = ops.sum(ops.cast(reached <= drawn, "int32"), axis=-1, keepdims=True)
        chosen = ops.minimum(chosen, logits.shape[-1] - 1)
        if words is None:
            return chosen[:, 0]
        return ops.take_along_axis(words, ops.cast(chosen, words.dtype), axis=-1)[:, 0]

    return _one_by_one(decoder, context, max_length, draw)


def _one_by_one(
    decoder: ExplanationLSTM, context: Any, max_length: int, choose: Any
) -> Any:
    count = context.shape[0]
    term = decoder.context_term(context)
    forbidden = forbidden_words(decoder.vocabulary_size)

    def going_on(place: Any, words: Any, ended: Any, *_: Any) -> Any:
        return ops.logical_and(place < max_length, ops.logical_not(ops.all(ended)))

    def step(place: Any, words: Any, ended: Any, said: Any, *before: Any) -> Any:
        logits, state = decoder.step(words, term, before)
        chosen = ops.cast(choose(logits + forbidden, place), "int32")
        words = ops.where(ended, START_ID, chosen)
        said = _written(said, words, place)
        ended = ops.logical_or(ended, words == TERMINAL_ID)
        return place + 1, words, ended, said, *state

    start = (
        ops.zeros((), "int32"),
        ops.full((count,), START_ID, "int32"),
        ops.zeros((count,), "bool"),
        ops.zeros((count, max_length), "int32"),
        *decoder.initial_state(count),
    )
    return ops.while_loop(going_on, step, start)[3]


def beam(decoder: ExplanationLSTM, context: Any, width: int, max_length: int) -> Any:
    """The best of several sentences that are followed at once.

    At each step the `width` best sentences are kept, of all that are one word longer
    and of those that have ended; all are compared by the sum of their log-probabilities
    over the length penalty. It ends when all that are kept have ended.

    Args:
        decoder: built decoder.
        context: `(batch, features)`.
        width: sentences that are followed.
        max_length: most words.

    Returns:
        int32 `(batch, max_length)`: of the sentences that ended, the best there ever
        was; where none did, the best that was followed.
    """
    count, size = context.shape[0], decoder.vocabulary_size
    term = ops.repeat(decoder.context_term(context), width, axis=0)
    forbidden = forbidden_words(size)
    rows = ops.arange(count, dtype="int32")[:, None] * width
    # Of the words after a sentence no more than the best `width` can be kept.
    choices = min(width, size)
    # What has ended goes on with nothing, in one way.
    nothing = ops.cast(np.where(np.arange(choices) == 0, 0.0, NEVER), "float32")

    def going_on(place: Any, ended: Any, *_: Any) -> Any:
        return ops.logical_and(place < max_length, ops.logical_not(ops.all(ended)))

    def step(
        place: Any,
        ended: Any,
        words: Any,
        sums: Any,
        lengths: Any,
        said: Any,
        best: Any,
        best_said: Any,
        *before: Any,
    ) -> Any:
        logits, state = decoder.step(ops.reshape(words, (-1,)), term, before)
        logits = logits + forbidden
        likely, next_words = ops.top_k(logits, k=choices)
        likely = likely - ops.logsumexp(logits, axis=-1, keepdims=True)
        likely = ops.reshape(likely, (count, width, choices))
        likely = ops.where(ended[..., None], nothing, likely)
        next_words = ops.reshape(ops.cast(next_words, "int32"), likely.shape)
        next_words = ops.where(ended[..., None], START_ID, next_words)
        longer = ops.where(ended, lengths, lengths + 1)
        reached = sums[..., None] + likely
        scores = reached / length_penalty(longer)[..., None]
        scores, places = ops.top_k(ops.reshape(scores, (count, -1)), k=width)
        places = ops.cast(places, "int32")
        parents = places // choices
        words = _of(ops.reshape(next_words, (count, -1)), places)
        taken = ops.reshape(rows + parents, (-1,))
        ended = _of(ended, parents)
        lengths = _of(longer, parents)
        sums = _of(ops.reshape(reached, (count, -1)), places)
        said = ops.reshape(said, (count * width, max_length))
        said = ops.take(said, taken, axis=0)
        said = _written(said, ops.reshape(words, (-1,)), place)
        said = ops.reshape(said, (count, width, max_length))
        ended = ops.logical_or(ended, words == TERMINAL_ID)
        state = [ops.take(tensor, taken, axis=0) for tensor in state]
        # What goes on, and what never was a sentence, is no best sentence.
        counts = ops.logical_and(ended, scores > NEVER / 100.0)
        scores = ops.where(counts, scores, 2.0 * NEVER)
        first = ops.argmax(scores, axis=1)[:, None]
        top = ops.take_along_axis(scores, first, axis=1)[:, 0]
        better = top > best
        top_said = ops.take_along_axis(said, first[..., None], axis=1)[:, 0]
        best = ops.where(better, top, best)
        best_said = ops.where(better[:, None], top_said, best_said)
        return place + 1, ended, words, sums, lengths, said, best, best_said, *state

    # At first all are the same sentence, of which one may go on.
    sums = np.where(np.arange(width) == 0, 0.0, NEVER)[None] + np.zeros((count, 1))
    start = (
        ops.zeros((), "int32"),
        ops.zeros((count, width), "bool"),
        ops.full((count, width), START_ID, "int32"),
        ops.convert_to_tensor(sums.astype("float32")),
        ops.zeros((count, width), "int32"),
        ops.zeros((count, width, max_length), "int32"),
        ops.full((count,), NEVER, "float32"),
        ops.zeros((count, max_length), "int32"),
        *decoder.initial_state(count * width),
    )
    _, _, _, _, _, said, best, best_said, *_ = ops.while_loop(going_on, step, start)
    return ops.where((best > NEVER / 2.0)[:, None], best_said, said[:, 0])


def _of(values: Any, places: Any) -> Any:
    """Values of each picture at places of its own."""
    return ops.take_along_axis(values, places, axis=1)


def _written(said: Any, words: Any, place: Any) -> Any:
    """Words at a place that was 0."""
    columns = ops.arange(said.shape[-1], dtype="int32")
    return ops.where(columns == place, words[:, None], said)


def forbidden_words(size: int) -> Any:
    """What is added to logits so that the start and the unknown are never said."""
    wrong = np.isin(np.arange(size), (START_ID, UNKNOWN_ID))
    return ops.cast(np.where(wrong, NEVER, 0.0), "float32")
