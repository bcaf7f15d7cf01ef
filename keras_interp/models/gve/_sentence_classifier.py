"""A classifier of sentences: which class is this one about?"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.datasets.vocabulary import Vocabulary
from keras_interp.models.gve._arguments import (
    check_vocabulary,
    checked_labels,
    validation_parts,
)
from keras_interp.models.gve._generator import INITIAL_RANGE
from keras_interp.models.interpnet._arguments import check_whole, checked_options
from keras_interp.models.interpnet._captions import Captions
from keras_interp.models.interpnet._training import BestTraining, steadily_compiled

SETTINGS = ("num_classes", "units", "embedding_dim", "dropout", "max_length", "seed")


@keras.saving.register_keras_serializable(package="keras_interp")
class SentenceClassifier(keras.Model):
    """Tells from a sentence alone which class it is about.

    One LSTM over the words; the class is read at the last of them. Trained on what
    people wrote and then left as it is, its probabilities are the reward of `GVE`: a
    sentence is good if it tells the class.

    Example:

    ```python
    captions = [["a red bird.", "it is red."], ["a blue bird."], ["this one is blue."]]
    vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
    model = ki.models.SentenceClassifier(vocabulary, 2, units=8, embedding_dim=4)
    model.fit_sentences(
        captions[:2], [0, 1], validation_data=(captions[2:], [1]), epochs=1, verbose=0
    )
    print(model.predict_sentences(["a red bird."]).shape)  # (1, 2)
    ```

    Args:
        vocabulary: `keras_interp.datasets.Vocabulary`, the words. It is saved with the
            model.
        num_classes: number of classes.
        units: of the LSTM. Defaults to 1000.
        embedding_dim: numbers that stand for a word. Defaults to 1000.
        dropout: share of the LSTM's outputs that is dropped in training. Defaults to
            0.75.
        max_length: most words of a sentence, the terminal one among them. Defaults to
            20.
        seed: of the initial weights and of the dropout. None (default) follows
            `keras.utils.set_random_seed`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        inputs: integers `(batch, steps)`, sentences as `vocabulary.encode` gives them,
            with zeros after the end.
        training: whether outputs are dropped.

    Returns:
        float32 probabilities `(batch, num_classes)`.

    Raises:
        ValueError: for a number that is no positive integer, fewer than two classes, or
            a dropout that is not in [0, 1).

    Reference:
        Hendricks et al., "Generating Visual Explanations", ECCV 2016, section 3,
        "Discriminative Loss"; sizes are those of its released code.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        num_classes: int,
        *,
        units: int = 1000,
        embedding_dim: int = 1000,
        dropout: float = 0.75,
        max_length: int = 20,
        seed: int | None = None,
        **kwargs: Any,
    ):
        given = locals()
        settings = {setting: given[setting] for setting in SETTINGS}
        check_vocabulary(vocabulary)
        check_whole(num_classes, "num_classes", least=2)
        for name in ("units", "embedding_dim", "max_length"):
            check_whole(settings[name], name)
        if not isinstance(dropout, int | float) or not 0.0 <= dropout < 1.0:
            raise ValueError(
                "Expected dropout as a share from 0 to below 1. Received: "
                f"dropout={dropout!r}. Pass 0.75, or 0 for none."
            )
        name = kwargs.pop("name", None) or "sentence_classifier"
        super().__init__(name=name, **kwargs)
        self.vocabulary = vocabulary
        self.settings = settings
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            len(vocabulary),
            embedding_dim,
            embeddings_initializer=self._uniform(1),
            dtype=policy,
            name="embedding",
        )
        self.lstm = keras.layers.LSTM(
            units,
            return_sequences=True,
            kernel_initializer=self._uniform(2),
            recurrent_initializer=self._uniform(3),
            dtype=policy,
            name="lstm",
        )
        self.drop = keras.layers.Dropout(dropout, seed=self._seed(4), name="dropout")
        self.dense = keras.layers.Dense(
            num_classes,
            kernel_initializer=self._uniform(5),
            dtype=policy,
            name="logits",
        )
        self.embedding.build((None, None))
        self.lstm.build((None, None, embedding_dim))
        self.dense.build((None, units))
        self.built = True

    def _seed(self, number: int) -> int | None:
        """A seed of its own for each weight."""
        seed = self.settings["seed"]
        return None if seed is None else seed + 1000 * number

    def _uniform(self, number: int) -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(
            -INITIAL_RANGE, INITIAL_RANGE, seed=self._seed(number)
        )

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.settings["num_classes"]

    @property
    def max_length(self) -> int:
        """Most words of a sentence."""
        return self.settings["max_length"]

    def logits(self, words: Any, training: bool | None = None) -> Any:
        """Scores of the classes before the softmax.

        Args:
            words: integers `(batch, steps)`, with zeros after the end.
            training: whether outputs are dropped.

        Returns:
            float32 tensor `(batch, num_classes)`.
        """
        words = ops.cast(words, "int32")
        outputs = self.lstm(self.embedding(words))
        said = ops.sum(ops.cast(words != 0, "int32"), axis=1)
        # By a sum, for what stands after the end must not be looked at.
        steps = ops.arange(ops.shape(words)[1], dtype="int32")
        last = steps[None, :] == ops.maximum(said, 1)[:, None] - 1
        here = ops.cast(last, outputs.dtype)[..., None]
        read = ops.sum(outputs * here, axis=1)
        scores = self.dense(self.drop(read, training=training))
        return ops.cast(scores, "float32")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return ops.softmax(self.logits(inputs, training=training), axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], self.num_classes)

    def fit_sentences(
        self,
        captions: Any,
        labels: Any,
        validation_data: tuple[Any, Any] | None = None,
        epochs: int = 50,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        *,
        patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int = 0,
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Trains the classifier on what people wrote about images of known classes.

        After each epoch the cross entropy of the validation's sentences is looked at,
        for the reward is a probability: where it is the least so far the weights are
        kept, otherwise the learning rate is halved. At the end, or when interrupted,
        the weights are the best there were.

        Args:
            captions: for each image a list of sentences.
            labels: integers `(N,)`, the class of each image, from 0.
            validation_data: captions and labels of other images.
            epochs: how many in all. Defaults to 50.
            batch_size: sentences of a step; what is left over in an epoch is left out.
                Defaults to 64.
            learning_rate: of Adam, at first. Defaults to 1e-3.
            patience: epochs without improvement after which the training stops. None
                (default) trains all epochs.
            checkpoint: path of a file that is written after each epoch; where it exists
                the training goes on from it. Default: none.
            seed: of the order of the sentences. Defaults to 0.
            verbose: 0 is silent, 1 or `"auto"` (default) a bar an epoch, 2 a line.

        Returns:
            Keras `History` with `loss`, `val_loss`, `val_accuracy` and
            `learning_rate`.

        Raises:
            ValueError: if an image has no sentence, labels do not fit, or there is no
                validation data.
        """
        options = checked_options(
            epochs, batch_size, learning_rate, patience, checkpoint, seed, verbose
        )
        others, other_labels = validation_parts(validation_data, "captions", "labels")
        labels = checked_labels(labels, None, self.num_classes, "labels")
        other_labels = checked_labels(
            other_labels, None, self.num_classes, "validation labels"
        )
        sets = [
            Captions(rows, len(classes), self.vocabulary, self.max_length, name)
            for rows, classes, name in (
                (captions, labels, "captions"),
                (others, other_labels, "validation captions"),
            )
        ]
        return _train(self, sets, labels, other_labels, **options)

    def predict_sentences(
        self, sentences: Sequence[str], batch_size: int = 256
    ) -> np.ndarray:
        """Probabilities of the classes of sentences.

        Args:
            sentences: list of str.
            batch_size: sentences at a time. Defaults to 256.

        Returns:
            float32 `(N, num_classes)`.

        Raises:
            ValueError: for no sentence, or anything but a str.
        """
        check_whole(batch_size, "batch_size")
        words, _ = self.vocabulary.encode(list(sentences), self.max_length)
        return self._probabilities(words, batch_size)

    def _probabilities(self, words: np.ndarray, batch_size: int) -> np.ndarray:
        words = np.pad(words, [(0, 0), (0, self.max_length - words.shape[1])])
        found = self.predict(words, batch_size=batch_size, verbose=0)
        return np.asarray(found, "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, the words among them."""
        return {
            "vocabulary": keras.saving.serialize_keras_object(self.vocabulary),
            **self.settings,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = copy.deepcopy(config)
        vocabulary = keras.saving.deserialize_keras_object(
            config.pop("vocabulary"), custom_objects=custom_objects
        )
        return cls(vocabulary, config.pop("num_classes"), **config)


class _Logits(keras.Model):
    """What is trained of a classifier: its logits, with a loss of its own.

    A user's `compile` of the classifier stays as it was.
    """

    def __init__(self, classifier: SentenceClassifier):
        super().__init__(name="sentence_classifier_training")
        self.classifier = classifier
        self.built = True

    def call(self, words: Any, training: bool | None = None) -> Any:
        return self.classifier.logits(words, training=training)


def _train(
    classifier: SentenceClassifier,
    sets: list[Captions],
    labels: np.ndarray,
    other_labels: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    **options: Any,
) -> keras.callbacks.History:
    model = _Logits(classifier)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steadily_compiled(model, learning_rate, loss=loss)
    captions, validation = sets
    batch_size = min(batch_size, len(captions))
    settings = {
        "phase": "sentence classifier",
        "sentences": len(captions),
        "validation": len(validation),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "shapes": [tuple(v.shape) for v in classifier.trainable_variables],
    }
    training = BestTraining(
        model, settings, monitor="val_loss", larger_is_better=False, **options
    )
    wanted = other_labels[validation.pictures]

    def batches(epoch: int) -> Sequence[Any]:
        return captions.shuffled(batch_size, np.random.default_rng([seed, epoch]))

    def validate() -> dict[str, float]:
        found = classifier._probabilities(validation.words, 256)
        chosen = found[np.arange(len(wanted)), wanted]
        return {
            "val_loss": float(-np.log(np.maximum(chosen, 1e-30)).mean()),
            "val_accuracy": float((found.argmax(axis=-1) == wanted).mean()),
        }

    return training.run(
        epochs,
        batches,
        lambda batch: float(model.train_on_batch(batch.words, labels[batch.pictures])),
        validate,
    )
