"""The variants of table 1: trained, heard, and scored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_interp import metrics
from keras_interp.datasets import Vocabulary
from keras_interp.models import InterpNet, SentenceMemory, interpnet_classifier
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
# By name of a decoding what its row is called behind the variant's name.
DECODINGS = {
    "figures": "",
    "beam": "/beam search",
    "consensus": "/consensus",
    "class_consensus": "/consensus with sentences of the classes",
    "bleu_consensus": "/consensus by BLEU with sentences of the classes",
    "self_critical": "/self-critical",
}
CLASSIFIER_EPOCHS, CLASSIFIER_PATIENCE = 40, 6
# Of the training on CIDEr, which comes last.
SELF_CRITICAL_PATIENCE = 4
# Pictures whose sentences are looked through for one that most agree with.
REMEMBERED = 2400
# Of the consensus by BLEU, chosen on held-back drawn birds: what the decoder draws and
# what was written of the classes weigh the same, as the classifier believes in them.
BLEU_CONSENSUS = {"agreement": "bleu", "weight": 0.5, "sharpness": 1.0}


@dataclasses.dataclass(frozen=True)
class DecoderRecipe:
    """How decoders are built and trained.

    Attributes:
        units: Of each LSTM, and of the projection between them.
        embedding_dim: Numbers that stand for a word.
        min_count: How often a word must come in the training sentences.
        epochs: Most passes over the sentences.
        patience: Passes without a better validation loss after which training stops.
        batch_size: Sentences of a step.
        learning_rate: Of Adam, at first.
        normalize_blocks: Whether the activations of each layer get length 1.
        beam_width: Of the second decoding.
        samples: Sentences that are drawn for the consensus.
        self_critical_epochs: Most passes over the pictures of the training on CIDEr.
    """

    units: int
    embedding_dim: int
    min_count: int
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    normalize_blocks: bool
    beam_width: int
    samples: int
    self_critical_epochs: int


def remembered(rows: np.ndarray) -> np.ndarray:
    """So many of the rows that their sentences can be looked through for each image."""
    return rows[:: -(-len(rows) // REMEMBERED)]


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
        By the names of `DECODINGS` the figures, and by `"said"` the sentences by these
        names; those with sentences of the classes only where r(x) has their
        probabilities.
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
    described = (
        birds.features[birds.fit],
        captions,
        (birds.features[birds.validation], birds.captions(birds.validation)),
    )
    history = model.fit_explainer(
        *described,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        patience=recipe.patience,
        seed=seed,
        verbose=2,
    ).history
    found = model.predict(birds.features[birds.test], batch_size=256, verbose=0)
    figures = {
        **figures_of_training(history["val_loss"]),
        "accuracy": float((found.argmax(axis=1) == birds.labels(birds.test)).mean()),
        "validation_loss": float(min(history["val_loss"])),
    }
    context = model.context(birds.features[birds.test])

    said = {
        "figures": model.explain(context=context),
        "beam": model.explain(context=context, beam_width=recipe.beam_width),
    }
    rows = remembered(birds.fit)
    known: dict[str, dict[str, Any]] = {"consensus": {}}
    if VARIANTS[name][1] != "input":
        labels = birds.labels(rows)
        known["class_consensus"] = {"labels": labels}
        known["bleu_consensus"] = {"labels": labels, **BLEU_CONSENSUS}
    for decoding, options in known.items():
        memory = SentenceMemory(vocabulary, birds.captions(rows), **options)
        said[decoding] = model.explain_by_consensus(
            context=context, memory=memory, samples=recipe.samples, seed=seed
        )
    model.fit_self_critical(
        *described,
        epochs=min(recipe.self_critical_epochs, recipe.epochs),
        patience=SELF_CRITICAL_PATIENCE,
        seed=seed,
        verbose=2,
    )
    said["self_critical"] = model.explain(context=context)
    after = classifier.get_weights()
    unmoved = all((a == b).all() for a, b in zip(before, after, strict=True))
    figures["classifier_unmoved"] = float(unmoved)
    return scored(said, birds, figures, seed, scorer)


def figures_of_training(losses: Sequence[float]) -> dict[str, float]:
    """How many epochs there were, and the number of the best from 1."""
    return {"epochs": len(losses), "best_epoch": int(np.argmin(losses)) + 1}


def scored(
    said: dict[str, list[str]],
    birds: DescribedBirds,
    figures: dict[str, float],
    seed: int,
    scorer: metrics.MeteorScorer,
) -> dict[str, Any]:
    """Score what a decoder says of the test images, and of others in their place.

    Args:
        said: By name of a decoding the sentences about the test images.
        birds: What is described.
        figures: Of the training, which stand beside the scores.
        seed: Of the swapped images.
        scorer: METEOR.

    Returns:
        What `measured_variant` gives.
    """
    labels, written = birds.labels(birds.test), birds.captions(birds.test)
    about = sentences_of_classes(written, labels)
    result: dict[str, Any] = {"said": said}
    for decoding, sentences in said.items():
        found = figures | scores_of(sentences, written, scorer)
        for metric, same in (("cider_swap_class", True), ("cider_swap_any", False)):
            # What is said of an image depends on its r(x) alone.
            swapped = [sentences[row] for row in other_images(labels, seed, same)]
            found[metric] = 100 * metrics.cider(swapped, written, tokens="words").value
        found |= _means(class_scores(sentences, labels, about))
        result[decoding] = found
    return result


def class_scores(
    spoken: Sequence[str], labels: np.ndarray, about: Sequence[Sequence[str]]
) -> np.ndarray:
    """Class similarity, times 100 as CIDEr, and class rank of each sentence."""
    found = [
        score(list(spoken), labels, list(about), tokens="words").per_sentence
        for score in (metrics.class_similarity, metrics.class_rank)
    ]
    return np.stack(found, axis=1) * (100.0, 1.0)


def sentences_of_classes(
    written: Sequence[Sequence[str]], labels: np.ndarray
) -> list[list[str]]:
    """All sentences about the images of each class."""
    about: list[list[str]] = [[] for _ in range(labels.max() + 1)]
    for label, group in zip(labels, written, strict=True):
        about[label] += group
    return about


def _means(each: np.ndarray) -> dict[str, float]:
    names = ("class_similarity", "class_rank")
    return dict(zip(names, each.mean(axis=0).tolist(), strict=True))


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
    learnt = remembered(np.concatenate([birds.fit, birds.validation]))
    captions, written = birds.captions(learnt), birds.captions(birds.test)
    labels, count = birds.labels(birds.test), len(written)
    fixed = Consensus(captions, birds.labels(learnt)).of_all()
    spoken, others = human_sentences(written, seed)
    several = labels[np.array([len(group) > 1 for group in written])]
    result: dict[str, Any] = {"sentence": fixed}
    for name, sentences, references, classes in (
        ("fixed_sentence", [fixed] * count, written, labels),
        # A person's sentence is none of those that it is compared with.
        ("human", spoken, others, several),
        ("random", random_sentences(captions, count, seed), written, labels),
    ):
        about = sentences_of_classes(references, classes)
        result[name] = scores_of(sentences, references, scorer)
        result[name] |= _means(class_scores(sentences, classes, about))
    return result


def class_lookup(
    birds: DescribedBirds, classifier: keras.Model, scorer: metrics.MeteorScorer
) -> dict[str, dict[str, float]]:
    """Scores of sentences that are looked up by what the classifier predicts.

    Args:
        birds: What is described.
        classifier: Trained.
        scorer: METEOR.

    Returns:
        By `"class_lookup"` those of one sentence for each class, that of the class
        which is predicted, and by `"class_evidence"` those of the sentence that agrees
        most with what was written of all classes, weighted by their probabilities.
    """
    learnt = remembered(np.concatenate([birds.fit, birds.validation]))
    captions, known = birds.captions(learnt), birds.labels(learnt)
    sentences = Consensus(captions, known).of_classes(birds.classes)
    found = classifier.predict(birds.features[birds.test], batch_size=256, verbose=0)
    looked_up = [sentences[number] for number in found.argmax(axis=1)]
    # With all words, so that any sentence can be said.
    vocabulary = Vocabulary.from_sentences(captions)
    memory = SentenceMemory(vocabulary, captions, known, weight=1.0)
    drawn, _ = vocabulary.encode(looked_up)
    chosen = memory.chosen(drawn[:, None], found, drawn.shape[1] + MAX_LENGTH)
    labels, written = birds.labels(birds.test), birds.captions(birds.test)
    about = sentences_of_classes(written, labels)
    return {
        name: scores_of(spoken, written, scorer)
        | _means(class_scores(spoken, labels, about))
        for name, spoken in (
            ("class_lookup", looked_up),
            ("class_evidence", vocabulary.decode(chosen)),
        )
    }
