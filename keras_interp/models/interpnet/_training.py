"""Algorithm 1: the classifier first, then the decoder, the best of each kept."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp import _backend
from keras_interp.layers import ExplanationLSTM
from keras_interp.losses import sentence_loss
from keras_interp.models.interpnet._captions import Captions, SentenceBatch

# What the learning rate is divided by after an epoch without improvement.
RATE_DIVISOR = 2.0
# One step of the training on a batch: gives its loss.
Step = Callable[[Any], float]


class SentenceTraining(keras.Model):
    """What is trained in the second phase: the decoder alone, on vectors at hand.

    Args:
        decoder: built decoder.
        context: float32 `(pictures, features)`, r(x) of all pictures.
    """

    def __init__(self, decoder: ExplanationLSTM, context: np.ndarray):
        super().__init__(name="sentence_training")
        self.decoder = decoder
        self.table = self.add_weight(
            shape=context.shape,
            initializer=lambda shape, dtype=None: ops.cast(context, dtype),
            dtype="float32",
            trainable=False,
            autocast=False,
            name="context",
        )
        self.built = True

    def call(self, batch: dict[str, Any], training: bool | None = None) -> Any:
        context = ops.take(self.table, batch["pictures"], axis=0)
        before = words_before(batch["words"])
        return self.decoder([before, context], training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """L_E of a batch; rows of length 0 do not count."""
        lengths = ops.cast(x["lengths"], "int32")
        each = sentence_loss(x["words"], y_pred, lengths)
        counted = ops.sum(ops.cast(lengths > 0, "float32"))
        return ops.sum(each) / ops.maximum(counted, 1.0)

    def sentence_losses(self, captions: Captions, batch_size: int) -> float:
        """L_E of all sentences of pictures in the table, without dropout."""
        total = 0.0
        for batch in captions.in_order(batch_size):
            self.reset_metrics()
            loss = float(self.test_on_batch(as_inputs(batch)))
            total += loss * int((batch.lengths > 0).sum())
        return total / len(captions)


def words_before(words: Any) -> Any:
    """The words before each word: the start, and the others one place later."""
    return ops.pad(words[:, :-1], [[0, 0], [1, 0]])


def as_inputs(batch: SentenceBatch) -> dict[str, np.ndarray]:
    """A batch as the training takes it."""
    return batch._asdict()


def steadily_compiled(model: keras.Model, rate: float, **kwargs: Any) -> None:
    """Compile a model with Adam so that batches of another length cost no compiling."""
    jit: Any = False if _backend.has_open_batches() else "auto"
    model.compile(keras.optimizers.Adam(rate), jit_compile=jit, **kwargs)


@contextlib.contextmanager
def with_optimizer(model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Lend a model an optimizer: callbacks look for the learning rate there."""
    own = getattr(model, "optimizer", None)
    if own is optimizer:
        yield
        return
    model.optimizer = optimizer
    try:
        yield
    finally:
        if own is None:
            del model.optimizer
        else:
            model.optimizer = own


class BestTraining:
    """Epochs of which the best is kept; the rate is halved after each that is not.

    Args:
        model: compiled Keras model.
        settings: what a checkpoint must agree with to be gone on with.
        monitor: name of the figure that is watched.
        larger_is_better: whether it is to grow.
        patience: epochs without improvement after which the training stops; None for
            no such stop.
        checkpoint: path of a file that is written after each epoch, and gone on with.
        verbose: 0 silent, 1 a bar an epoch, 2 a line an epoch.
        callbacks: Keras callbacks.
        shown: the model that callbacks see, whose weights are trained; None for
            `model`.
    """

    def __init__(
        self,
        model: keras.Model,
        settings: dict[str, Any],
        *,
        monitor: str,
        larger_is_better: bool,
        patience: int | None,
        checkpoint: str | os.PathLike[str] | None,
        verbose: Any,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        shown: keras.Model | None = None,
    ):
        self._model = model
        self._callbacks = list(callbacks)
        self._shown = model if shown is None else shown
        self._settings = settings
        self._monitor = monitor
        self._sign = 1.0 if larger_is_better else -1.0
        self._patience = patience
        self._path = None if checkpoint is None else Path(checkpoint)
        self._verbose = 1 if verbose == "auto" else int(verbose)
        model.optimizer.build(model.trainable_variables)
        # Not the table, which nothing changes.
        table = getattr(model, "table", None)
        self._learnt = [v for v in model.variables if v is not table]
        self._best: list[np.ndarray] | None = None
        self._best_value = -np.inf
        self.history = keras.callbacks.History()
        self.history.history = {}
        self.history.epoch = []
        self.history.params = {}

    def run(
        self,
        epochs: int,
        batches: Callable[[int], Sequence[Any]],
        step: Step,
        validate: Callable[[], float | dict[str, float]],
    ) -> keras.callbacks.History:
        """All epochs that are missing.

        Args:
            epochs: how many in all, those of a checkpoint among them.
            batches: gives the batches of an epoch by its number.
            step: trains on a batch.
            validate: gives figures of the validation, the watched one among them.

        Returns:
            Keras `History`.
        """
        self._resume()
        with with_optimizer(self._shown, self._model.optimizer):
            calls = self._callback_list(epochs)
            calls.on_train_begin()
            try:
                self._epochs(epochs, batches, step, validate, calls)
            finally:
                # After an interruption too the model is the best there was.
                if self._best is not None:
                    for variable, value in zip(self._learnt, self._best, strict=True):
                        variable.assign(value)
            # As with `fit`, which does not end where it is interrupted.
            calls.on_train_end(self._last_logs)
        return self.history

    def _callback_list(self, epochs: int) -> keras.callbacks.CallbackList:
        self._shown.stop_training = False
        self._last_logs: dict[str, float] = {}
        return keras.callbacks.CallbackList(
            self._callbacks,
            model=self._shown,
            verbose=self._verbose,
            epochs=epochs,
            steps=None,
        )

    def _epochs(
        self,
        epochs: int,
        batches: Callable[[int], Sequence[Any]],
        step: Step,
        validate: Any,
        calls: keras.callbacks.CallbackList,
    ) -> None:
        for epoch in range(len(self.history.epoch), epochs):
            if self._stopped():
                self._say(f"no improvement in {self._patience} epochs")
                break
            calls.on_epoch_begin(epoch)
            self._epoch(epoch, epochs, batches(epoch), step, validate, calls)
            calls.on_epoch_end(epoch, self._last_logs)
            # What callbacks did to the optimizer is gone on with, too.
            self._save()
            if self._shown.stop_training:
                self._say("a callback stopped the training")
                break

    def _epoch(
        self,
        epoch: int,
        epochs: int,
        batches: Sequence[Any],
        step: Step,
        validate: Any,
        calls: keras.callbacks.CallbackList,
    ) -> None:
        if self._verbose:
            print(f"Epoch {epoch + 1}/{epochs}", flush=True)
        started = time.perf_counter()
        bar = keras.utils.Progbar(
            len(batches) + 1,
            verbose=int(self._verbose == 1),
            stateful_metrics=["loss", "val_loss", "val_accuracy", "learning_rate"],
        )
        loss = self._steps(epoch, batches, step, calls, bar)
        rate = float(ops.convert_to_numpy(self._model.optimizer.learning_rate))
        logs = {"loss": loss, **validate(), "learning_rate": rate}
        value = self._sign * logs[self._monitor]
        if value > self._best_value:
            self._best_value = value
            self._best = [ops.convert_to_numpy(v) for v in self._learnt]
        else:
            self._model.optimizer.learning_rate.assign(rate / RATE_DIVISOR)
        bar.update(len(batches) + 1, list(logs.items())[1:], finalize=True)
        if self._verbose == 2:
            figures = " - ".join(f"{name}: {v:.4g}" for name, v in logs.items())
            print(f"{time.perf_counter() - started:.0f}s - {figures}", flush=True)
        self.history.epoch.append(epoch)
        for name, figure in logs.items():
            self.history.history.setdefault(name, []).append(figure)
        self._last_logs = logs

    def _steps(
        self,
        epoch: int,
        batches: Sequence[Any],
        step: Step,
        calls: keras.callbacks.CallbackList,
        bar: keras.utils.Progbar,
    ) -> float:
        """All steps of an epoch, of batches of one size; gives their mean loss."""
        total = mean = 0.0
        for number, batch in enumerate(batches):
            calls.on_train_batch_begin(number)
            # Some versions of Keras do so themselves, others add up the batches.
            self._model.reset_metrics()
            loss = step(batch)
            if not np.isfinite(loss):
                raise ValueError(
                    "Expected a finite loss. Received: loss="
                    f"{loss} in epoch {epoch + 1}, step {number + 1}. Lower the "
                    "learning rate, or look at the inputs."
                )
            total += loss
            mean = total / (number + 1)
            bar.update(number + 1, [("loss", mean)], finalize=False)
            calls.on_train_batch_end(number, {"loss": mean})
            if self._shown.stop_training:
                break
        return mean

    def _stopped(self) -> bool:
        if self._patience is None or self._best is None:
            return False
        values = [self._sign * v for v in self.history.history[self._monitor]]
        return len(values) - 1 - int(np.argmax(values)) >= self._patience

    def _say(self, text: str) -> None:
        if self._verbose:
            print(text, flush=True)

    # Checkpoints ------------------------------------------------------------------

    def _variables(self) -> list[Any]:
        return [*self._learnt, *self._model.optimizer.variables]

    def _save(self) -> None:
        if self._path is None:
            return
        assert self._best is not None
        arrays = {
            f"variable_{n}": ops.convert_to_numpy(variable)
            for n, variable in enumerate(self._variables())
        }
        arrays |= {f"best_{n}": value for n, value in enumerate(self._best)}
        settings = np.array(repr(self._settings))
        figures = {f"history_{k}": np.array(v) for k, v in self.history.history.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f"{self._path.name}.unfinished")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, **{"settings": settings, **arrays, **figures})
            unfinished.replace(self._path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _resume(self) -> None:
        if self._path is None or not self._path.exists():
            return
        with np.load(self._path) as file:
            saved = dict(file)
        if str(saved["settings"]) != repr(self._settings):
            raise ValueError(
                f"Expected a checkpoint of this training, {self._settings}. Received: "
                f"checkpoint={str(self._path)!r} of {saved['settings']}. Name another "
                "file, or remove it to begin anew."
            )
        for number, variable in enumerate(self._variables()):
            variable.assign(saved[f"variable_{number}"])
        self._best = [saved[f"best_{n}"] for n in range(len(self._learnt))]
        for name, values in saved.items():
            if name.startswith("history_"):
                self.history.history[name.removeprefix("history_")] = values.tolist()
        done = len(self.history.history["loss"])
        self.history.epoch.extend(range(done))
        watched = self.history.history[self._monitor]
        self._best_value = max(self._sign * value for value in watched)
        self._say(f"{done} epochs are in {self._path}")


def train_sentences(
    decoder: ExplanationLSTM,
    context: np.ndarray,
    captions: Captions,
    validation: Captions,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    **options: Any,
) -> keras.callbacks.History:
    """The second phase of Algorithm 1.

    Args:
        decoder: built decoder, which is trained.
        context: r(x) of the training pictures, then of those of the validation.
        captions: of the training pictures.
        validation: of the others, numbered as rows of `context`.
        epochs: how many.
        batch_size: sentences of a step.
        learning_rate: of Adam.
        seed: of the order.
        **options: `patience`, `checkpoint`, `verbose`, `callbacks` and `shown` of
            `BestTraining`.

    Returns:
        Keras `History`.
    """
    model = SentenceTraining(decoder, context)
    steadily_compiled(model, learning_rate)
    batch_size = min(batch_size, len(captions))
    settings = {
        "phase": "explainer",
        "sentences": len(captions),
        "validation": len(validation),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "shapes": [tuple(v.shape) for v in decoder.trainable_variables],
    }
    training = BestTraining(
        model, settings, monitor="val_loss", larger_is_better=False, **options
    )

    def batches(epoch: int) -> Sequence[Any]:
        return captions.shuffled(batch_size, np.random.default_rng([seed, epoch]))

    return training.run(
        epochs,
        batches,
        lambda batch: float(model.train_on_batch(as_inputs(batch))),
        lambda: {"val_loss": model.sentence_losses(validation, batch_size)},
    )


def train_classes(
    classifier: keras.Model,
    inputs: Any,
    labels: np.ndarray,
    validation: tuple[Any, np.ndarray],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    **options: Any,
) -> keras.callbacks.History:
    """The first phase of Algorithm 1.

    Args:
        classifier: which is trained; it puts out probabilities.
        inputs: as it takes them.
        labels: int `(N,)`.
        validation: inputs and labels of other pictures.
        epochs: how many.
        batch_size: pictures of a step.
        learning_rate: of Adam.
        seed: of the order.
        **options: `patience`, `checkpoint`, `verbose`, `callbacks` and `shown` of
            `BestTraining`.

    Returns:
        Keras `History`.
    """
    # Another model of the same layers: the user's own one stays compiled as it was.
    model = keras.Model(classifier.inputs, classifier.outputs[0])
    single = model.outputs[0].shape[-1] == 1
    kind = "binary" if single else "sparse_categorical"
    accuracy = f"{kind}_accuracy"
    steadily_compiled(
        model, learning_rate, loss=f"{kind}_crossentropy", metrics=[accuracy]
    )
    batch_size = min(batch_size, len(labels))
    settings = {
        "phase": "classifier",
        "pictures": len(labels),
        "validation": len(validation[1]),
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "shapes": [tuple(v.shape) for v in model.trainable_variables],
    }
    training = BestTraining(
        model, settings, monitor="val_accuracy", larger_is_better=True, **options
    )

    def rows_of(rows: np.ndarray, arrays: Any) -> Any:
        return keras.tree.map_structure(lambda array: array[rows], arrays)

    def batches(epoch: int) -> Sequence[np.ndarray]:
        order = np.random.default_rng([seed, epoch]).permutation(len(labels))
        whole = len(order) - len(order) % batch_size
        return np.split(order[:whole], whole // batch_size)

    def step(rows: np.ndarray) -> float:
        logs = model.train_on_batch(
            rows_of(rows, inputs), labels[rows], return_dict=True
        )
        return float(logs["loss"])

    def validate() -> dict[str, float]:
        found = model.evaluate(
            *validation, batch_size=batch_size, verbose=0, return_dict=True
        )
        return {"val_loss": found["loss"], "val_accuracy": found[accuracy]}

    return training.run(epochs, batches, step, validate)
