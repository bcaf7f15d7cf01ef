"""A model that learns from the features of another one and leaves that as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops

from keras_interp.layers._labels import (
    current_label_scope,
    label_scope,
    no_label_scope,
)
from keras_interp.layers.reconstruction_loss import ReconstructionLoss
from keras_interp.models._performer_reader import PerformerReader
from keras_interp.models.explainer._features import (
    PerformerFeatures,
    cached_features,
    first_images,
    is_features,
)
from keras_interp.models.explainer._filter_loss_balance import FilterLossBalance

LEARNING_RATE = 3e-4


class DistilledModel(PerformerReader, keras.Model):
    """The training of an explainer: what it takes, its losses and its log.

    Attributes:
        rebuilt_layers: Paths of the layers whose features are rebuilt.
        settings: Arguments of `Explainer`.
    """

    rebuilt_layers: Sequence[str]
    settings: dict[str, Any]
    _read: keras.Model
    _decode: keras.Model
    _top: keras.Model | None
    _trackers: dict[str, keras.metrics.Mean]
    _output_activation: str
    # With images `call` is the graph; it also takes features that were computed before.
    call_follows_graph = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        # The performer's own filter losses, if it has any, must not see this batch.
        with no_label_scope():
            if is_features(inputs):
                features = self._as_list(inputs)
            else:
                features = self._read(inputs, training=False)
        if training:
            features = keras.tree.map_structure(ops.stop_gradient, features)
        vector = keras.tree.flatten(self._decode(features, training=training))[-1]
        with no_label_scope():
            return vector if self._top is None else self._top(vector, training=False)

    def compute_output_spec(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        if not is_features(inputs):
            return super().compute_output_spec(inputs)
        return keras.KerasTensor(self.output.shape, self.output.dtype)

    def _as_list(self, features: PerformerFeatures) -> list[Any]:
        missing = [name for name in self._feature_names() if name not in features]
        if missing:
            raise ValueError(
                f"Expected features with the names {self._feature_names()}, as "
                "`performer_features` of this explainer gives them. Missing: "
                f"{missing}."
            )
        return [features[name] for name in self._feature_names()]

    def _feature_names(self) -> list[str]:
        rebuilt = [f"rebuilt_{number}" for number in range(len(self.rebuilt_layers))]
        return ["target", *rebuilt, "category"]

    def compile(self, optimizer: Any = None, loss: Any = None, **kwargs: Any) -> None:
        """Configures the training, with an optimizer and a loss by default.

        Args:
            optimizer: Defaults to Adam with a learning rate of 3e-4.
            loss: None (default) for distillation. The Explainer+cls baseline takes the
                cross-entropy of the performer's output where none is given.
            **kwargs: Other arguments of `keras.Model.compile`, such as `metrics`.
        """
        if optimizer is None:
            optimizer = keras.optimizers.Adam(LEARNING_RATE)
        if loss is None and self.settings["objective"] == "classification":
            one = self.output.shape[-1] == 1
            losses = keras.losses
            kind = (
                losses.BinaryCrossentropy
                if one
                else losses.SparseCategoricalCrossentropy
            )
            loss = kind(from_logits=self._output_activation == "linear")
        super().compile(optimizer, loss, **kwargs)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        cache_features: bool = False,
        cache_folder: str | Path | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Distils the performer into the explainer.

        Args:
            x: Images that the performer takes: an array, `tf.data`, a `PyDataset`;
                or what `performer_features` gave.
            y: Labels, for Explainer+cls or compiled metrics; distillation needs none.
            cache_features: Whether the performer is run once over the images before
                training, and its features kept: in memory up to 2 GiB, above that in
                files. For images that do not change between epochs.
            cache_folder: Folder for these files; None takes a temporary one, which is
                removed afterwards.
            **kwargs: Other arguments of `keras.Model.fit`, such as `epochs`.

        Returns:
            Keras `History`. The log has the ratio p as `interpretable_ratio` and for
            each rebuilt layer the share of its features that is missing.
        """
        if not cache_features or is_features(x):
            return self._fit(x, y, kwargs)
        with cached_features(
            self._read,
            self._feature_names(),
            x,
            y,
            folder=cache_folder,
            batch_size=kwargs.pop("batch_size", None),
            shuffle=kwargs.pop("shuffle", True),
        ) as (features, labels, told):
            return self._fit(features, labels, {**kwargs, **told})

    def _fit(self, x: Any, y: Any, kwargs: dict[str, Any]) -> keras.callbacks.History:
        ratio = self.settings["filter_loss_balance"]
        if ratio is not None:
            callbacks = list(kwargs.get("callbacks") or ())
            kinds = [type(one) for one in callbacks]
            if FilterLossBalance not in kinds:
                callbacks.append(FilterLossBalance(ratio, first_images(x)))
            kwargs = {**kwargs, "callbacks": callbacks}
        return super().fit(x, y, **kwargs)

    def decode(self, features: PerformerFeatures) -> list[Any]:
        """Rebuilt vectors, one tensor a layer, from features of the performer.

        Args:
            features: As `performer_features` gives them.
        """
        return keras.tree.flatten(self._decode(self._as_list(features), training=False))

    def train_step(self, *args: Any) -> Any:
        with label_scope(None):
            return super().train_step(*args)

    def test_step(self, *args: Any) -> Any:
        with label_scope(None):
            return super().test_step(*args)

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(*args, **kwargs)
        scope = current_label_scope()
        for findings in (scope.findings if scope else {}).values():
            for name, value in findings.items():
                self._trackers[name].update_state(value)
        return loss

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


def log_means(decode: keras.Model) -> dict[str, keras.metrics.Mean]:
    """A running mean for each figure that the log shows."""
    names = [
        layer.name for layer in decode.layers if isinstance(layer, ReconstructionLoss)
    ]
    return {name: keras.metrics.Mean(name) for name in ["interpretable_ratio", *names]}
