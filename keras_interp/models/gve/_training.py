"""The two phases of GVE: relevance, and discrimination by REINFORCE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_interp import _backend
from keras_interp.losses import discriminative_loss, relevance_loss
from keras_interp.models.gve._generator import Generator
from keras_interp.models.gve._sentence_classifier import SentenceClassifier
from keras_interp.models.interpnet import _decoding
from keras_interp.models.interpnet._captions import Captions, SentenceBatch
from keras_interp.models.interpnet._training import BestTraining, steadily_compiled


class DescribedImages(NamedTuple):
    """Images with their classes and sentences.

    Attributes:
        features: float32 `(images, features)`.
        labels: int32 `(images,)`.
        captions: their sentences as numbers.
    """

    features: np.ndarray
    labels: np.ndarray
    captions: Captions

    def inputs(self, batch: SentenceBatch) -> dict[str, np.ndarray]:
        """Sentences that people wrote as the training takes them."""
        return {
            "features": self.features[batch.pictures],
            "labels": self.labels[batch.pictures],
            "words": batch.words,
            "lengths": batch.lengths,
        }


class GeneratorTraining(keras.Model):
    """What is trained: the generator, with both terms of the loss.

    A batch with rewards has sentences that people wrote in its first half, and
    sentences that were drawn in its second. The generator stays compiled as it was.

    Args:
        generator: whose weights are trained.
        discriminative_weight: lambda.
    """

    def __init__(self, generator: Generator, discriminative_weight: float = 0.0):
        super().__init__(name="generator_training")
        self.generator = generator
        self.discriminative_weight = discriminative_weight
        self.built = True

    def call(self, batch: dict[str, Any], training: bool | None = None) -> Any:
        inputs = [batch[name] for name in ("features", "labels", "words")]
        return self.generator(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Relevance loss of a batch, and lambda times the discriminative one."""
        words, lengths = x["words"], x["lengths"]
        if "rewards" not in x:
            return relevance_loss(words, y_pred, lengths)
        half = ops.shape(words)[0] // 2
        relevance = relevance_loss(words[:half], y_pred[:half], lengths[:half])
        # Words that are never drawn have no probability.
        logits = ops.cast(y_pred[half:], "float32")
        logits = logits + _decoding.forbidden_words(logits.shape[-1])
        discriminative = discriminative_loss(
            words[half:], logits, lengths[half:], x["rewards"][half:]
        )
        return relevance + self.discriminative_weight * discriminative

    def relevance(self, images: DescribedImages, batch_size: int) -> float:
        """Relevance loss of all sentences, without dropout."""
        total = 0.0
        for batch in images.captions.in_order(batch_size):
            self.reset_metrics()
            loss = float(self.test_on_batch(images.inputs(batch)))
            total += loss * int((batch.lengths > 0).sum())
        return total / len(images.captions)


class SentenceSampler:
    """Draws a sentence for each image, and its reward from a frozen classifier.

    All of it is one compiled function, which changes no weight.

    Args:
        generator: that the words are drawn from.
        classifier: of sentences.
        size: number of images at a time.
    """

    def __init__(self, generator: Generator, classifier: SentenceClassifier, size: int):
        self.size = size
        self.steps = generator.max_length
        width = generator.settings["feature_dim"] if generator.seen.image else 1

        def body(features: Any, labels: Any, uniform: Any) -> list[Any]:
            context = generator.conditioning(features, labels)
            chance = _decoding.Chance(uniform, 1.0, 1.0, nucleus=False)
            words = _decoding.sample(generator.decoder, context, chance, self.steps)
            logits = classifier.logits(words, training=False)
            chosen = ops.take_along_axis(
                ops.softmax(logits, axis=-1), labels[:, None], axis=-1
            )
            return [words, chosen[:, 0]]

        specs = [
            _backend.ArraySpec((size, width), "float32"),
            _backend.ArraySpec((size,), "int32"),
            _backend.ArraySpec((self.steps, size), "float32"),
        ]
        self._drawn = _backend.compiled(
            body, specs, lambda: [*generator.variables, *classifier.variables]
        )

    def __call__(
        self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Words `(size, steps)`, zeros after the end, and rewards `(size,)`."""
        uniform = rng.random((self.steps, self.size), dtype="float32")
        words, rewards = self._drawn([features, labels, uniform])
        return words.astype("int32"), rewards

    def mean_reward(self, images: DescribedImages, rng: np.random.Generator) -> float:
        """Mean reward of one sentence for each of the images."""
        count = len(images.labels)
        found = []
        for start in range(0, count, self.size):
            rows = np.minimum(np.arange(start, start + self.size), count - 1)
            found.append(self(images.features[rows], images.labels[rows], rng)[1])
        return float(np.concatenate(found)[:count].mean())


class _Step(NamedTuple):
    """What a step of the second phase is about.

    Attributes:
        written: sentences that people wrote.
        images: for which sentences are drawn.
        seed: of the words that are drawn.
    """

    written: SentenceBatch
    images: np.ndarray
    seed: list[int]


def train_relevance(
    generator: Generator,
    images: DescribedImages,
    others: DescribedImages,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    **options: Any,
) -> keras.callbacks.History:
    """The first phase.

    Args:
        generator: which is trained.
        images: of the training.
        others: of the validation.
        epochs: how many.
        batch_size: sentences of a step.
        learning_rate: of Adam.
        seed: of the order.
        **options: `patience`, `checkpoint` and `verbose` of `BestTraining`.

    Returns:
        Keras `History`.
    """
    model = GeneratorTraining(generator)
    steadily_compiled(model, learning_rate)
    batch_size = min(batch_size, len(images.captions))
    settings = _settings("relevance", images, others, batch_size, learning_rate, seed)
    settings["shapes"] = [tuple(v.shape) for v in generator.trainable_variables]
    training = BestTraining(
        model, settings, monitor="val_loss", larger_is_better=False, **options
    )

    def batches(epoch: int) -> Sequence[Any]:
        return images.captions.shuffled(
            batch_size, np.random.default_rng([seed, epoch])
        )

    return training.run(
        epochs,
        batches,
        lambda batch: float(model.train_on_batch(images.inputs(batch))),
        lambda: {"val_loss": model.relevance(others, batch_size)},
    )


def train_discriminative(
    generator: Generator,
    classifier: SentenceClassifier,
    images: DescribedImages,
    others: DescribedImages,
    *,
    discriminative_weight: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    **options: Any,
) -> keras.callbacks.History:
    """The second phase.

    Args:
        generator: which is trained.
        classifier: of sentences, which is not.
        images: of the training.
        others: of the validation.
        discriminative_weight: lambda.
        epochs: how many.
        batch_size: of which half are sentences that people wrote.
        learning_rate: of Adam.
        seed: of the order, and of what is drawn.
        **options: `patience`, `checkpoint` and `verbose` of `BestTraining`.

    Returns:
        Keras `History`.
    """
    model = GeneratorTraining(generator, discriminative_weight)
    steadily_compiled(model, learning_rate)
    half = min(batch_size // 2, len(images.captions))
    sampler = SentenceSampler(generator, classifier, half)
    settings = _settings("discriminative", images, others, half, learning_rate, seed)
    settings["discriminative_weight"] = discriminative_weight
    settings["shapes"] = [tuple(v.shape) for v in generator.trainable_variables]
    training = BestTraining(
        model, settings, monitor="val_loss", larger_is_better=False, **options
    )
    rewards: list[float] = []

    def batches(epoch: int) -> Sequence[Any]:
        rng = np.random.default_rng([seed, epoch])
        written = images.captions.shuffled(half, rng)
        # Images again and again, as often as there are sentences.
        passes = -(-len(written) * half // len(images.labels))
        order = [rng.permutation(len(images.labels)) for _ in range(passes)]
        drawn = np.concatenate(order)[: len(written) * half].reshape(-1, half)
        rewards.clear()
        return [
            _Step(batch, rows, [seed, epoch, number])
            for number, (batch, rows) in enumerate(zip(written, drawn, strict=True))
        ]

    def step(one: _Step) -> float:
        features, labels = images.features[one.images], images.labels[one.images]
        words, each = sampler(features, labels, np.random.default_rng(one.seed))
        rewards.append(float(each.mean()))
        batch = _both(images.inputs(one.written), features, labels, words, each)
        return float(model.train_on_batch(batch))

    def validate() -> dict[str, float]:
        # The same chance after each epoch, so that they can be compared.
        reward = sampler.mean_reward(others, np.random.default_rng(seed))
        return {
            "reward": float(np.mean(rewards)),
            "val_loss": model.relevance(others, half),
            "val_reward": reward,
        }

    return training.run(epochs, batches, step, validate)


def _settings(
    phase: str,
    images: DescribedImages,
    others: DescribedImages,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> dict[str, Any]:
    """What a checkpoint must agree with."""
    return {
        "phase": phase,
        "sentences": len(images.captions),
        "validation": len(others.captions),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }


def _both(
    written: dict[str, np.ndarray],
    features: np.ndarray,
    labels: np.ndarray,
    words: np.ndarray,
    rewards: np.ndarray,
) -> dict[str, np.ndarray]:
    """Sentences that people wrote and those that were drawn as one batch."""
    steps = words.shape[1]
    missing = steps - written["words"].shape[1]
    drawn = {
        "features": features,
        "labels": labels,
        "words": words,
        "lengths": (words != 0).sum(axis=1).astype("int32"),
    }
    written = {**written, "words": np.pad(written["words"], [(0, 0), (0, missing)])}
    batch = {name: np.concatenate([written[name], drawn[name]]) for name in drawn}
    none = np.zeros(len(written["words"]), "float32")
    return {**batch, "rewards": np.concatenate([none, rewards.astype("float32")])}
