"""The variants of table 1: trained, heard, and scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_interp import metrics
from keras_interp.datasets import Vocabulary
from keras_interp.models import InterpNet, interpnet_classifier
from keras_interp.reproduce.interpnet._birds import DescribedBirds
from keras_interp.reproduce.interpnet._describers import (
    Consensus,
    human_sentences,
    other_images,
    random_sentences,
)

# Hidden units of the classifier, and what the decoder is given of it. The sizes of
# three layers are not published.
VARIANTS: dict[str, tuple[tuple[int, ...], str]] = {
    "InterpNet_0": ((500,), "probabilities"),
    "InterpNet_1": ((500,), "activations"),
    "InterpNet_2": ((500, 300), "activations"),
    "InterpNet_3": ((500, 300, 200), "activations"),
    "captioning": ((500,), "input"),
}
# Longer sentences are cut: 2 % of those of CUB.
MAX_LENGTH = 32
CLASSIFIER_EPOCHS, CLASSIFIER_PATIENCE = 40, 6
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class DecoderRecipe:
    """How decoders are built and trained.

    Attributes:
        units: Of each LSTM, and of the projection between them.
        embedding_dim: Numbers that stand for a word.
        min_count: How often a word must come in the training sentences.
        epochs: Most passes over the sentences.
        patience: Passes without a better validation loss after which training stops.
        learning_rate: Of Adam, at first.
        normalize_blocks: Whether the activations of each layer get length 1.
        beam_width: Of the second decoding.
    """

    units: int
    embedding_dim: int
    min_count: int
    epochs: int
    patience: int
    learning_rate: float
    normalize_blocks: bool
    beam_width: int


def trained_classifier(
    birds: DescribedBirds, hidden: tuple[int, ...], seed: int
) -> keras.Model:
    """A classifier of the paper on the features, after the first phase of training."""
    keras.utils.set_random_seed(seed)
    width = birds.features.shape[1]
    classifier = interpnet_classifier(width, birds.classes, hidden, seed=seed)
    # The first phase asks nothing of the decoder, which is as small as can be.
    model = InterpNet(
        classifier, Vocabulary(["bird"]), units=1, embedding_dim=1, projection=None
    )
    model.fit_classifier(
        birds.features[birds.fit],
        birds.labels(birds.fit),
        (birds.features[birds.validation], birds.labels(birds.validation)),
        epochs=CLASSIFIER_EPOCHS,
        patience=CLASSIFIER_PATIENCE,
        seed=seed,
        verbose=0,
    )
    return classifier


def measured_variant(
    name: str,
    birds: DescribedBirds,
    classifier: keras.Model,
    recipe: DecoderRecipe,
    seed: int,
    scorer: metrics.MeteorScorer,
) -> dict[str, Any]:
    """Train the decoder of a variant, and score what it says of the test images.

    Args:
        name: One of `VARIANTS`.
        birds: What is described.
        classifier: Trained, of as many hidden layers as the variant wants.
        recipe: Of the decoder.
        seed: Of weights, order and swapped images.
        scorer: METEOR.

    Returns:
        By `"figures"` and `"beam"` the figures of greedy decoding and of beam search,
        by `"sentences"` and `"beam_sentences"` what was said.
    """
    keras.utils.set_random_seed(seed)
    captions = birds.captions(birds.fit)
    vocabulary = Vocabulary.from_sentences(captions, min_count=recipe.min_count)
    model = InterpNet(
        classifier,
        vocabulary,
        conditioning=VARIANTS[name][1],
        normalize_blocks=recipe.normalize_blocks,
        units=recipe.units,
        embedding_dim=recipe.embedding_dim,
        projection=recipe.units,
        max_length=MAX_LENGTH,
        seed=seed,
    )
    before = classifier.get_weights()
    history = model.fit_explainer(
        birds.features[birds.fit],
        captions,
        (birds.features[birds.validation], birds.captions(birds.validation)),
        epochs=recipe.epochs,
        batch_size=BATCH_SIZE,
        learning_rate=recipe.learning_rate,
        patience=recipe.patience,
        seed=seed,
        verbose=2,
    ).history
    after = classifier.get_weights()
    unmoved = all((a == b).all() for a, b in zip(before, after, strict=True))
    losses = np.array(history["val_loss"])
    labels = birds.labels(birds.test)
    found = model.predict(birds.features[birds.test], batch_size=256, verbose=0)
    common = {
        "accuracy": float((found.argmax(axis=1) == labels).mean()),
        "validation_loss": float(losses.min()),
        "epochs": len(losses),
        "best_epoch": int(losses.argmin()) + 1,
        "classifier_unmoved": float(unmoved),
    }
    context = model.context(birds.features[birds.test])
    written = birds.captions(birds.test)
    result: dict[str, Any] = {}
    for figures, sentences, width in (
        ("figures", "sentences", 1),
        ("beam", "beam_sentences", recipe.beam_width),
    ):

        def said(rows: Any, width: int = width) -> list[str]:
            return model.explain(context=context[rows], beam_width=width)

        result[sentences] = said(slice(None))
        result[figures] = common | scores_of(result[sentences], written, scorer)
        for metric, same in (("cider_swap_class", True), ("cider_swap_any", False)):
            swapped = said(other_images(labels, seed, same))
            result[figures][metric] = (
                100 * metrics.cider(swapped, written, tokens="words").value
            )
    return result


def scores_of(
    spoken: Sequence[str],
    written: Sequence[Sequence[str]],
    scorer: metrics.MeteorScorer,
) -> dict[str, float]:
    """All scores of sentences, CIDEr times 100 as the paper has it.

    BLEU counts punctuation, the others do not, as in the evaluation of the paper.
    """
    spoken, known = list(spoken), [list(group) for group in written]
    meteor = metrics.meteor(spoken, known, tokens="words", scorer=scorer)
    return {
        "bleu": metrics.bleu(spoken, known, tokens="words_and_punctuation").value,
        "meteor": meteor.value,
        "meteor_segments": float(meteor.per_sentence.mean()),
        "cider": 100 * metrics.cider(spoken, known, tokens="words").value,
        "cider_d": 100 * metrics.cider_d(spoken, known, tokens="words").value,
        "distinct_sentences": len(set(spoken)),
    }


def measured_describers(
    birds: DescribedBirds, seed: int, scorer: metrics.MeteorScorer
) -> dict[str, Any]:
    """Scores of the one sentence that fits all images, of people, and of chance."""
    learnt = np.concatenate([birds.fit, birds.validation])
    captions, written = birds.captions(learnt), birds.captions(birds.test)
    count = len(written)
    fixed = Consensus(captions, birds.labels(learnt)).of_all()
    spoken, others = human_sentences(written, seed)
    return {
        "sentence": fixed,
        "fixed_sentence": scores_of([fixed] * count, written, scorer),
        "human": scores_of(spoken, others, scorer),
        "random": scores_of(random_sentences(captions, count, seed), written, scorer),
    }


def class_lookup(
    birds: DescribedBirds, classifier: keras.Model, scorer: metrics.MeteorScorer
) -> dict[str, float]:
    """Scores of one sentence for each class, that of the class which is predicted."""
    learnt = np.concatenate([birds.fit, birds.validation])
    consensus = Consensus(birds.captions(learnt), birds.labels(learnt))
    sentences = consensus.of_classes(birds.classes)
    found = classifier.predict(birds.features[birds.test], batch_size=256, verbose=0)
    spoken = [sentences[number] for number in found.argmax(axis=1)]
    return scores_of(spoken, birds.captions(birds.test), scorer)
