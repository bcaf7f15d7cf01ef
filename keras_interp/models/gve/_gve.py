"""GVE: sentences that are true of an image and tell its class."""

from __future__ import annotations

import copy
import os
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.datasets.vocabulary import Vocabulary
from keras_interp.models.gve._arguments import (
    ABLATIONS,
    check_ablation,
    check_vocabulary,
    checked_labels,
    validation_parts,
)
from keras_interp.models.gve._generator import ContextWriter, Generator
from keras_interp.models.gve._sentence_classifier import SentenceClassifier
from keras_interp.models.gve._training import (
    DescribedImages,
    train_discriminative,
    train_relevance,
)
from keras_interp.models.interpnet._arguments import (
    check_other_pictures,
    check_whole,
    checked_options,
)
from keras_interp.models.interpnet._captions import Captions
from keras_interp.models.interpnet._training import words_before

SETTINGS = (
    "num_classes",
    "feature_dim",
    "ablation",
    "units",
    "embedding_dim",
    "class_feature_dim",
    "dropout",
    "max_length",
    "seed",
)


@keras.saving.register_keras_serializable(package="keras_interp")
class GVE(Generator):
    """Writes a sentence that is true of an image and tells its class from others.

    Two LSTM layers, of which the second sees at each word a linear projection of the
    image's features and a vector that stands for the class. First they learn to write
    what people wrote (relevance); then sentences are drawn, and those from which a
    frozen classifier of sentences tells the class are made likelier (discrimination, by
    REINFORCE). When sentences are written for new images the class is the one that an
    image classifier predicted.

    Example:

    ```python
    features, labels = np.random.rand(12, 16).astype("float32"), np.arange(12) % 3
    colors = "red", "blue", "green"
    captions = [[f"this bird is {colors[label]}."] for label in labels]
    vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
    train = features[:9], labels[:9], captions[:9]
    held_back = features[9:], labels[9:], captions[9:]
    model = ki.models.GVE(vocabulary, 3, 16, units=8, embedding_dim=4, max_length=8)
    # Without class features a description model would be trained for them.
    model.set_class_features(np.random.rand(3, 8))
    model.fit_relevance(*train, validation_data=held_back, epochs=1, verbose=0)
    predicted = labels[9:]
    print(len(model.explain(features[9:], predicted)))  # 3
    ```

    Args:
        vocabulary: `keras_interp.datasets.Vocabulary`, the words that can be said. It
            is saved with the model.
        num_classes: number of classes.
        feature_dim: length of the image's feature vector, 8192 in the paper. None
            (default) for the ablation that sees no image.
        ablation: what the model is given and trained with. `"explanation"` (default):
            image, class and both losses. `"explanation-label"`: image and class,
            relevance alone. `"explanation-dis"`: image alone, both losses.
            `"description"`: image alone, relevance alone. `"definition"`: class alone,
            relevance alone.
        units: of each LSTM, and numbers that the image is projected to. Defaults to
            1000.
        embedding_dim: numbers that stand for a word. Defaults to 1000.
        class_feature_dim: numbers that stand for a class. None (default) is `units`,
            the length of the hidden state that they are a mean of.
        dropout: share of the outputs of each LSTM that is dropped in training.
            Defaults to 0, as the authors' code; sentences are drawn without.
        max_length: most words of a sentence, the terminal one among them. Defaults to
            20.
        seed: of the initial weights and of the dropout. None (default) follows
            `keras.utils.set_random_seed`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Attributes:
        vocabulary: the vocabulary.
        decoder: `keras_interp.layers.ExplanationLSTM` without a projection.
        class_features: weight `(num_classes, class_feature_dim)`, which no training
            step changes; None for an ablation without the class.

    Call arguments:
        inputs: three tensors: features `(batch, feature_dim)`, integer labels
            `(batch,)` and integer words `(batch, steps)`, sentences as
            `vocabulary.encode` gives them. What the ablation does not see is not
            looked at.
        training: whether outputs are dropped.

    Returns:
        Logits `(batch, steps, vocabulary size)` of each word, given those before it.

    Raises:
        ValueError: for an unknown ablation, no `feature_dim` where the image is seen,
            or numbers that are no positive integers.

    Reference:
        Hendricks et al., "Generating Visual Explanations", ECCV 2016, section 3; sizes
        are those of its released code.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        num_classes: int,
        feature_dim: int | None = None,
        *,
        ablation: str = "explanation",
        units: int = 1000,
        embedding_dim: int = 1000,
        class_feature_dim: int | None = None,
        dropout: float = 0.0,
        max_length: int = 20,
        seed: int | None = None,
        **kwargs: Any,
    ):
        given = locals()
        settings = {setting: given[setting] for setting in SETTINGS}
        check_vocabulary(vocabulary)
        check_ablation(ablation)
        _check_sizes(settings)
        name = kwargs.pop("name", None) or "gve"
        super().__init__(name=name, **kwargs)
        self.vocabulary = vocabulary
        self.settings = settings
        self.make_layers()
        self._compiled: dict[Any, Any] = {}
        self._writer = ContextWriter(
            self.decoder, vocabulary, max_length, self.context_dim
        )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        features, labels, words = inputs
        before = words_before(ops.cast(words, "int32"))
        context = self.conditioning(features, labels)
        return self.decoder([before, context], training=training)

    # Training ---------------------------------------------------------------------

    def fit_relevance(
        self,
        features: Any,
        labels: Any,
        captions: Any,
        validation_data: tuple[Any, Any, Any] | None = None,
        epochs: int = 50,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        *,
        class_features: Any = None,
        patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int = 0,
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Trains the model to write what people wrote, the first phase.

        Each sentence with its image is one training pair; the loss is
        `keras_interp.losses.relevance_loss`. After each epoch that of the validation,
        without dropout, is looked at: where it is the best so far the weights are kept,
        otherwise the learning rate is halved. At the end, or when interrupted, the
        weights are the best there were.

        Args:
            features: array `(N, feature_dim)`; None for `"definition"`.
            labels: integers `(N,)`, the class of each image, from 0.
            captions: for each image a list of sentences.
            validation_data: features, labels and captions of other images.
            epochs: how many in all. Defaults to 50.
            batch_size: sentences of a step; what is left over in an epoch is left out.
                Defaults to 64.
            learning_rate: of Adam, at first. Defaults to 1e-3.
            class_features: `(num_classes, class_feature_dim)`, what stands for each
                class, as `mean_hidden_states` of a trained description model gives it.
                None (default): those that the model has; where it has none yet, a
                description model of the same sizes is trained first in the same way.
            patience: epochs without improvement after which the training stops. None
                (default) trains all epochs.
            checkpoint: path of a file that is written after each epoch; where it exists
                the training goes on from it. Default: none.
            seed: of the order of the sentences. Defaults to 0.
            verbose: 0 is silent, 1 or `"auto"` (default) a bar an epoch, 2 a line.

        Returns:
            Keras `History` with `loss`, `val_loss` and `learning_rate`.

        Raises:
            ValueError: if an image has no sentence, labels or features do not fit,
                there is no validation data, or the checkpoint is of another training.
        """
        options = checked_options(
            epochs, batch_size, learning_rate, patience, checkpoint, seed, verbose
        )
        images = self._described(features, labels, captions)
        parts = validation_parts(validation_data, "features", "labels", "captions")
        others = self._described(parts[0], parts[1], parts[2], "validation ")
        if self.seen.image:
            check_other_pictures(images.features, others.features)
        if class_features is not None:
            self.set_class_features(class_features)
        if self.seen.label and not self.has_class_features():
            self.set_class_features(
                self._of_description_model(features, labels, captions, parts, options)
            )
        return train_relevance(self, images, others, **options)

    def fit_discriminative(
        self,
        features: Any,
        labels: Any,
        captions: Any,
        sentence_classifier: SentenceClassifier,
        validation_data: tuple[Any, Any, Any] | None = None,
        epochs: int = 10,
        batch_size: int = 64,
        learning_rate: float = 1e-4,
        *,
        discriminative_weight: float = 0.2,
        patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        seed: int = 0,
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Trains the model to tell the class as well, the second phase.

        Half of each batch are sentences that people wrote, with the relevance loss. For
        each image of the other half one sentence is drawn; its reward is the
        probability that the frozen classifier of sentences gives to the image's class,
        and no baseline is taken from it. The loss is the relevance loss and
        `discriminative_weight` times `keras_interp.losses.discriminative_loss`. The
        best epoch is that of the least relevance loss of the validation, as in
        `fit_relevance`; the weights before the first epoch are none of them.

        Args:
            features: array `(N, feature_dim)`.
            labels: integers `(N,)`, the class of each image, from 0.
            captions: for each image a list of sentences.
            sentence_classifier: trained `SentenceClassifier` of the same vocabulary and
                classes. It stays as it is, bit for bit.
            validation_data: features, labels and captions of other images.
            epochs: how many in all. Defaults to 10.
            batch_size: an even number, of which half are sentences that people wrote.
                Defaults to 64.
            learning_rate: of Adam, at first. Defaults to 1e-4.
            discriminative_weight: of the second term, lambda. Defaults to 0.2.
            patience: epochs without improvement after which the training stops. None
                (default) trains all epochs.
            checkpoint: path of a file that is written after each epoch; where it exists
                the training goes on from it. Default: none.
            seed: of the order and of the sentences that are drawn. Defaults to 0.
            verbose: 0 is silent, 1 or `"auto"` (default) a bar an epoch, 2 a line.

        Returns:
            Keras `History` with `loss`, `reward` (mean over the sentences that were
            drawn), `val_loss` (relevance alone), `val_reward` and `learning_rate`.

        Raises:
            ValueError: for an ablation without this phase, a classifier of another
                vocabulary or number of classes, an image without a sentence, labels or
                features that do not fit, or no validation data.
        """
        options = checked_options(
            epochs, batch_size, learning_rate, patience, checkpoint, seed, verbose
        )
        self._check_discriminative(sentence_classifier, batch_size)
        if not np.isfinite(discriminative_weight) or discriminative_weight < 0:
            raise ValueError(
                "Expected discriminative_weight as a number of 0 or more. Received: "
                f"discriminative_weight={discriminative_weight!r}. Pass 0.2, say."
            )
        images = self._described(features, labels, captions)
        parts = validation_parts(validation_data, "features", "labels", "captions")
        others = self._described(parts[0], parts[1], parts[2], "validation ")
        if self.seen.image:
            check_other_pictures(images.features, others.features)
        self.check_class_features()
        return train_discriminative(
            self,
            sentence_classifier,
            images,
            others,
            discriminative_weight=float(discriminative_weight),
            **options,
        )

    def _described(
        self, features: Any, labels: Any, captions: Any, name: str = ""
    ) -> DescribedImages:
        if labels is None:
            # The reward and the class features need them.
            checked_labels(labels, None, self.num_classes, f"{name}labels")
        vectors, chosen = self.arrays(features, labels, name)
        rows = Captions(
            captions, len(chosen), self.vocabulary, self.max_length, f"{name}captions"
        )
        return DescribedImages(vectors, chosen, rows)

    def _of_description_model(
        self, features: Any, labels: Any, captions: Any, parts: Any, options: Any
    ) -> np.ndarray:
        """Class features, from a description model that is trained for this."""
        assert self.class_features is not None
        width = self.settings["feature_dim"]
        config = {**self.settings, "ablation": "description", "class_feature_dim": None}
        if width is None:
            raise ValueError(
                "Expected class_features, for a description model, which gives them, "
                "needs images. Received: class_features=None and feature_dim=None. "
                "Pass those of a description model: mean_hidden_states(...)."
            )
        if self.class_features.shape[1] != self.settings["units"]:
            raise ValueError(
                "Expected class_features, for a description model gives vectors of "
                f"{self.settings['units']} numbers. Received: class_features=None and "
                f"class_feature_dim={self.class_features.shape[1]}. Pass them."
            )
        path = options["checkpoint"]
        if path is not None:
            options = {**options, "checkpoint": f"{os.fspath(path)}.description"}
        if options["verbose"] != 0:
            print("Description model, whose states stand for the classes", flush=True)
        model = GVE(self.vocabulary, **config)
        model.fit_relevance(features, labels, captions, parts, **options)
        return model.mean_hidden_states(features, labels, captions)

    def _check_discriminative(self, classifier: Any, batch_size: int) -> None:
        if not self.seen.discriminative:
            raise ValueError(
                "Expected an ablation with the discriminative loss, 'explanation' or "
                f"'explanation-dis'. Received: ablation={self.settings['ablation']!r}. "
                "It is ready after fit_relevance."
            )
        if not isinstance(classifier, SentenceClassifier):
            raise ValueError(
                "Expected a keras_interp.models.SentenceClassifier. Received: "
                f"sentence_classifier of type {type(classifier).__name__}. Train one "
                "with fit_sentences."
            )
        if classifier.vocabulary != self.vocabulary:
            raise ValueError(
                "Expected a sentence classifier of the same vocabulary. Received: "
                f"{classifier.vocabulary!r} and {self.vocabulary!r} with other words. "
                "Make both with one vocabulary."
            )
        if classifier.num_classes != self.num_classes:
            raise ValueError(
                f"Expected a sentence classifier of {self.num_classes} classes. "
                f"Received: num_classes={classifier.num_classes}. Train it on the same "
                "classes."
            )
        if batch_size % 2:
            raise ValueError(
                "Expected an even batch_size, of which half are sentences that people "
                f"wrote. Received: batch_size={batch_size}. Pass {batch_size + 1}."
            )

    # Sentences --------------------------------------------------------------------

    def explain(
        self,
        features: Any = None,
        labels: Any = None,
        beam_width: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        seed: int | None = None,
        batch_size: int = 256,
    ) -> list[str]:
        """A sentence for each image.

        Args:
            features: array `(N, feature_dim)`; None for `"definition"`.
            labels: the class that an image classifier predicted: integers `(N,)`, or
                its probabilities `(N, num_classes)`, of which the largest counts. None
                for an ablation that does not see it.
            beam_width: sentences that are followed at once, of which the best by the
                sum of log-probabilities over `(5 + len)^0.7 / 6^0.7` is given. Defaults
                to 1, the most likely word at each step.
            temperature: draws each word by chance, the logits divided by this. None
                (default) draws none.
            top_p: draws from the likeliest words alone, whose probability together is
                this; `temperature` is then 1 by default. None (default): from all.
            max_length: most words, the terminal one among them. Defaults to the
                model's.
            seed: of the chance. None (default) follows `keras.utils.set_random_seed`.
            batch_size: images that are decoded together. Defaults to 256.

        Returns:
            List of N str such as `"this bird has a red crown and a white belly."`.

        Raises:
            ValueError: if features or labels are missing, do not fit or are not finite,
                the model has no class features yet, or arguments do not go together.
        """
        context = self.context(features, labels)
        return self._writer.explain(
            None,
            beam_width,
            temperature,
            top_p,
            max_length,
            seed,
            batch_size,
            context=context,
        )

    def context(self, features: Any = None, labels: Any = None) -> np.ndarray:
        """What the second LSTM sees at every word.

        Args:
            features: array `(N, feature_dim)`; None for `"definition"`.
            labels: integers `(N,)`, or probabilities `(N, num_classes)`, of which the
                largest counts. None for an ablation that does not see it.

        Returns:
            float32 `(N, context_dim)`.

        Raises:
            ValueError: if features or labels are missing, do not fit or are not finite,
                or the model has no class features yet.
        """
        vectors, chosen = self.arrays(features, labels)
        self.check_class_features()
        read = self.conditioning(
            ops.convert_to_tensor(vectors), ops.convert_to_tensor(chosen)
        )
        return np.asarray(ops.convert_to_numpy(read), "float32")

    # Saving -----------------------------------------------------------------------

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
        return cls(vocabulary, **config)


def _check_sizes(settings: dict[str, Any]) -> None:
    check_whole(settings["num_classes"], "num_classes", least=2)
    for name in ("units", "embedding_dim", "max_length"):
        check_whole(settings[name], name)
    for name in ("feature_dim", "class_feature_dim"):
        if settings[name] is not None:
            check_whole(settings[name], name)
    if ABLATIONS[settings["ablation"]].image and settings["feature_dim"] is None:
        raise ValueError(
            "Expected feature_dim, the length of the image's features, for an ablation "
            f"that sees the image. Received: feature_dim=None and ablation="
            f"{settings['ablation']!r}. Pass features.shape[1]."
        )
