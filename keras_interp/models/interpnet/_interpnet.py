"""InterpNET: any classifier, and a decoder that writes a sentence from what it did."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.datasets.vocabulary import LONGEST, Vocabulary
from keras_interp.layers import ExplanationLSTM
from keras_interp.models.interpnet._arguments import (
    check_other_pictures,
    check_whole,
    checked_callbacks,
    checked_options,
    checked_pair,
)
from keras_interp.models.interpnet._captions import Captions, check_captions
from keras_interp.models.interpnet._context import (
    ContextBlock,
    ContextReader,
    number_of,
)
from keras_interp.models.interpnet._self_critical import train_self_critical
from keras_interp.models.interpnet._sentences import SentenceWriter
from keras_interp.models.interpnet._training import (
    train_classes,
    train_sentences,
    words_before,
)

SETTINGS = (
    "conditioning",
    "layer_names",
    "normalize_blocks",
    "units",
    "embedding_dim",
    "projection",
    "dropout",
    "max_length",
    "seed",
)


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpNet(SentenceWriter, keras.Model):
    """A classifier that says in a sentence why.

    The activations of a trained classifier, joined to one vector r(x), are given to a
    decoder at each word of a sentence. The classifier is trained first, then the
    decoder on sentences that people wrote of the pictures; no gradient of the second
    reaches the first, so that its classes stay as they were. As a Keras model it is
    the classifier: `model.predict` gives probabilities.

    Example:

    ```python
    features, labels = np.random.rand(12, 16).astype("float32"), np.arange(12) % 3
    colors = ("red", "blue", "green")
    captions = [[f"this bird is {colors[label]}."] for label in labels]
    vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
    classifier = ki.models.interpnet_classifier(16, 3, hidden_units=(8,))
    model = ki.models.InterpNet(classifier, vocabulary, units=8, embedding_dim=4)
    train, validation = slice(0, 9), slice(9, 12)
    model.fit_classifier(
        features[train], labels[train],
        validation_data=(features[validation], labels[validation]), epochs=1, verbose=0,
    )
    model.fit_explainer(
        features[train], captions[train],
        validation_data=(features[validation], captions[validation]),
        epochs=1, verbose=0,
    )
    print(len(model.explain(features)))  # 12
    ```

    Args:
        classifier: any built functional or Sequential Keras model with one output of
            probabilities `(batch, classes)`.
        vocabulary: `keras_interp.datasets.Vocabulary`, the words that can be said. It
            is saved with the model.
        conditioning: what r(x) is. `"activations"` (default): what goes into the first
            dense layer at the end of the classifier, the activations of its hidden
            dense layers, and last the probabilities; this is InterpNet_1, 2, 3 for as
            many hidden layers. `"probabilities"` alone: InterpNet_0. `"input"`, what
            goes into the first dense layer alone: captioning.
        layer_names: layers whose outputs are r(x), in this order, or their paths
            through inner models such as `"backbone/relu5"`; the probabilities come
            last. Maps `(height, width, channels)` are averaged over their positions.
            None (default): those of `conditioning`.
        normalize_blocks: whether the part of r(x) of each layer is divided by its L2
            norm, for each picture. Defaults to False, as in the paper; layers of very
            different scale learn faster with it.
        units: of each LSTM of the decoder. Defaults to 512.
        embedding_dim: numbers that stand for a word. Defaults to 256.
        projection: length to which the first LSTM's output and r(x) are projected
            together, before the second; None joins them as they are. Defaults to 512.
        dropout: share of the outputs of each LSTM that is dropped in training.
            Defaults to 0.2.
        max_length: most words of a sentence, the terminal one among them. Defaults to
            76.
        seed: of the decoder's initial weights and of the dropout. None (default)
            follows `keras.utils.set_random_seed`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Attributes:
        classifier: the classifier.
        vocabulary: the vocabulary.
        decoder: `keras_interp.layers.ExplanationLSTM`.

    Raises:
        ValueError: if the classifier is no built graph of layers or puts out no
            probabilities, a layer does not exist, or an argument is unknown.

    Reference:
        Barratt, "InterpNET: Neural Introspection for Interpretable Deep Learning",
        2017; sizes and training are those of its released code.
    """

    def __init__(
        self,
        classifier: Any,
        vocabulary: Vocabulary,
        *,
        conditioning: str = "activations",
        layer_names: Sequence[str] | None = None,
        normalize_blocks: bool = False,
        units: int = 512,
        embedding_dim: int = 256,
        projection: int | None = 512,
        dropout: float = 0.2,
        max_length: int = LONGEST,
        seed: int | None = None,
        **kwargs: Any,
    ):
        given = locals()
        settings = {setting: given[setting] for setting in SETTINGS}
        if not isinstance(vocabulary, Vocabulary):
            raise ValueError(
                "Expected a keras_interp.datasets.Vocabulary. Received: vocabulary of "
                f"type {type(vocabulary).__name__}. Make one with "
                "Vocabulary.from_sentences(captions)."
            )
        check_whole(max_length, "max_length")
        reader = ContextReader(classifier, conditioning, layer_names, normalize_blocks)
        name = kwargs.pop("name", None) or f"{classifier.name}_interpnet"
        super().__init__(name=name, **kwargs)
        self.classifier = classifier
        self.vocabulary = vocabulary
        self.settings = settings
        self.max_length = max_length
        # In a tuple, Keras does not count the same layers a second time.
        self._readers = (reader,)
        self.decoder = ExplanationLSTM(
            len(vocabulary),
            units,
            embedding_dim,
            projection,
            dropout,
            seed=seed,
            dtype=self.dtype_policy,
            name="decoder",
        )
        self.decoder.build([(None, None), (None, reader.features)])
        self._compiled: dict[Any, Any] = {}
        self.built = True

    # The classifier and r(x) ------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.classifier(inputs, training=training)

    @property
    def context_blocks(self) -> tuple[ContextBlock, ...]:
        """The layers of r(x), each with its places in it."""
        return self._readers[0].blocks

    def context(self, inputs: Any, batch_size: int = 32) -> np.ndarray:
        """r(x), the activations that the decoder is given.

        Args:
            inputs: array `(N, ...)` as the classifier takes it.
            batch_size: pictures at a time. Defaults to 32.

        Returns:
            float32 `(N, features)`.

        Raises:
            ValueError: for no picture, or activations that are not finite.
        """
        check_whole(batch_size, "batch_size")
        return self._readers[0].read(inputs, batch_size)

    def word_logits(self, inputs: Any, words: Any, training: bool | None = None) -> Any:
        """Scores of each word of sentences, given the words before it.

        No gradient of them reaches the classifier.

        Args:
            inputs: tensor `(batch, ...)` as the classifier takes it.
            words: integers `(batch, steps)`, sentences as `vocabulary.encode` gives
                them.
            training: whether the decoder drops outputs.

        Returns:
            Tensor of logits `(batch, steps, vocabulary size)`.
        """
        before = words_before(ops.cast(words, "int32"))
        return self.decoder([before, self._readers[0](inputs)], training=training)

    # Training ---------------------------------------------------------------------

    def fit_classifier(
        self,
        inputs: Any,
        labels: Any,
        validation_data: tuple[Any, Any] | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        *,
        patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int = 0,
        verbose: Any = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> keras.callbacks.History:
        """Trains the classifier, the first phase of Algorithm 1.

        After each epoch the accuracy of the validation is looked at: where it is the
        best so far the weights are kept, otherwise the learning rate is halved. At the
        end, or when interrupted, the classifier is the best there was.

        Args:
            inputs: array `(N, ...)` as the classifier takes it.
            labels: integers `(N,)`.
            validation_data: inputs and labels of other pictures.
            epochs: how many in all. Defaults to 100.
            batch_size: pictures of a step; what is left over in an epoch is left out.
                Defaults to 32.
            learning_rate: of Adam, at first. Defaults to 1e-3.
            patience: epochs without improvement after which the training stops. None
                (default) trains all epochs.
            checkpoint: path of a file that is written after each epoch; where it exists
                the training goes on from it. Default: none.
            seed: of the order of the pictures. Defaults to 0.
            verbose: 0 is silent, 1 or `"auto"` (default) a bar an epoch, 2 a line.
            callbacks: list of Keras callbacks, whose `model` is this one. They are
                called after the rate was halved, and the best weights are put back
                before `on_train_end`. Default: none.

        Returns:
            Keras `History` with `loss`, `val_loss`, `val_accuracy` and
            `learning_rate`.

        Raises:
            ValueError: for labels that do not fit, no validation data, or a checkpoint
                of another training.
        """
        options = checked_options(
            epochs, batch_size, learning_rate, patience, checkpoint, seed, verbose
        )
        options |= {"callbacks": checked_callbacks(callbacks), "shown": self}
        inputs_of, labels_of = checked_pair(validation_data, "labels")
        return train_classes(
            self.classifier,
            inputs,
            self._labels(labels, number_of(inputs), "labels"),
            (inputs_of, self._labels(labels_of, number_of(inputs_of), "labels")),
            **options,
        )

    def _labels(self, labels: Any, count: int, name: str) -> np.ndarray:
        array = np.asarray(ops.convert_to_numpy(labels))
        classes = max(self._readers[0].classes, 2)
        whole = array.dtype.kind in "iu" and array.shape == (count,)
        if not whole or not count or not 0 <= array.min() <= array.max() < classes:
            raise ValueError(
                f"Expected {name} as an integer from 0 to {classes - 1} for each of "
                f"{count} pictures. Received: shape {array.shape}, type {array.dtype}"
                + (f", from {array.min()} to {array.max()}" if array.size else "")
                + ". Number the classes from 0."
            )
        return array.astype("int32")

    def fit_explainer(
        self,
        inputs: Any,
        captions: Any,
        validation_data: tuple[Any, Any] | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 5e-4,
        *,
        patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int = 0,
        context_batch_size: int = 32,
        verbose: Any = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> keras.callbacks.History:
        """Trains the decoder, the second phase of Algorithm 1.

        Each sentence with its picture is one training pair. r(x) is computed once. The
        loss is L_E, `keras_interp.losses.sentence_loss`; after each epoch that of the
        validation, without dropout, decides as the accuracy does in `fit_classifier`.
        The classifier stays as it is, bit for bit.

        Args:
            inputs: array `(N, ...)` as the classifier takes it.
            captions: for each picture a list of sentences.
            validation_data: inputs and captions of other pictures.
            epochs: how many in all. Defaults to 100.
            batch_size: sentences of a step; what is left over in an epoch is left out.
                Defaults to 32.
            learning_rate: of Adam, at first. Defaults to 5e-4.
            patience: epochs without improvement after which the training stops. None
                (default) trains all epochs.
            checkpoint: path of a file that is written after each epoch; where it exists
                the training goes on from it. Default: none.
            seed: of the order of the sentences. Defaults to 0.
            context_batch_size: pictures that the classifier is run on at once. Defaults
                to 32.
            verbose: 0 is silent, 1 or `"auto"` (default) a bar an epoch, 2 a line.
            callbacks: list of Keras callbacks, whose `model` is this one. They are
                called after the rate was halved, and the best weights are put back
                before `on_train_end`. Default: none.

        Returns:
            Keras `History` with `loss`, `val_loss` and `learning_rate`.

        Raises:
            ValueError: if a picture has no sentence, there is no validation data, or
                its pictures are those of the training, activations are not finite, or
                the checkpoint is of another training.
        """
        options = checked_options(
            epochs, batch_size, learning_rate, patience, checkpoint, seed, verbose
        )
        options |= {"callbacks": checked_callbacks(callbacks), "shown": self}
        context, *sets = self._described(
            inputs, captions, validation_data, context_batch_size, options["verbose"]
        )
        return train_sentences(self.decoder, context, *sets, **options)

    def fit_self_critical(
        self,
        inputs: Any,
        captions: Any,
        validation_data: tuple[Any, Any] | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 2e-4,
        *,
        samples: int = 5,
        patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int = 0,
        context_batch_size: int = 32,
        verbose: Any = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> keras.callbacks.History:
        """Trains the decoder on, to say what agrees with what people wrote.

        To be called after `fit_explainer`; no part of the paper. Sentences are drawn
        for each picture, and their CIDEr-D against its sentences is the reward: those
        that are better than the others of the picture become more probable, the
        others less. The best epoch is that whose most likely words have the highest
        CIDEr-D on the validation. Fewer different sentences are said afterwards. The
        classifier stays as it is, bit for bit.

        Args:
            inputs: array `(N, ...)` as the classifier takes it.
            captions: for each picture a list of sentences.
            validation_data: inputs and captions of other pictures.
            epochs: how many in all. Defaults to 20.
            batch_size: pictures of a step; what is left over in an epoch is left out.
                Defaults to 32.
            learning_rate: of Adam, at first. Defaults to 2e-4.
            samples: sentences that are drawn for a picture, 2 or more. Defaults to 5.
            patience: epochs without improvement after which the training stops. None
                (default) trains all epochs.
            checkpoint: path of a file that is written after each epoch; where it exists
                the training goes on from it. Default: none.
            seed: of the order of the pictures, and of what is drawn. Defaults to 0.
            context_batch_size: pictures that the classifier is run on at once. Defaults
                to 32.
            verbose: 0 is silent, 1 or `"auto"` (default) a bar an epoch, 2 a line.
            callbacks: list of Keras callbacks, whose `model` is this one. They are
                called after the rate was halved, and the best weights are put back
                before `on_train_end`. Default: none.

        Returns:
            Keras `History` with `loss`, the mean `reward` of what was drawn,
            `val_cider_d`, both from 0 to 10, and `learning_rate`.

        Raises:
            ValueError: for fewer than two pictures or samples, and as `fit_explainer`.

        Reference:
            Rennie, Marcheret, Mroueh, Ross, Goel, "Self-Critical Sequence Training for
            Image Captioning", CVPR 2017, eq. (6), with the mean of the other samples
            in place of the greedy sentence's reward.
        """
        options = checked_options(
            epochs, batch_size, learning_rate, patience, checkpoint, seed, verbose
        )
        check_whole(samples, "samples", least=2)
        if number_of(inputs) < 2:
            raise ValueError(
                "Expected two pictures or more, whose sentences weigh the words. "
                f"Received: inputs of {number_of(inputs)}. Give all for training."
            )
        options |= {"callbacks": checked_callbacks(callbacks), "shown": self}
        context, *sets = self._described(
            inputs, captions, validation_data, context_batch_size, options["verbose"]
        )
        return train_self_critical(self, context, *sets, samples=samples, **options)

    def _described(
        self,
        inputs: Any,
        captions: Any,
        validation_data: Any,
        batch_size: int,
        verbose: int,
    ) -> tuple[np.ndarray, Captions, Captions]:
        """r(x) of pictures and of the validation's, and the sentences of both."""
        inputs_of, captions_of = checked_pair(validation_data, "captions")
        counts = number_of(inputs), number_of(inputs_of)
        check_captions(captions, counts[0], "captions")
        check_captions(captions_of, counts[1], "validation captions")
        check_other_pictures(inputs, inputs_of)
        sets = [
            Captions(rows, count, self.vocabulary, self.max_length)
            for rows, count in zip((captions, captions_of), counts, strict=True)
        ]
        sets[1].pictures = sets[1].pictures + np.int32(counts[0])
        if verbose != 0:
            print(
                f"r(x) of {sum(counts)} pictures, {len(sets[0])} sentences", flush=True
            )
        read = [self.context(one, batch_size) for one in (inputs, inputs_of)]
        return np.concatenate(read), sets[0], sets[1]

    # Saving -----------------------------------------------------------------------

    def save_own_variables(self, store: Any) -> None:
        """The words, beside the weights that are the layers' own."""
        text = "\n".join(self.vocabulary.words).encode("utf-8")
        store["vocabulary"] = np.frombuffer(text, "uint8")

    def load_own_variables(self, store: Any) -> None:
        """Refuses weights whose numbers stand for other words."""
        text = np.asarray(store["vocabulary"], "uint8").tobytes().decode("utf-8")
        words, own = text.split("\n"), self.vocabulary.words
        if tuple(words) != own:
            pairs = zip(words, own, strict=False)
            place = next(
                (n for n, (a, b) in enumerate(pairs) if a != b),
                min(len(words), len(own)),
            )
            raise ValueError(
                f"Expected weights for this model's vocabulary of {len(own)} words. "
                f"Received: weights for a vocabulary of {len(words)} words, which "
                f"differs from word {place} on. Make the model with the vocabulary of "
                "the training, or load the whole model from its .keras file."
            )

    def get_config(self) -> dict[str, Any]:
        """The arguments, the classifier's configuration and the words among them."""
        names = self.settings["layer_names"]
        return {
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            "vocabulary": keras.saving.serialize_keras_object(self.vocabulary),
            **self.settings,
            "layer_names": None if names is None else list(names),
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        # Keras empties the configurations of inner models.
        config = copy.deepcopy(config)
        parts = [
            keras.saving.deserialize_keras_object(
                config.pop(name), custom_objects=custom_objects
            )
            for name in ("classifier", "vocabulary")
        ]
        return cls(*parts, **config)
