"""Training on CIDEr-D: the sentences that are drawn, and how well people agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_interp.losses import discriminative_loss
from keras_interp.models.interpnet import _decoding
from keras_interp.models.interpnet._captions import Captions
from keras_interp.models.interpnet._training import (
    BestTraining,
    SentenceTraining,
    steadily_compiled,
)
from keras_interp.models.interpnet._word_runs import WordRuns


class RewardTraining(SentenceTraining):
    """What is trained: the decoder, on what it drew and the rewards of that.

    Dropout is off, as it was when the sentences were drawn.
    """

    def call(self, batch: dict[str, Any], training: bool | None = None) -> Any:
        return super().call(batch, training=False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean of minus log-probability times reward."""
        # Words that are never drawn have no probability.
        logits = ops.cast(y_pred, "float32")
        logits = logits + _decoding.forbidden_words(logits.shape[-1])
        return discriminative_loss(x["words"], logits, x["lengths"], x["rewards"])


class _Step(NamedTuple):
    """Pictures, and the seed of what is drawn for them."""

    pictures: np.ndarray
    seed: int


def train_self_critical(
    model: Any,
    context: np.ndarray,
    captions: Captions,
    validation: Captions,
    *,
    samples: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    **options: Any,
) -> keras.callbacks.History:
    """Train a decoder on CIDEr-D.

    Args:
        model: `InterpNet`, whose decoder is trained.
        context: r(x) of the training pictures, then of those of the validation.
        captions: of the training pictures.
        validation: of the others, numbered as rows of `context`.
        samples: sentences that are drawn for a picture.
        epochs: how many.
        batch_size: pictures of a step.
        learning_rate: of Adam.
        seed: of the order, and of what is drawn.
        **options: `patience`, `checkpoint`, `verbose`, `callbacks` and `shown` of
            `BestTraining`.

    Returns:
        Keras `History`.
    """
    count = int(captions.pictures.max()) + 1
    training_model = RewardTraining(model.decoder, context)
    steadily_compiled(training_model, learning_rate)
    batch_size = min(batch_size, count)
    settings = {
        "phase": "self-critical",
        "sentences": len(captions),
        "validation": len(validation),
        "samples": samples,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "shapes": [tuple(v.shape) for v in model.decoder.trainable_variables],
    }
    training = BestTraining(
        training_model,
        settings,
        monitor="val_cider_d",
        larger_is_better=True,
        **options,
    )
    runs, others = (
        WordRuns(one.words, one.pictures - one.pictures.min(), model.vocabulary)
        for one in (captions, validation)
    )
    rewards: list[float] = []

    def batches(epoch: int) -> Sequence[Any]:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(count)[: count - count % batch_size]
        rewards.clear()
        return [
            _Step(rows, int(rng.integers(2**31)))
            for rows in order.reshape(-1, batch_size)
        ]

    def step(one: _Step) -> float:
        rows = np.repeat(one.pictures, samples).astype("int32")
        words = model.explain_ids(
            context=context[rows], temperature=1.0, seed=one.seed, batch_size=len(rows)
        )
        reward = runs.cider_d(words, rows)
        rewards.append(float(reward.mean()))
        batch = {
            "pictures": rows,
            "words": words,
            "lengths": (words != 0).sum(axis=1).astype("int32"),
            "rewards": _advantages(reward, samples),
        }
        return float(training_model.train_on_batch(batch))

    def validate() -> dict[str, float]:
        said = model.explain_ids(context=context[count:])
        scores = others.cider_d(said, np.arange(len(said)))
        return {"reward": float(np.mean(rewards)), "val_cider_d": float(scores.mean())}

    return training.run(epochs, batches, step, validate)


def _advantages(rewards: np.ndarray, samples: int) -> np.ndarray:
    """How much better each sentence is than the others of its picture."""
    each = rewards.reshape(-1, samples)
    others = (each.sum(axis=1, keepdims=True) - each) / (samples - 1)
    return (each - others).ravel().astype("float32")
