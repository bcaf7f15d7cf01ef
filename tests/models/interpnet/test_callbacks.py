"""Keras callbacks in both phases of InterpNET's training."""

import keras
import numpy as np
import pytest

import keras_interp as ki


class Calls(keras.callbacks.Callback):
    """Notes what is called, and with which model."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.stop_after, self.names, self.logs, self.models = stop_after, [], [], []

    def on_train_begin(self, logs=None):
        self.names.append("begin")
        self.models.append(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        self.names.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs=None):
        self.names.append(f"batch {batch}")
        assert logs["loss"] > 0

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(logs)
        if epoch == self.stop_after:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.names.append("end")


def phases(colored):
    """By name of the method what it is given: pictures, what is known, validation."""
    features, labels, captions = colored
    return {
        name: (features[:18], known[:18], (features[18:], known[18:]))
        for name, known in (("fit_classifier", labels), ("fit_explainer", captions))
    }


OPTIONS = {"epochs": 4, "batch_size": 18, "verbose": 0}


@pytest.mark.parametrize("phase", ["fit_classifier", "fit_explainer"])
def test_callbacks_see_this_model_and_can_stop_it(make_model, colored, phase):
    model, calls = make_model(), Calls(stop_after=1)
    given = phases(colored)[phase]
    history = getattr(model, phase)(*given, callbacks=[calls], **OPTIONS)
    steps = ["batch 0"] if phase == "fit_classifier" else ["batch 0", "batch 1"]
    epochs = ["epoch 0", *steps, "epoch 1", *steps]
    assert calls.names == ["begin", *epochs, "end"]
    assert calls.models == [model] and history.epoch == [0, 1]
    assert {"loss", "val_loss", "learning_rate"} <= set(calls.logs[0])
    assert [logs["val_loss"] for logs in calls.logs] == history.history["val_loss"]
    assert not hasattr(model, "optimizer") and not model.compiled


def test_callbacks_of_keras_do_what_they_do_in_fit(make_model, colored, tmp_path):
    model = make_model()
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
        keras.callbacks.ModelCheckpoint(tmp_path / "epoch_{epoch}.keras"),
        keras.callbacks.CSVLogger(tmp_path / "training.csv"),
        keras.callbacks.EarlyStopping("learning_rate", patience=1, mode="max"),
    ]
    history = model.fit_explainer(
        *phases(colored)["fit_explainer"], callbacks=callbacks, **OPTIONS
    )
    np.testing.assert_allclose(history.history["learning_rate"], [0.01, 0.005])
    assert (tmp_path / "training.csv").read_text().count("\n") == 3
    losses = history.history["val_loss"]
    best = keras.models.load_model(
        tmp_path / f"epoch_{int(np.argmin(losses)) + 1}.keras"
    )
    assert best.explain(colored[0]) == model.explain(colored[0])
    for one, other in zip(best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_loss_of_an_epoch_is_the_mean_over_its_batches(make_model, colored):
    model, calls = make_model(dropout=0.0), Calls()
    features, captions, validation = phases(colored)["fit_explainer"]
    found = model.fit_explainer(
        features,
        captions,
        validation,
        epochs=1,
        batch_size=12,
        learning_rate=1e-12,
        callbacks=[calls],
        verbose=0,
    ).history["loss"]
    words, lengths = model.vocabulary.encode([s for group in captions for s in group])
    logits = model.word_logits(np.repeat(features, 2, axis=0), words)
    each = keras.ops.convert_to_numpy(ki.losses.sentence_loss(words, logits, lengths))
    np.testing.assert_allclose(found, [each.mean()], rtol=1e-5)
    assert calls.logs[0]["loss"] == found[0] and each.std() > 0.01


def test_a_compiled_model_stays_compiled_as_it_was(make_model, colored):
    model = make_model()
    model.compile("sgd", "sparse_categorical_crossentropy")
    own = model.optimizer
    model.fit_explainer(
        *phases(colored)["fit_explainer"],
        callbacks=[Calls()],
        **OPTIONS | {"epochs": 1},
    )
    assert model.optimizer is own and model.compiled
    assert np.isfinite(model.evaluate(colored[0], colored[1], verbose=0))


@pytest.mark.parametrize("callbacks", [["early"], [keras.callbacks.Callback], 3])
def test_what_is_no_callback_is_refused(make_model, colored, callbacks):
    model = make_model()
    for phase, given in phases(colored).items():
        with pytest.raises(ValueError, match="Expected callbacks"):
            getattr(model, phase)(*given, callbacks=callbacks)
