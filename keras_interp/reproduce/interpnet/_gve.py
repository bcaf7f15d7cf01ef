"""The row of GVE in table 1: trained in its phases, and scored as the variants."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp import metrics
from keras_interp.datasets import Vocabulary
from keras_interp.losses import sentence_loss
from keras_interp.models import GVE, SentenceClassifier
from keras_interp.reproduce.interpnet._birds import DescribedBirds
from keras_interp.reproduce.interpnet._variants import (
    MAX_LENGTH,
    DecoderRecipe,
    class_lookup,
    figures_of_training,
    scored,
)

NAME = "GVE"
# Hidden units of the classifier whose class the generator is told.
HIDDEN = (500,)
# What the training passes on its way to "explanation".
ABLATIONS = ("description", "explanation-label")
# Half of a batch are sentences that people wrote.
DISCRIMINATIVE_EPOCHS, DISCRIMINATIVE_BATCH = 10, 64


def measured_gve(
    birds: DescribedBirds,
    classifier: keras.Model,
    recipe: DecoderRecipe,
    seed: int,
    scorer: metrics.MeteorScorer,
) -> dict[str, Any]:
    """Train GVE on the features of the variants, and score what it says.

    Args:
        birds: What is described.
        classifier: Trained; the class that it predicts is what the generator is told.
        recipe: Sizes and training of the variants' decoders, which are those of this
            one and of its classifier of sentences, too.
        seed: Of weights, order, what is drawn, and swapped images.
        scorer: METEOR.

    Returns:
        What `measured_variant` gives; by `"ablations"` the same of the two that the
        training passes, and what `class_lookup` gives.
    """
    keras.utils.set_random_seed(seed)
    fit, held = _described(birds, birds.fit), _described(birds, birds.validation)
    vocabulary = Vocabulary.from_sentences(fit[2], min_count=recipe.min_count)
    options: dict[str, Any] = {"patience": recipe.patience, "seed": seed, "verbose": 2}
    relevance: dict[str, Any] = {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        **options,
    }

    def generator(ablation: str) -> GVE:
        return GVE(
            vocabulary,
            birds.classes,
            birds.features.shape[1],
            ablation=ablation,
            units=recipe.units,
            embedding_dim=recipe.embedding_dim,
            max_length=MAX_LENGTH,
            seed=seed,
        )

    predicted = classifier.predict(birds.features, batch_size=256, verbose=0)
    predicted = predicted.argmax(axis=1)

    def measured(model: GVE, losses: list[float]) -> dict[str, Any]:
        features, told = birds.features[birds.test], predicted[birds.test]
        figures = {
            **figures_of_training(losses),
            "accuracy": float((told == birds.labels(birds.test)).mean()),
            "validation_loss": validation_loss(model, birds, predicted),
        }

        said = {
            "figures": model.explain(features, told),
            "beam": model.explain(features, told, beam_width=recipe.beam_width),
        }
        return scored(said, birds, figures, seed, scorer)

    print("Description: its states stand for the classes", flush=True)
    model = generator("description")
    history = model.fit_relevance(*fit, held, **relevance).history
    ablations = {ABLATIONS[0]: measured(model, history["val_loss"])}
    class_features = model.mean_hidden_states(*fit)

    print("Relevance: image and class", flush=True)
    model = generator("explanation")
    history = model.fit_relevance(
        *fit, held, class_features=class_features, **relevance
    ).history
    ablations[ABLATIONS[1]] = measured(model, history["val_loss"])

    print("Classifier of sentences", flush=True)
    judge = SentenceClassifier(
        vocabulary,
        birds.classes,
        units=recipe.units,
        embedding_dim=recipe.embedding_dim,
        max_length=MAX_LENGTH,
        seed=seed,
    )
    judged = judge.fit_sentences(
        fit[2], fit[1], (held[2], held[1]), epochs=recipe.epochs, **options
    ).history

    print("Discrimination: sentences that tell the class", flush=True)
    history = model.fit_discriminative(
        *fit,
        judge,
        held,
        epochs=min(DISCRIMINATIVE_EPOCHS, recipe.epochs),
        batch_size=DISCRIMINATIVE_BATCH,
        **options,
    ).history
    best = int(np.argmin(history["val_loss"]))
    return {
        **measured(model, history["val_loss"]),
        "ablations": ablations,
        **class_lookup(birds, classifier, scorer),
        "judge_accuracy": judged["val_accuracy"][int(np.argmin(judged["val_loss"]))],
        "rewards": history["val_reward"],
        "best_reward": history["val_reward"][best],
    }


def _described(
    birds: DescribedBirds, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """Features, labels and sentences of some images."""
    return birds.features[rows], birds.labels(rows), birds.captions(rows)


def validation_loss(
    model: GVE, birds: DescribedBirds, predicted: np.ndarray, batch_size: int = 256
) -> float:
    """L_E of the sentences about the validation's images, as the variants have it.

    The loss that GVE is trained with is a sum over words, so that it cannot be compared
    with theirs. The class is the predicted one, as for new images.
    """
    captions = birds.captions(birds.validation)
    sizes = [len(group) for group in captions]
    rows = np.repeat(birds.validation, sizes)
    words, lengths = model.vocabulary.encode(
        [sentence for group in captions for sentence in group], MAX_LENGTH
    )
    total = 0.0
    for start in range(0, len(rows), batch_size):
        part = slice(start, start + batch_size)
        logits = model([birds.features[rows[part]], predicted[rows[part]], words[part]])
        each = sentence_loss(words[part], logits, lengths[part])
        total += float(ops.convert_to_numpy(ops.sum(each)))
    return total / len(rows)
