"""The sentences that an InterpNet writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keras_interp import _backend
from keras_interp.datasets.vocabulary import Vocabulary
from keras_interp.layers import ExplanationLSTM
from keras_interp.models.interpnet import _decoding
from keras_interp.models.interpnet._context import check_finite
from keras_interp.models.interpnet._sentence_memory import SentenceMemory
from keras_interp.models.interpnet._word_origins import (
    ExplainedSentence,
    WordOrigins,
    explained_sentences,
)

# Sentences that are drawn together.
DRAWN = 4096


class SentenceWriter:
    """Writes sentences from r(x).

    Attributes:
        decoder: the decoder.
        vocabulary: the words.
        max_length: most words of a sentence.
    """

    decoder: ExplanationLSTM
    vocabulary: Vocabulary
    max_length: int
    context: Callable[..., np.ndarray]
    context_blocks: Any
    _compiled: dict[Any, Any]

    def explain(
        self,
        inputs: Any = None,
        beam_width: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        seed: int | None = None,
        batch_size: int = 256,
        *,
        context: Any = None,
    ) -> list[str]:
        """A sentence for each picture.

        Args:
            inputs: array `(N, ...)` as the classifier takes it; None with `context`.
            beam_width: sentences that are followed at once, of which the best by the
                sum of log-probabilities over `(5 + len)^0.7 / 6^0.7` is given. Defaults
                to 1, the most likely word at each step, as the paper's results are.
            temperature: draws each word by chance, the logits divided by this. None
                (default) draws none.
            top_p: draws from the likeliest words alone, whose probability together is
                this; `temperature` is then 1 by default. None (default): from all.
            max_length: most words, the terminal one among them. Defaults to the
                model's.
            seed: of the chance; the same sentences come with every backend and batch
                size. None (default) follows `keras.utils.set_random_seed`.
            batch_size: pictures that are decoded together. Defaults to 256.
            context: `(N, features)`, r(x) as `context` gives it, of other pictures say,
                in place of `inputs`.

        Returns:
            List of N str such as `"this bird has a red crown, and a white belly."`.

        Raises:
            ValueError: for both or neither of `inputs` and `context`, numbers that are
                not finite, or arguments that do not go together.
        """
        words = self.explain_ids(
            inputs,
            beam_width,
            temperature,
            top_p,
            max_length,
            seed,
            batch_size,
            context=context,
        )
        return self.vocabulary.decode(words)

    def explain_ids(
        self,
        inputs: Any = None,
        beam_width: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        seed: int | None = None,
        batch_size: int = 256,
        *,
        context: Any = None,
    ) -> np.ndarray:
        """The sentences of `explain` as numbers of the vocabulary.

        Args:
            inputs: array `(N, ...)` as the classifier takes it; None with `context`.
            beam_width: sentences that are followed at once. Defaults to 1.
            temperature: that the logits are divided by before a word is drawn. None
                (default) draws none.
            top_p: share of the probability that is drawn from. None (default): all.
            max_length: most words, the terminal one among them. Defaults to the
                model's.
            seed: of the chance. None (default) follows `keras.utils.set_random_seed`.
            batch_size: pictures that are decoded together. Defaults to 256.
            context: `(N, features)`, r(x), in place of `inputs`.

        Returns:
            int32 `(N, max_length)`, with zeros after the terminal word.

        Raises:
            ValueError: as `explain`.
        """
        max_length = self.max_length if max_length is None else max_length
        _check_whole(
            beam_width=beam_width, max_length=max_length, batch_size=batch_size
        )
        _check_chance(beam_width, temperature, top_p)
        read = self._context_of(inputs, context)
        if not len(read):
            return np.zeros((0, max_length), "int32")
        extra: list[np.ndarray] = []
        method = ("beam", int(beam_width))
        if beam_width == 1:
            method = ("greedy", 1)
        if temperature is not None or top_p is not None:
            method = ("sample", int(top_p is not None))
            rng = np.random.default_rng(
                np.random.randint(2**31) if seed is None else seed
            )
            # A row a picture: the batches do not matter.
            extra = [rng.random((len(read), max_length), dtype="float32")]
        numbers = [1.0 if n is None else float(n) for n in (temperature, top_p)]
        return self._decoded(method, read, extra, numbers, int(max_length), batch_size)

    def explain_by_consensus(
        self,
        inputs: Any = None,
        memory: SentenceMemory | None = None,
        samples: int = 64,
        temperature: float = 1.0,
        max_length: int | None = None,
        seed: int | None = None,
        *,
        context: Any = None,
    ) -> list[str]:
        """The sentence for each picture that agrees most with others about it.

        Sentences are drawn for the picture, as by `explain(temperature=)`. Agreement is
        the mean cosine of CIDEr with them, and with what people wrote of pictures of
        the classes that it may be, where the memory has labels. What is said is the
        best of the drawn sentences, and then of those of the memory.

        Example:

        ```python
        captions = [["a red bird."], ["a bird with a red head."], ["a blue bird."]]
        vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
        classifier = ki.models.interpnet_classifier(16, 2, hidden_units=(8,))
        model = ki.models.InterpNet(classifier, vocabulary, units=8, max_length=8)
        memory = ki.models.SentenceMemory(vocabulary, captions, labels=[0, 0, 1])
        print(model.explain_by_consensus(np.random.rand(2, 16), memory, samples=4))
        ```

        Args:
            inputs: array `(N, ...)` as the classifier takes it; None with `context`.
            memory: `keras_interp.models.SentenceMemory` of the training sentences, of
                the model's vocabulary.
            samples: sentences that are drawn for a picture. Defaults to 64.
            temperature: that the logits are divided by before a word is drawn. Defaults
                to 1.
            max_length: most words, the terminal one among them. Defaults to the
                model's.
            seed: of the chance; the same sentences come with every number of pictures.
                None (default) follows `keras.utils.set_random_seed`.
            context: `(N, features)`, r(x) as `context` gives it, in place of `inputs`.

        Returns:
            List of N str.

        Raises:
            ValueError: for no memory or one of another vocabulary, a memory with labels
                where r(x) has no probabilities, and as `explain`.

        Reference:
            Devlin, Gupta, Girshick, Mitchell, Zitnick, "Exploring Nearest Neighbor
            Approaches for Image Captioning", 2015, section 3.2, on sentences that the
            decoder draws; also known as minimum Bayes risk decoding.
        """
        max_length = self.max_length if max_length is None else max_length
        _check_whole(samples=samples, max_length=max_length)
        _check_chance(1, temperature, None)
        if not isinstance(memory, SentenceMemory) or (
            memory.vocabulary != self.vocabulary
        ):
            raise ValueError(
                "Expected a SentenceMemory of the model's vocabulary. Received: memory="
                f"{memory!r}. Make one with SentenceMemory(model.vocabulary, captions, "
                "labels)."
            )
        read = self._context_of(inputs, context)
        chances = None if memory.labels is None else self._probabilities_in(read)
        if not len(read):
            return []
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)
        uniform = rng.random((len(read), samples, max_length), dtype="float32")
        pictures = max(1, DRAWN // samples)
        drawn = []
        for start in range(0, len(read), pictures):
            some = slice(start, start + pictures)
            extra = uniform[some].reshape(-1, max_length)
            rows = np.repeat(read[some], samples, axis=0)
            drawn.append(
                self._decoded(
                    ("sample", 0), rows, [extra], [temperature, 1.0], max_length, DRAWN
                )
            )
        words = np.concatenate(drawn).reshape(len(read), samples, max_length)
        return self.vocabulary.decode(memory.chosen(words, chances, max_length))

    def _probabilities_in(self, read: np.ndarray) -> np.ndarray:
        """The classes' part of r(x), whatever its scale."""
        block = self.context_blocks[-1]
        if block.name != "probabilities" or block.stop - block.start < 2:
            raise ValueError(
                "Expected r(x) with the probabilities of two classes or more. "
                f"Received: one that ends with {block.name!r}. Leave out labels= of "
                "the memory."
            )
        return read[:, block.slice]

    def explain_words(
        self,
        inputs: Any = None,
        sentences: Any = None,
        beam_width: int = 1,
        *,
        context: Any = None,
    ) -> list[ExplainedSentence]:
        """How sure each word of a sentence is, and which layers of r(x) it drew on.

        The share of a layer is the length of the gradient of the word's log-probability
        by that layer's part of r(x), over the sum of these lengths of all layers: what
        a small change there would change, not what the layer as a whole did.

        Example:

        ```python
        vocabulary = ki.datasets.Vocabulary(["a", "bird", "red"])
        classifier = ki.models.interpnet_classifier(16, 3, hidden_units=(8,))
        model = ki.models.InterpNet(classifier, vocabulary, units=8)
        said = model.explain_words(np.random.rand(2, 16), ["a red bird", "a bird"])
        print(said[0].words, said[0].layers)
        ```

        Args:
            inputs: array `(N, ...)` as the classifier takes it; None with `context`.
            sentences: a sentence for each picture, whose words are to be explained.
                None (default): those that `explain` gives.
            beam_width: of `explain`, where no sentences are given. Defaults to 1.
            context: `(N, features)`, r(x), in place of `inputs`.

        Returns:
            List of N `keras_interp.models.ExplainedSentence`.

        Raises:
            ValueError: for another number of sentences than of pictures, and as
                `explain`.
        """
        read = self._context_of(inputs, context)
        if sentences is None:
            ids = self.explain_ids(beam_width=beam_width, context=read)
            lengths = (ids != 0).sum(axis=-1)
        else:
            ids, lengths = self.vocabulary.encode(sentences, self.max_length)
        if len(ids) != len(read):
            raise ValueError(
                f"Expected a sentence for each of {len(read)} pictures. Received: "
                f"{len(ids)} sentences. Give one for each, or none."
            )
        # A multiple of eight, so that few sizes are ever traced.
        steps = int(-(-lengths.max() // 8) * 8)
        ids = np.pad(ids, [(0, 0), (0, max(0, steps - ids.shape[1]))])[:, :steps]
        key = ("words", 0, steps)
        blocks = self.context_blocks
        if key not in self._compiled:
            self._compiled[key] = WordOrigins(self.decoder, blocks, steps)
        return explained_sentences(
            self._compiled[key],
            read,
            ids,
            lengths,
            self.vocabulary.words,
            tuple(block.name for block in blocks),
        )

    def _context_of(self, inputs: Any, context: Any) -> np.ndarray:
        """r(x), whichever way it is given."""
        if (inputs is None) == (context is None):
            both = "neither" if inputs is None else "both"
            raise ValueError(
                "Expected either inputs or context. Received: "
                f"{both}. Call explain(inputs), or explain(context=r)."
            )
        if context is None:
            return self.context(inputs)
        read = np.asarray(context, "float32")
        wanted = self.context_blocks[-1].stop
        if read.ndim != 2 or read.shape[1] != wanted:
            raise ValueError(
                f"Expected context (pictures, {wanted}). Received: context of shape "
                f"{read.shape}. Give what model.context(inputs) gives."
            )
        return check_finite(read)

    def _decoded(
        self,
        method: tuple[str, int],
        read: np.ndarray,
        extra: list[np.ndarray],
        numbers: list[float],
        max_length: int,
        batch_size: int,
    ) -> np.ndarray:
        # A power of two, so that few sizes are ever traced.
        size = min(batch_size, 1 << (len(read) - 1).bit_length())
        function = self._function(method, size, max_length)
        found = []
        for start in range(0, len(read), size):
            arrays = [a[start : start + size] for a in (read, *extra)]
            count = len(arrays[0])
            # The last picture fills the batch: its sentence ends when it ends.
            rows = np.minimum(np.arange(size), count - 1)
            arrays = [a[rows] for a in arrays]
            if extra:
                arrays = [arrays[0], np.ascontiguousarray(arrays[1].T)]
                arrays += [np.asarray(n, "float32") for n in numbers]
            found.append(function(arrays)[0][:count])
        return np.concatenate(found).astype("int32")

    def _function(self, method: tuple[str, int], size: int, max_length: int) -> Any:
        """The compiled function of a way of decoding."""
        key = (*method, size, max_length)
        if key not in self._compiled:
            decoder = self.decoder
            features = self.context_blocks[-1].stop
            specs = [_backend.ArraySpec((size, features), "float32")]
            name, option = method
            if name == "sample":
                specs.append(_backend.ArraySpec((max_length, size), "float32"))
                specs += [_backend.ArraySpec((), "float32")] * 2

            def body(context: Any, *drawn: Any) -> list[Any]:
                if name == "greedy":
                    return [_decoding.greedy(decoder, context, max_length)]
                if name == "beam":
                    return [_decoding.beam(decoder, context, option, max_length)]
                uniform, heat, top_p = drawn
                chance = _decoding.Chance(uniform, heat, top_p, bool(option))
                return [_decoding.sample(decoder, context, chance, max_length)]

            self._compiled[key] = _backend.compiled(
                body, specs, lambda: decoder.variables
            )
        return self._compiled[key]


def _check_whole(**values: Any) -> None:
    for name, value in values.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < 1:
            raise ValueError(
                f"Expected {name} as a positive integer. Received: {name}={value!r}. "
                "Give such a number."
            )


def _check_chance(
    beam_width: int, temperature: float | None, top_p: float | None
) -> None:
    for name, value, most in (
        ("temperature", temperature, np.inf),
        ("top_p", top_p, 1.0),
    ):
        if value is not None and not 0.0 < value <= most:
            words = "a positive number" + ("" if most == np.inf else " of at most 1")
            raise ValueError(
                f"Expected {name} as {words}. Received: {name}={value!r}. Leave it out "
                "for the likeliest word."
            )
    if beam_width > 1 and (temperature is not None or top_p is not None):
        raise ValueError(
            "Expected either a beam or chance. Received: beam_width="
            f"{beam_width}, temperature={temperature}, top_p={top_p}. Leave one out."
        )
