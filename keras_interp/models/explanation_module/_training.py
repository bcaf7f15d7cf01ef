"""The training of an explanation module: its phases, its rounds and its losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.layers.srae_block import SRAEBlock
from keras_interp.losses import (
    mean_reconstruction_loss,
    pull_away_term,
    sparse_reconstruction_loss,
    squared_faithfulness_loss,
)
from keras_interp.models._performer_reader import PerformerReader

LEARNING_RATE = 1e-3
# Share of the epochs after which the default learning rate is divided by ten, again.
DECAYS = (0.6, 0.85)
# Of the squared error in the pre-training, against the weight decay.
PRETRAINING_WEIGHT = 300.0
# What a round that was not accepted changes, and what it takes to be accepted.
MORE_RECONSTRUCTION = 1.2
LESS_PULL_AWAY = 0.8
LEAST_POSITIVE = 2
LEAST_RATIO = 0.3
# Of the mean square of the x-features; keeps equal ones from large opposite weights.
RIDGE = 1e-3
# Images whose x-features are computed at once.
ENCODED_AT_ONCE = 512


class TrainedModule(PerformerReader, keras.Model):
    """What is trained of an explanation module, on features computed before.

    Attributes:
        srae: the autoencoders, one a class.
        feature_weights: v, `(classes, x-features)`.
        accepted: bool `(classes,)`, whether the last training ended with at least two
            x-features that count.
    """

    settings: dict[str, Any]
    srae: SRAEBlock

    def make_weights(self, features: int, classes: int) -> None:
        """All weights, once the number of features is known."""
        names = ("num_features", "hidden_units", "dropout", "seed")
        paper = self.settings["initialization"] == "paper"
        self.srae = SRAEBlock(
            **{name: self.settings[name] for name in names},
            feature_bias=0.0 if paper else 0.5,
            modules=classes,
            dtype=self.dtype_policy,
            name="srae",
        )
        self.srae.build((None, features))
        count = self.settings["num_features"]
        self.feature_weights = self._weight(
            "feature_weights", (classes, count), self.first_weights, True
        )
        self._shift = self._weight("feature_shift", (features,), "zeros")
        self._scale = self._weight("feature_scale", (features,), "ones")
        self._center = self._weight("logit_center", (classes,), "zeros")
        self._fitted = self._weight("fitted", (), "zeros")
        self._prediction = self._weight("prediction_weight", (), "ones")
        self._pretraining = self._weight("pretraining_weight", (), "zeros")
        self._reconstruction = self._weight("reconstruction_weight", (classes,), "ones")
        self._pull_away = self._weight("pull_away_weight", (classes,), "ones")
        self._trackers = [
            keras.metrics.Mean("faithfulness"),
            keras.metrics.Mean("reconstruction"),
        ]
        self.accepted = np.zeros(classes, bool)
        self.set_objective()
        self.built = True

    def _weight(
        self,
        name: str,
        shape: tuple[int, ...],
        initializer: str | Callable[..., Any],
        trainable: bool = False,
    ) -> Any:
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            name=name,
            dtype="float32",
            trainable=trainable,
            autocast=False,
        )

    def first_weights(self, shape: Any, dtype: Any = None) -> Any:
        """v at the start: of alternating signs, or random as in the paper's code."""
        if self.settings["initialization"] == "paper":
            limit = shape[-1] ** -0.5
            seed = self.settings["seed"]
            return keras.random.uniform(shape, -limit, limit, seed=seed)
        signs = 1.0 - 2.0 * (np.arange(shape[-1]) % 2)
        return ops.cast(np.broadcast_to(signs, shape), dtype or "float32")

    # What is computed -------------------------------------------------------------

    def scaled(self, features: Any) -> Any:
        """Features as the autoencoders take them; 0 where a feature is left out."""
        features = ops.cast(features, "float32")
        return ops.relu((features - self._shift) * self._scale)

    def from_features(self, features: Any, training: bool | None) -> dict[str, Any]:
        """Logits, x-features and rebuilt features of a batch."""
        scaled = self.scaled(features)
        x_features, rebuilt = self.srae(scaled, training=training)
        x_features = ops.cast(x_features, "float32")
        contributions = x_features * self.feature_weights
        return {
            "logits": ops.sum(contributions, axis=-1) + self._center,
            "x_features": x_features,
            "rebuilt": ops.cast(rebuilt, "float32"),
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Equation (1), summed over the modules, and what decays the weights."""
        settings = self.settings
        live = ops.cast(ops.convert_to_tensor(self._scale) > 0, "float32")
        live = live / ops.maximum(ops.sum(live), 1.0)
        scaled = self.scaled(x)
        rebuilt = y_pred["rebuilt"]
        mean = mean_reconstruction_loss(scaled, rebuilt, live)
        if settings["reconstruction"] == "sparse":
            q = settings["sparsity"]
            reconstruction = sparse_reconstruction_loss(scaled, rebuilt, q, live)
        else:
            reconstruction = mean
        prediction = squared_faithfulness_loss(y, y_pred["logits"])
        each = (
            self._prediction * prediction
            + self._reconstruction * reconstruction
            + self._pretraining * mean
        )
        if settings["pull_away"]:
            contributions = y_pred["x_features"] * self.feature_weights
            over = settings["pull_away_over"]
            each = each + self._pull_away * pull_away_term(contributions, over)
        error = ops.mean(ops.abs(ops.cast(y, "float32") - y_pred["logits"]))
        for tracker, value in zip(
            self._trackers, (error, ops.mean(reconstruction)), strict=True
        ):
            tracker.update_state(value)
        return ops.sum(each) + self._decay()

    def _decay(self) -> Any:
        """Half the squared length of the weights, whose gradient is the weights."""
        rate = self.settings["weight_decay"]
        if not rate:
            return 0.0
        squares = [_squared_length(variable) for variable in self.trainable_variables]
        return 0.5 * rate * sum(squares)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def encoded(self, features: np.ndarray) -> np.ndarray:
        """x-features of features, float32 `(N, classes, x-features)`."""
        parts = []
        for start in range(0, len(features), ENCODED_AT_ONCE):
            scaled = self.scaled(features[start : start + ENCODED_AT_ONCE])
            last = self.srae.encoder_activations(scaled)[-1]
            part = np.asarray(ops.convert_to_numpy(ops.cast(last, "float32")))
            parts.append(part.transpose(1, 0, 2))
        return np.concatenate(parts)

    # Training ---------------------------------------------------------------------

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded module as it was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def set_objective(self, pretraining: bool = False) -> None:
        """Switch between the pre-training's loss and equation (1)."""
        settings = self.settings
        kept = settings["reconstruction"] is not None and not pretraining
        weight = settings["reconstruction_weight"] if kept else 0.0
        pull = 0.0 if pretraining else settings["pull_away"]
        self._prediction.assign(0.0 if pretraining else 1.0)
        self._pretraining.assign(PRETRAINING_WEIGHT if pretraining else 0.0)
        self._reconstruction.assign(ops.full(self._reconstruction.shape, weight))
        self._pull_away.assign(ops.full(self._pull_away.shape, pull))

    def adapt(self, features: np.ndarray, logits: np.ndarray) -> None:
        """Scale of the features and centre of the logits, of the training images."""
        lowest = features.min(axis=0)
        if self.settings["negative_activations"] == "shift":
            self._shift.assign(np.minimum(lowest, 0.0))
        if not self.settings["standardize"]:
            return
        deviation = features.astype("float64").std(axis=0)
        # One that does not change says nothing.
        moves = deviation > 1e-6 * np.maximum(np.abs(features).max(axis=0), 1e-30)
        if not moves.any():
            raise ValueError(
                "Expected features that differ between images. Received: "
                f"{features.shape[1]} features that are the same in all "
                f"{len(features)} images. Choose another layer, or give several "
                "different images."
            )
        self._scale.assign(np.where(moves, 1.0 / np.where(moves, deviation, 1.0), 0.0))
        self._center.assign(logits.mean(axis=0))

    def learn(
        self,
        features: np.ndarray,
        logits: np.ndarray,
        options: dict[str, Any],
        verbose: Any,
    ) -> keras.callbacks.History:
        """All phases and rounds; a later call goes on with the last one's weights."""
        first = float(ops.convert_to_numpy(self._fitted)) == 0.0
        if not first:
            return self._joint(features, logits, options, verbose)
        self.adapt(features, logits)
        self.optimizer.build(self.trainable_variables)
        fresh = [ops.convert_to_numpy(v) for v in self.optimizer.variables]
        best: _Round | None = None
        for number in range(self.settings["rounds"]):
            if number:
                self.srae.reset_weights()
                start = self.first_weights(self.feature_weights.shape, "float32")
                self.feature_weights.assign(start)
            self._pretrain(features, logits, options, verbose)
            for variable, value in zip(self.optimizer.variables, fresh, strict=True):
                variable.assign(value)
            if best is not None:
                best.strengthen(self._reconstruction, self._pull_away)
            history = self._joint(features, logits, options, verbose)
            best = _Round(self, features, best)
            self.accepted = best.accepted
            if self.accepted.all() or self.settings["rounds"] == 1:
                break
            some = f"{self.accepted.sum()} of {len(self.accepted)}"
            say(verbose, f"round {number + 1}: {some} modules accepted")
        if best is not None:
            best.restore(self)
        self._fitted.assign(1.0)
        return history

    def _pretrain(
        self, features: np.ndarray, logits: np.ndarray, options: Any, verbose: Any
    ) -> None:
        kind, epochs = self.settings["pretraining"], self.settings["pretraining_epochs"]
        batch_size = options["batch_size"]
        if kind is not None and epochs:
            say(verbose, f"pre-training of the autoencoder ({kind}), {epochs} epochs")
        if kind == "layerwise" and epochs:
            layerwise = LayerwiseModel(self)
            layerwise.compile(keras.optimizers.Adam(LEARNING_RATE))
            layerwise.fit(
                features, epochs=epochs, batch_size=batch_size, verbose=verbose
            )
        elif kind == "reconstruction" and epochs:
            self.set_objective(pretraining=True)
            super().fit(
                features, logits, epochs=epochs, batch_size=batch_size, verbose=verbose
            )
        if kind is not None and epochs:
            self.feature_weights.assign(self._least_squares(features, logits))
        self.set_objective()

    def _joint(
        self, features: np.ndarray, logits: np.ndarray, options: Any, verbose: Any
    ) -> keras.callbacks.History:
        if self.settings["pretraining"] is not None:
            say(verbose, f"training of the whole module, {options['epochs']} epochs")
        callbacks = list(options.get("callbacks") or ())
        if self._decays_by_itself:
            callbacks.append(decaying_rate(options["epochs"]))
        options = {**options, "callbacks": callbacks, "verbose": verbose}
        return super().fit(features, logits, **options)

    def _least_squares(self, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """v with which the x-features as they are come nearest to the logits."""
        x_features = self.encoded(features).astype("float64")
        center = np.asarray(ops.convert_to_numpy(self._center), "float64")
        products = np.einsum("ikn,ikm->knm", x_features, x_features)
        wanted = np.einsum("ikn,ik->kn", x_features, logits - center)
        squares = np.einsum("knn->kn", products)
        ridge = RIDGE * squares.mean(axis=1)[:, None, None] + 1e-12
        solved = products + ridge * np.eye(products.shape[-1])
        weights = np.linalg.solve(solved, wanted[..., None])[..., 0]
        # One that never fires keeps its first weight, or nothing would ever reach it.
        start = ops.convert_to_numpy(self.first_weights(weights.shape, "float32"))
        return np.where(squares > 0, weights, start)


class _Round:
    """What a round of training came to, and the best of each module so far."""

    def __init__(
        self, module: TrainedModule, features: np.ndarray, best: _Round | None = None
    ):
        x_features = module.encoded(features)
        weights = ops.convert_to_numpy(module.feature_weights)
        mean = np.sort((x_features * weights).mean(axis=0), axis=-1)[:, ::-1]
        positive = (mean > 0).sum(axis=-1)
        second = mean[:, 1] if mean.shape[1] > 1 else np.zeros(len(mean))
        ratio = np.where(mean[:, 0] > 0, second / np.maximum(mean[:, 0], 1e-30), 0.0)
        self.accepted = (positive >= LEAST_POSITIVE) & (ratio >= LEAST_RATIO)
        self._rank = self.accepted * 10.0 + np.clip(ratio, 0.0, 1.0)
        self._values = [ops.convert_to_numpy(v) for v in module.trainable_variables]
        self._times = np.ones(len(mean)) if best is None else best.times_after()
        if best is None:
            return
        # A module that was accepted stays as it was.
        better = (self._rank > best._rank) & ~best.accepted
        self._values = [
            np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
            for new, old in zip(self._values, best._values, strict=True)
        ]
        self._rank = np.where(better, self._rank, best._rank)
        self.accepted = np.where(better, self.accepted, best.accepted)

    def times_after(self) -> np.ndarray:
        """Which round comes next, by module."""
        return self._times + 1

    def strengthen(self, reconstruction: Any, pull_away: Any) -> None:
        """More reconstruction and less pull-away for the modules not yet accepted."""
        rounds = np.where(self.accepted, 0, self._times)
        for variable, factor in (
            (reconstruction, MORE_RECONSTRUCTION),
            (pull_away, LESS_PULL_AWAY),
        ):
            variable.assign(ops.convert_to_numpy(variable) * factor**rounds)

    def restore(self, module: TrainedModule) -> None:
        """Give each module the weights of its best round."""
        variables = module.trainable_variables
        for variable, value in zip(variables, self._values, strict=True):
            variable.assign(value)


class LayerwiseModel(keras.Model):
    """Trains each pair of layers of the autoencoders as an autoencoder of its own.

    Args:
        module: whose autoencoders are trained.
    """

    def __init__(self, module: TrainedModule):
        super().__init__(name="layerwise_pretraining")
        self.srae = module.srae
        self._scaled: Sequence[Any] = (module.scaled,)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.srae.layerwise_errors(self._scaled[0](inputs))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        return ops.sum(y_pred)


def _squared_length(variable: Any) -> Any:
    """Of a variable, with its gradient made in one pass over the numbers.

    For many modules the variables are larger than all else that a step looks at.
    """
    row = ops.reshape(ops.cast(variable, "float32"), (1, -1))
    product = ops.matmul(row, ops.stop_gradient(ops.transpose(row)))[0, 0]
    # The gradient of the product with a constant is half that of the square.
    return 2.0 * product - ops.stop_gradient(product)


def decaying_rate(epochs: int) -> keras.callbacks.Callback:
    """Divides the learning rate by ten after two shares of the epochs."""

    def rate(epoch: int, _: float) -> float:
        passed = sum(epoch >= share * epochs for share in DECAYS)
        return LEARNING_RATE * 0.1**passed

    return keras.callbacks.LearningRateScheduler(rate)


def say(verbose: Any, words: str) -> None:
    """A line about what comes next, unless silence is asked for."""
    if verbose not in (0, "0"):
        print(words, flush=True)
