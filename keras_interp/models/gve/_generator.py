"""The generator of GVE: its layers, and what they are given."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp import _backend
from keras_interp.datasets.vocabulary import Vocabulary
from keras_interp.layers import ExplanationLSTM
from keras_interp.models.gve._arguments import (
    ABLATIONS,
    Seen,
    checked_features,
    checked_labels,
)
from keras_interp.models.interpnet._captions import Captions
from keras_interp.models.interpnet._context import ContextBlock
from keras_interp.models.interpnet._sentences import SentenceWriter
from keras_interp.models.interpnet._training import words_before

# Of all weights at the start, in the authors' code.
INITIAL_RANGE = 0.08


class Generator(keras.Model):
    """Gives the scores of words from an image's features and its class.

    Attributes:
        settings: arguments of `GVE` by name.
        vocabulary: the words.
        class_features: weight `(num_classes, class_feature_dim)`, or None.
        context_dim: length of what the second LSTM sees at every word.
    """

    settings: dict[str, Any]
    vocabulary: Vocabulary

    def make_layers(self) -> None:
        settings, seen = self.settings, self.seen
        units, seed = settings["units"], settings["seed"]
        width = 0
        if seen.image:
            self.image_projection = keras.layers.Dense(
                units,
                kernel_initializer=keras.initializers.RandomUniform(
                    -INITIAL_RANGE, INITIAL_RANGE, seed=seed
                ),
                dtype=self.dtype_policy,
                name="image_projection",
            )
            self.image_projection.build((None, settings["feature_dim"]))
            width += units
        self.class_features = None
        if seen.label:
            length = settings["class_feature_dim"] or units
            self.class_features = self.add_weight(
                shape=(settings["num_classes"], length),
                initializer="zeros",
                dtype="float32",
                trainable=False,
                autocast=False,
                name="class_features",
            )
            width += length
        self.context_dim = width
        self.decoder = ExplanationLSTM(
            len(self.vocabulary),
            units,
            settings["embedding_dim"],
            None,
            settings["dropout"],
            seed=seed,
            dtype=self.dtype_policy,
            name="decoder",
        )
        self.decoder.build([(None, None), (None, width)])
        for number, weight in enumerate(self.decoder.trainable_variables):
            # Biases start as in any LSTM of Keras.
            if len(weight.shape) == 2:
                drawn = None if seed is None else seed + 1000 * (number + 1)
                uniform = keras.initializers.RandomUniform(
                    -INITIAL_RANGE, INITIAL_RANGE, seed=drawn
                )
                weight.assign(uniform(tuple(weight.shape), weight.dtype))

    @property
    def seen(self) -> Seen:
        """What the ablation is given: `image`, `label`, and `discriminative`."""
        return ABLATIONS[self.settings["ablation"]]

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.settings["num_classes"]

    @property
    def max_length(self) -> int:
        """Most words of a sentence."""
        return self.settings["max_length"]

    # What is computed -------------------------------------------------------------

    def conditioning(self, features: Any, labels: Any) -> Any:
        """What the second LSTM sees at every word.

        Args:
            features: tensor `(batch, feature_dim)`.
            labels: integer tensor `(batch,)`.

        Returns:
            float32 tensor `(batch, context_dim)`: the projected image, then the class.
        """
        parts = []
        if self.seen.image:
            parts.append(ops.cast(self.image_projection(features), "float32"))
        if self.seen.label:
            vectors = ops.convert_to_tensor(self.class_features)
            parts.append(ops.take(vectors, ops.cast(labels, "int32"), axis=0))
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    def arrays(
        self, features: Any, labels: Any, name: str = ""
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels as `conditioning` takes them.

        What the ablation does not see may be None, and zeros stand for it.

        Args:
            features: array `(N, feature_dim)`.
            labels: integers `(N,)`, or probabilities `(N, num_classes)`, of which the
                largest is taken.
            name: put before the names in error messages.

        Returns:
            float32 `(N, feature_dim)`, or `(N, 1)`, and int32 `(N,)`.

        Raises:
            ValueError: for what does not fit, or is not finite.
        """
        seen = self.seen
        if seen.image:
            width = self.settings["feature_dim"]
            features = checked_features(features, width, f"{name}features")
            count: int | None = len(features)
        else:
            count = None
        if seen.label or labels is not None:
            chosen = checked_labels(labels, count, self.num_classes, f"{name}labels")
        else:
            chosen = np.zeros(count or 0, "int32")
        if not seen.image:
            features = np.zeros((len(chosen), 1), "float32")
        return features, chosen

    # What stands for a class ------------------------------------------------------

    def set_class_features(self, class_features: Any) -> None:
        """Gives the model the vectors that stand for the classes.

        Args:
            class_features: array `(num_classes, class_feature_dim)`, as
                `mean_hidden_states` of a trained description model gives it.

        Raises:
            ValueError: for another shape, numbers that are not finite, zeros alone, or
                an ablation without the class.
        """
        if self.class_features is None:
            raise ValueError(
                "Expected no class features: this ablation does not see the class. "
                f"Received: ablation={self.settings['ablation']!r}. Leave them out."
            )
        wanted = tuple(self.class_features.shape)
        array = np.asarray(ops.convert_to_numpy(class_features), "float32")
        fits = array.shape == wanted and np.isfinite(array).all()
        if not fits or not array.any():
            raise ValueError(
                f"Expected class_features {wanted} of finite numbers, not all 0. "
                f"Received: shape {array.shape}. Give what mean_hidden_states gives, "
                "or set class_feature_dim."
            )
        self.class_features.assign(array)

    def has_class_features(self) -> bool:
        """Whether the vectors that stand for the classes were given."""
        return bool(np.any(ops.convert_to_numpy(self.class_features)))

    def check_class_features(self) -> None:
        """Refuse to go on where the classes are seen, but nothing stands for them."""
        if self.seen.label and not self.has_class_features():
            raise ValueError(
                "Expected a model with class features. Received: one that is not "
                "trained yet. Call fit_relevance or set_class_features first."
            )

    def mean_hidden_states(
        self, features: Any, labels: Any, captions: Any, batch_size: int = 256
    ) -> np.ndarray:
        """Mean state of the second LSTM over the sentences about each class.

        The state after each word but the last, while the sentence that people wrote is
        read, is averaged over the words of a sentence, then over the sentences of a
        class. Of a trained description model it is what stands for a class.

        Args:
            features: array `(N, feature_dim)`.
            labels: integers `(N,)`, the class of each image, from 0.
            captions: for each image a list of sentences.
            batch_size: sentences at a time. Defaults to 256.

        Returns:
            float32 `(num_classes, units)`.

        Raises:
            ValueError: if there is no sentence about a class, or what is given does not
                fit together.
        """
        chosen = checked_labels(labels, None, self.num_classes, "labels")
        vectors, chosen = self.arrays(features, chosen)
        self.check_class_features()
        rows = Captions(captions, len(chosen), self.vocabulary, self.max_length)
        missing = np.setdiff1d(np.arange(self.num_classes), chosen)
        if len(missing):
            raise ValueError(
                "Expected sentences about each class. Received: none about "
                f"{missing[:5].tolist()}. Number the classes from 0 without a gap."
            )
        size = min(batch_size, 1 << (len(rows) - 1).bit_length())
        states = self._compiled_states(vectors.shape[1], size, rows.words.shape[1])
        sums = np.zeros((self.num_classes, self.settings["units"]))
        for start in range(0, len(rows), size):
            # The last sentence fills the batch.
            places = np.arange(start, start + size)
            kept = np.minimum(places, len(rows) - 1)
            images = rows.pictures[kept]
            found = states(
                [vectors[images], chosen[images], rows.words[kept], rows.lengths[kept]]
            )[0]
            real = places < len(rows)
            np.add.at(sums, chosen[images][real], found[real])
        sentences = np.bincount(chosen[rows.pictures], minlength=self.num_classes)
        return (sums / sentences[:, None]).astype("float32")

    def _compiled_states(self, width: int, size: int, steps: int) -> Any:
        """Function that gives the mean state of each of `size` sentences."""

        def body(features: Any, labels: Any, words: Any, lengths: Any) -> list[Any]:
            term = self.decoder.context_term(self.conditioning(features, labels))

            def step(state: Any, before: Any) -> Any:
                _, state = self.decoder.step(before, term, state)
                # `scan` wants results like the state.
                return state, state

            start = self.decoder.initial_state(size)
            before = ops.transpose(words_before(words))
            _, (_, _, outputs, _) = ops.scan(step, start, before)
            counted = ops.arange(steps, dtype="int32")[:, None] < lengths[None, :]
            kept = ops.where(counted[..., None], outputs, ops.zeros_like(outputs))
            count = ops.cast(ops.maximum(lengths, 1), "float32")[:, None]
            return [ops.sum(kept, axis=0) / count]

        specs = [
            _backend.ArraySpec((size, width), "float32"),
            _backend.ArraySpec((size,), "int32"),
            _backend.ArraySpec((size, steps), "int32"),
            _backend.ArraySpec((size,), "int32"),
        ]
        return _backend.compiled(body, specs, lambda: self.variables)


class ContextWriter(SentenceWriter):
    """Decodes sentences from what the second LSTM sees."""

    def __init__(
        self,
        decoder: ExplanationLSTM,
        vocabulary: Vocabulary,
        max_length: int,
        width: int,
    ):
        self.decoder = decoder
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.context_blocks = (ContextBlock("context", 0, width),)
        self._compiled = {}
