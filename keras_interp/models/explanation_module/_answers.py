"""What an explanation module says of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_interp.models.explanation_module._reading import NetworkReading
from keras_interp.models.explanation_module._training import TrainedModule

if TYPE_CHECKING:
    from keras_interp.attribution import XFeatureMaps
    from keras_interp.metrics import Faithfulness


class AnsweringModule(TrainedModule):
    """The questions that a trained module is asked, and what it is given checked.

    Attributes:
        performer: the network that is explained.
        classes: the explained classes, a tuple.
    """

    performer: Any
    classes: tuple[int, ...]
    _reading: NetworkReading
    _single: bool

    @property
    def layer_name(self) -> str:
        """Name of the layer whose outputs are Z."""
        return self._reading.layer_name

    @property
    def output_index(self) -> int | str | None:
        """Which output of the network is explained."""
        return self._reading.output_index

    def features(
        self, images: Any, batch_size: int = 32
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the module reads from the network on images.

        Args:
            images: as for `fit`.
            batch_size: images at a time. Defaults to 32.

        Returns:
            float32 `(N, units)`, Z, and logits `(N,)`; `(N, classes)` for several.
        """
        features, logits = self._reading.read(images, batch_size)
        if not self.built:
            self.make_weights(features.shape[1], len(self.classes))
        return features, self._squeezed(logits)

    def x_features(self, images: Any, batch_size: int = 32) -> np.ndarray:
        """The x-features E of images.

        Args:
            images: as for `fit`, or features `(N, units)` as `features` gives them.
            batch_size: images at a time. Defaults to 32.

        Returns:
            float32 `(N, x-features)`; `(N, classes, x-features)` for several classes.
        """
        return self._squeezed(self.encoded(self._features(images, batch_size)))

    def contributions(self, images: Any, batch_size: int = 32) -> np.ndarray:
        """What each x-feature adds to the logit, `v_n E_n`.

        Args:
            images: as for `fit`, or features `(N, units)` as `features` gives them.
            batch_size: images at a time. Defaults to 32.

        Returns:
            float32 `(N, x-features)`; `(N, classes, x-features)` for several classes.
            With `standardize=True` the sum over the x-features is the approximated
            logit less the mean logit of the training images.
        """
        return self._squeezed(self._contributions(images, batch_size))

    def predict(self, images: Any, batch_size: int = 32, **kwargs: Any) -> np.ndarray:
        """Logits as computed from the x-features.

        Args:
            images: as for `fit`, or features `(N, units)` as `features` gives them.
            batch_size: images at a time. Defaults to 32.
            **kwargs: taken and not used: `verbose`, `steps` and `callbacks` of Keras.

        Returns:
            float32 `(N,)`; `(N, classes)` for several classes.
        """
        total = self._contributions(images, batch_size).sum(axis=-1)
        return self._squeezed(total + ops.convert_to_numpy(self._center))

    def faithfulness(
        self, images: Any, logits: Any = None, batch_size: int = 32
    ) -> Faithfulness:
        """Mean absolute difference of approximated and true logits, F_reg.

        Args:
            images: as for `fit`; or features `(N, units)`, with their `logits`.
            logits: `(N,)` or `(N, classes)`, of features that were computed before.
            batch_size: images at a time. Defaults to 32.

        Returns:
            `keras_interp.metrics.Faithfulness`: `value` in units of the logit and
            `relative` as a share of its range over the images, both also by class.

        Raises:
            ValueError: for features without logits.

        Reference:
            Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017,
            section 3.
        """
        from keras_interp.metrics import faithfulness

        if logits is None:
            if self._is_features(images):
                raise ValueError(
                    "Expected logits beside features. Received: logits=None. Give both "
                    "as module.features(images) does, or images."
                )
            images, logits = self.features(images, batch_size)
        features, logits = self._checked(images, logits)
        return faithfulness(self.predict(features), logits)

    def explain(
        self,
        images: Any,
        target_layer: str | None = None,
        class_index: int | None = None,
        **kwargs: Any,
    ) -> XFeatureMaps:
        """Where in images each x-feature looks, and what it adds to the logit.

        Args:
            images: images that the network takes: an array `(N, height, width,
                channels)`, one image, a PIL image, the path of an image file, or a list
                of these.
            target_layer: layer at which the maps end. None (default) takes the maps
                from which the coarsest convolutions start.
            class_index: which of the module's classes, where it has several.
            **kwargs: other arguments of `keras_interp.attribution.x_feature_maps`:
                `contrastive`, `resize` and `batch_size`.

        Returns:
            `keras_interp.attribution.XFeatureMaps`.
        """
        from keras_interp.attribution import x_feature_maps

        return x_feature_maps(self, images, target_layer, class_index, **kwargs)

    # Checks -----------------------------------------------------------------------

    def _check_compiled(self) -> None:
        if not self.compiled:
            raise ValueError(
                "Expected a module that was compiled. Received: one that was not. Call "
                "module.compile() before fit."
            )

    def _is_features(self, images: Any) -> bool:
        """Whether it is Z itself; one grey image has two axes as well."""
        shape = getattr(images, "shape", None)
        return (
            shape is not None
            and len(shape) == 2
            and (shape[1] == self._reading.features)
        )

    def _features(self, images: Any, batch_size: int) -> np.ndarray:
        if self._is_features(images):
            features = np.asarray(ops.convert_to_numpy(images), "float32")
        else:
            features, _ = self._reading.read(images, batch_size)
            if not self.built:
                self.make_weights(features.shape[1], len(self.classes))
        self._check_values(features)
        return features

    def _check_values(self, features: np.ndarray) -> None:
        if not np.isfinite(features).all():
            raise ValueError(
                "Expected finite features. Received: NaN or infinity at layer "
                f"{self.layer_name!r}. Look at the images and at the weights."
            )
        lowest = float(features.min(initial=0.0))
        if lowest < 0 and self.settings["negative_activations"] == "refuse":
            raise ValueError(
                "Expected a layer of zero or more, as after a ReLU, which excitation "
                f"backpropagation explains. Received: layer {self.layer_name!r}, with "
                f"values down to {lowest:.3g}. Choose the layer of its activation, or "
                "pass negative_activations='shift'."
            )

    def _checked(self, features: Any, logits: Any) -> tuple[np.ndarray, np.ndarray]:
        """Features `(N, units)` and logits `(N, classes)`, both finite."""
        features = np.asarray(ops.convert_to_numpy(features), "float32")
        features = features.reshape(len(features), -1)
        logits = np.asarray(ops.convert_to_numpy(logits), "float32")
        logits = logits.reshape(len(logits), -1)
        if not self.built:
            self.make_weights(features.shape[1], len(self.classes))
        wanted = self._reading.features or features.shape[1]
        if features.shape[1] != wanted or logits.shape != (
            len(features),
            len(self.classes),
        ):
            raise ValueError(
                f"Expected features (N, {wanted}) and logits (N, {len(self.classes)}). "
                f"Received: features of shape {features.shape} and logits of shape "
                f"{logits.shape}. Give both as module.features(images) does."
            )
        if not np.isfinite(logits).all():
            raise ValueError(
                "Expected finite logits. Received: NaN or infinity. Look at the images "
                "and at the weights."
            )
        self._check_values(features)
        return features, logits

    def _contributions(self, images: Any, batch_size: int) -> np.ndarray:
        x_features = self.encoded(self._features(images, batch_size))
        return x_features * ops.convert_to_numpy(self.feature_weights)

    def _squeezed(self, values: np.ndarray) -> np.ndarray:
        """Without the axis of the classes where there is one class."""
        return values[:, 0] if self._single else values
