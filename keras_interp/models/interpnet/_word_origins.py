"""How sure each word of a sentence is, and which layers it drew on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from keras_interp import _backend
from keras_interp.layers import ExplanationLSTM
from keras_interp.models.interpnet._context import ContextBlock
from keras_interp.models.interpnet._decoding import forbidden_words
from keras_interp.models.interpnet._training import words_before

# Sentences that a word of each is explained of at once: each is run once a word.
SENTENCES_AT_ONCE = 8
TINY = 1e-30


@dataclasses.dataclass(frozen=True)
class ExplainedSentence:
    """A sentence, how sure each word is, and which layers of r(x) it drew on.

    Attributes:
        words: tuple of str, the terminal word last where there is one.
        probabilities: float32 `(words,)`, of each word given those before it.
        layers: tuple of str, the layers of r(x).
        shares: float32 `(words, layers)`, of the length of the gradient of the word's
            log-probability; each row adds up to 1, or is 0 where there is no gradient.
    """

    words: tuple[str, ...]
    probabilities: np.ndarray
    layers: tuple[str, ...]
    shares: np.ndarray

    def __str__(self) -> str:
        text = " ".join(self.words).replace(" ,", ",").replace(" .", ".")
        return text if text.endswith(".") else f"{text}."


class WordOrigins:
    """Probability of each word of sentences, and its gradient's share for each block.

    Args:
        decoder: built decoder.
        blocks: of r(x).
        steps: words of the longest sentence.
    """

    def __init__(
        self, decoder: ExplanationLSTM, blocks: tuple[ContextBlock, ...], steps: int
    ):
        self._decoder, self._blocks, self._steps = decoder, blocks, steps
        specs = [
            _backend.ArraySpec((SENTENCES_AT_ONCE, blocks[-1].stop), "float32"),
            _backend.ArraySpec((SENTENCES_AT_ONCE, steps), "int32"),
        ]
        self._compiled = _backend.compiled(
            self._body, specs, lambda: self._decoder.variables
        )

    def __call__(
        self, context: np.ndarray, words: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities `(N, steps)` and lengths of gradients `(N, steps, blocks)`."""
        found = []
        for start in range(0, len(context), SENTENCES_AT_ONCE):
            rows = np.arange(start, start + SENTENCES_AT_ONCE)
            rows = np.minimum(rows, len(context) - 1)
            count = min(SENTENCES_AT_ONCE, len(context) - start)
            arrays = self._compiled([context[rows], words[rows]])
            found.append([array[:count] for array in arrays])
        chances, lengths = (np.concatenate(p) for p in zip(*found, strict=True))
        return chances, lengths

    def _body(self, context: Any, words: Any) -> list[Any]:
        count, steps = SENTENCES_AT_ONCE, self._steps
        # Each word has a sentence of its own, so that one backward pass serves all.
        places = ops.tile(ops.arange(steps), [count])
        repeated = ops.repeat(words, steps, axis=0)
        before = words_before(repeated)
        forbidden = forbidden_words(self._decoder.vocabulary_size)
        wanted = ops.take_along_axis(repeated, places[:, None], axis=1)

        def total(vectors: Any) -> tuple[Any, Any]:
            logits = ops.cast(self._decoder([before, vectors]), "float32")
            at = places[:, None, None]
            logits = ops.take_along_axis(logits, at, axis=1)[:, 0] + forbidden
            chosen = ops.take_along_axis(logits, wanted, axis=1)[:, 0]
            likely = chosen - ops.logsumexp(logits, axis=-1)
            return ops.sum(likely), likely

        vectors = ops.repeat(context, steps, axis=0)
        _, likely, slopes = _backend.value_and_gradient(total, vectors)
        lengths = [
            ops.sqrt(ops.sum(ops.square(slopes[:, block.slice]), axis=-1))
            for block in self._blocks
        ]
        return [
            ops.reshape(ops.exp(likely), (count, steps)),
            ops.reshape(ops.stack(lengths, axis=-1), (count, steps, -1)),
        ]


def explained_sentences(
    origins: WordOrigins,
    context: np.ndarray,
    ids: np.ndarray,
    lengths: np.ndarray,
    words: tuple[str, ...],
    layers: tuple[str, ...],
) -> list[ExplainedSentence]:
    """Sentences of pictures with what is known of each word.

    Args:
        origins: computes it.
        context: `(N, features)`, r(x).
        ids: int32 `(N, steps)`, the sentences.
        lengths: int `(N,)`, number of words of each.
        words: of the vocabulary, by number.
        layers: names of the blocks.

    Returns:
        List of N `ExplainedSentence`.
    """
    chances, sizes = origins(context, ids)
    total = sizes.sum(axis=-1, keepdims=True)
    shares = np.where(total > TINY, sizes / np.maximum(total, TINY), 0.0)
    return [
        ExplainedSentence(
            tuple(words[number] for number in row[:length]),
            chance[:length],
            layers,
            share[:length].astype("float32"),
        )
        for row, length, chance, share in zip(
            ids, lengths, chances, shares, strict=True
        )
    ]
