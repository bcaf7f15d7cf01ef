"""A few x-features from which a logit of a trained network can be computed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.models.explanation_module._answers import AnsweringModule
from keras_interp.models.explanation_module._reading import NetworkReading
from keras_interp.models.explanation_module._settings import SETTINGS, check_settings
from keras_interp.models.explanation_module._training import LEARNING_RATE


@keras.saving.register_keras_serializable(package="keras_interp")
class ExplanationModule(AnsweringModule):
    """Explains one class score of a trained network by a few x-features.

    Attached to one layer of a network, the module embeds its features Z into a few
    x-features E, from which the class's logit can be computed, `v . E`, and from which
    some of Z can be rebuilt. What each x-feature looks at is drawn by excitation
    backpropagation. The network itself is only read.

    Several classes train at once: with `class_index=[3, 7, 9]` there is a module for
    each, none of which knows of the others, and one `fit` computes all of them
    together. Arrays then have an axis for the classes after that of the images.

    `call` takes images, and gives the approximated logits `(batch, classes)`; or
    features `(batch, units)`, and gives a dict of `"logits"`, `"x_features"` `(batch,
    classes, x-features)` and `"rebuilt"` `(batch, classes, units)`.

    Example:

    ```python
    module = ki.models.ExplanationModule(performer, "fc6", class_index=1)
    module.compile()
    module.fit(images, epochs=50)
    print(module.faithfulness(images).relative)
    found = module.explain(images[:4])
    print(found.maps.shape, found.weights)
    ```

    Args:
        model: any built Keras classifier of images. A softmax or sigmoid at its end is
            looked through: the logits are explained.
        layer_name: name or path of the layer whose outputs are Z: `"fc6"` of VGG in the
            paper, after its ReLU. Maps are flattened.
        class_index: class whose logit is explained, or a list of classes.
        num_features: number of x-features. Defaults to 5, the paper's.
        hidden_units: units of the encoder's layers before the x-features; the decoder
            has the same backwards. Defaults to `(800, 100)`; for layers of up to 512
            units `(200, 50)` does as well.
        reconstruction: `"sparse"` (default) rebuilds some of Z, the paper's SRAE;
            `"mse"` all of it alike, its baseline SAE; None nothing, its baseline NN.
        reconstruction_weight: beta of equation (1). Defaults to 10.
        sparsity: q of equation (1): the larger, the fewer of Z are rebuilt. Defaults to
            100.
        pull_away: weight of the pull-away term. Defaults to 0, without it; the paper's
            code has 5 over features and 10 over images.
        pull_away_over: whether it compares `"features"` (default) or `"images"`.
        dropout: share of the first encoder layer's units that is dropped in training.
            Defaults to 0.02.
        weight_decay: rate of the L2 penalty on all weights, which the gradient is given
            before Adam sees it. Defaults to 1e-4.
        standardize: whether each unit of Z is divided by its standard deviation over
            the training images, one that never changes left out, and the logits are
            taken less their mean. Defaults to True. With False it is equation (1) as it
            stands, in which more of the x-features die.
        initialization: `"alternating"` (default): v starts with alternating signs and
            the x-features with a bias of 0.5. `"paper"`: random v, biases of 0.
        pretraining: `"reconstruction"` (default) trains the autoencoder alone before,
            then solves v by least squares; `"layerwise"` trains each pair of its layers
            as an autoencoder of its own, as the paper's code; None does neither.
        pretraining_epochs: Defaults to 15; 0 is no pre-training.
        rounds: most trainings from scratch. A class is accepted once at least two
            x-features have a positive mean contribution and the second is at least 0.3
            times the first; for another round its reconstruction weight grows by 1.2
            and its pull-away weight falls by 0.8. Defaults to 1; the paper's code 5.
        negative_activations: excitation backpropagation needs a layer of zero or more.
            `"refuse"` (default) says so; `"shift"` subtracts the least value of each
            unit over the training images.
        output_index: which output of a model with several: position or name.
        seed: of the initial weights and of the dropout. None (default) follows
            `keras.utils.set_random_seed`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Attributes:
        performer: the network that is explained.
        classes: the explained classes, a tuple.
        srae: `keras_interp.layers.SRAEBlock` of all classes.
        feature_weights: variable v, `(classes, x-features)`.
        accepted: bool `(classes,)`, whether the last training ended with at least two
            x-features that count, as `rounds` says.

    Raises:
        ValueError: if the layer or a class does not exist, or an argument is unknown.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017; the
        pre-training, the rounds and the pull-away term are those of its released code.
    """

    def __init__(
        self,
        model: Any,
        layer_name: str,
        class_index: int | Sequence[int] = 0,
        *,
        num_features: int = 5,
        hidden_units: Sequence[int] = (800, 100),
        reconstruction: str | None = "sparse",
        reconstruction_weight: float = 10.0,
        sparsity: float = 100.0,
        pull_away: float = 0.0,
        pull_away_over: str = "features",
        dropout: float = 0.02,
        weight_decay: float = 1e-4,
        standardize: bool = True,
        initialization: str = "alternating",
        pretraining: str | None = "reconstruction",
        pretraining_epochs: int = 15,
        rounds: int = 1,
        negative_activations: str = "refuse",
        output_index: int | str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        given = locals()
        settings = {setting: given[setting] for setting in SETTINGS}
        check_settings(settings)
        reading = NetworkReading(model, layer_name, class_index, output_index)
        name = kwargs.pop("name", None) or f"{model.name}_explanation_module"
        # Features may be larger than half precision holds.
        super().__init__(name=name, autocast=False, **kwargs)
        self.performer = model
        self.settings = settings
        self.classes = reading.classes
        self._single = np.ndim(class_index) == 0
        self._reading = reading
        self._decays_by_itself = False
        if reading.features is not None:
            self.make_weights(reading.features, len(self.classes))

    # Training ---------------------------------------------------------------------

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Configures the training.

        Args:
            optimizer: None (default) is Adam with a learning rate of 1e-3, divided by
                ten after 60 % of the epochs and again after 85 %.
            **kwargs: Other arguments of `keras.Model.compile`, such as `metrics`, which
                are given logits, and `jit_compile`. The loss is equation (1).

        Raises:
            ValueError: for a `loss`.
        """
        if kwargs.get("loss") is not None:
            raise ValueError(
                "Expected no loss: an explanation module is trained by equation (1). "
                f"Received: loss={kwargs['loss']!r}. Leave it out; the arguments of "
                "ExplanationModule choose its terms."
            )
        self._decays_by_itself = optimizer is None
        super().compile(optimizer or keras.optimizers.Adam(LEARNING_RATE), **kwargs)

    def fit(
        self,
        images: Any,
        validation_data: Any = None,
        *,
        epochs: int = 50,
        batch_size: int = 50,
        feature_batch_size: int = 32,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the module on what the network says of images; no label is needed.

        The network is run over the images once, before the training.

        Args:
            images: `(N, height, width, channels)` as the network takes them, a
                `tf.data.Dataset` or a `PyDataset` of batches, whose labels are left
                aside.
            validation_data: images of the same kind, after each epoch of which the
                losses are computed. Default: none.
            epochs: of the training after the pre-training. Defaults to 50.
            batch_size: images of a step. Defaults to 50.
            feature_batch_size: images that the network is run on at once. Defaults to
                32.
            **kwargs: other arguments of `keras.Model.fit`, such as `callbacks` and
                `verbose`.

        Returns:
            Keras `History` of the training after the pre-training: `loss`, summed over
            the classes, `faithfulness` (mean absolute error of the logits) and
            `reconstruction`.

        Raises:
            ValueError: if the layer has negative values, there are fewer than two
                images, or `compile` was not called.
        """
        self._check_compiled()
        features, logits = self.features(images, feature_batch_size)
        if validation_data is not None:
            if isinstance(validation_data, tuple):
                validation_data = validation_data[0]
            validation_data = self.features(validation_data, feature_batch_size)
        return self.fit_features(
            features,
            logits,
            validation_data,
            epochs=epochs,
            batch_size=batch_size,
            **kwargs,
        )

    def fit_features(
        self,
        features: Any,
        logits: Any,
        validation_data: tuple[Any, Any] | None = None,
        *,
        epochs: int = 50,
        batch_size: int = 50,
        verbose: Any = "auto",
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the module on features and logits that were computed before.

        Args:
            features: `(N, units)`, Z as `features` gives it, or maps of it.
            logits: `(N,)`, or `(N, classes)` for several classes.
            validation_data: features and logits of other images. Default: none.
            epochs: of the training after the pre-training. Defaults to 50.
            batch_size: images of a step. Defaults to 50.
            verbose: as for `keras.Model.fit`.
            **kwargs: other arguments of `keras.Model.fit`, such as `callbacks`.

        Returns:
            Keras `History`, as `fit` does.

        Raises:
            ValueError: if the shapes do not fit, the features are negative or not
                finite, there are fewer than two images, or `compile` was not called.
        """
        self._check_compiled()
        features, logits = self._checked(features, logits)
        if len(features) < 2:
            raise ValueError(
                "Expected at least two images, between which the logit differs. "
                f"Received: {len(features)}. Give more images."
            )
        options = {"epochs": epochs, "batch_size": batch_size, **kwargs}
        if validation_data is not None:
            options["validation_data"] = self._checked(*validation_data)
            options["validation_batch_size"] = batch_size
        return self.learn(features, logits, options, verbose)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        *,
        feature_batch_size: int = 32,
        **kwargs: Any,
    ) -> Any:
        """Losses and metrics on images.

        Args:
            x: images as for `fit`; or features `(N, units)`, with their logits.
            y: logits of features that were computed before; None for images.
            feature_batch_size: images that the network is run on at once. Defaults to
                32.
            **kwargs: other arguments of `keras.Model.evaluate`.

        Returns:
            As `keras.Model.evaluate`.
        """
        self._check_compiled()
        if x is not None:
            given = self.features(x, feature_batch_size) if y is None else (x, y)
            x, y = self._checked(*given)
        return super().evaluate(x, y, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if len(inputs.shape) == 2:
            return self.from_features(inputs, training)
        features = ops.stop_gradient(self._reading.features_of(inputs))
        return self.from_features(features, training)["logits"]

    # Saving -----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments, the network's configuration among them.

        A saved module holds the network's weights: it needs no other file.
        """
        classes = list(self.classes)
        return {
            "model": keras.saving.serialize_keras_object(self.performer),
            "layer_name": self.layer_name,
            "class_index": classes[0] if self._single else classes,
            **self.settings,
            "hidden_units": list(self.settings["hidden_units"]),
            "output_index": self.output_index,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        # Keras empties the configurations of inner models.
        config = copy.deepcopy(config)
        network = keras.saving.deserialize_keras_object(
            config.pop("model"), custom_objects=custom_objects
        )
        return cls(network, config.pop("layer_name"), **config)

    def get_build_config(self) -> dict[str, Any]:
        """Number of features, which a network that is no graph does not tell."""
        return {"features": self._shift.shape[0] if self.built else None}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights of a module that is loaded."""
        if not self.built and config["features"] is not None:
            self.make_weights(config["features"], len(self.classes))
