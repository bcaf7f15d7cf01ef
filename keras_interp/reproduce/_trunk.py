"""A frozen pretrained network under the layers that are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from keras_interp import models
from keras_interp.datasets._progress import console
from keras_interp.layers.whitening import principal_components
from keras_interp.receptive_fields import ReceptiveField, receptive_field

BACKBONES = ("squeezenet", "mobilenet")
_HALF_WHITENING = 0.5
_IMAGES_AT_ONCE = 256


def check_backbone(backbone: str) -> None:
    """Refuse a network that this package has no pretrained weights for."""
    if backbone not in BACKBONES:
        raise ValueError(
            f"Expected backbone out of {BACKBONES}, for which pretrained weights can "
            f"be at hand. Received: backbone={backbone!r}. Choose one of these."
        )


@dataclass(frozen=True)
class FrozenTrunk:
    """A pretrained network that ends in feature maps.

    Attributes:
        name: `"squeezenet"` or `"mobilenet"`.
        network: Keras model from prepared images to maps.
        preprocess: From uint8 RGB images to the network's input.
        image_size: Side of the square images, in pixels.
    """

    name: str
    network: keras.Model
    preprocess: Callable[[np.ndarray], np.ndarray]
    image_size: int

    @classmethod
    def load(cls, backbone: str, weights: str | None = None) -> FrozenTrunk:
        """Load SqueezeNet v1.0 up to its last pooling, or MobileNet 0.25 up to conv 11.

        Args:
            backbone: One of `BACKBONES`.
            weights: Path of the weights; None looks in `$KERAS_INTERP_DATA/weights`.
        """
        check_backbone(backbone)
        if backbone == "squeezenet":
            whole = models.SqueezeNet(weights=weights or "imagenet", include_top=False)
            network = keras.Model(whole.inputs, whole.get_layer("pool8").output)
            return cls(backbone, network, _squeezenet_input, 227)
        path = weights or str(models.find_weights("mobilenet_0.25"))
        whole = keras.applications.MobileNet(
            (224, 224, 3), alpha=0.25, include_top=False, weights=path
        )
        network = keras.Model(whole.inputs, whole.get_layer("conv_pw_11_relu").output)
        return cls(backbone, network, _mobilenet_input, 224)

    def receptive_field(self) -> ReceptiveField:
        """Of the network's last layer."""
        return receptive_field(self.network, self.network.layers[-1].name)

    def features(self, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
        """Maps of uint8 RGB images, computed a batch at a time with a progress bar.

        Returns:
            float16 array `(images, height, width, channels)`.
        """
        from rich.progress import track

        shape = self.network.output_shape[1:]
        maps = np.empty((len(images), *shape), "float16")
        starts = range(0, len(images), batch_size)
        title = "Features of the frozen trunk"
        for start in track(starts, title, console=console()):
            chunk = slice(start, start + batch_size)
            maps[chunk] = self.network.predict_on_batch(self.preprocess(images[chunk]))
        return maps


def _squeezenet_input(images: np.ndarray) -> np.ndarray:
    return models.preprocess_input(images, backbone="squeezenet")


def _mobilenet_input(images: np.ndarray) -> np.ndarray:
    return keras.applications.mobilenet.preprocess_input(images.astype("float32"))


@dataclass(frozen=True)
class Projection:
    """A linear map of feature channels to half-whitened principal components.

    Each component is divided by the square root of its standard deviation: all of them
    get a say, and the strong ones still more than the weak.
    """

    mean: np.ndarray
    matrix: np.ndarray
    explained: float

    @classmethod
    def fit(cls, features: np.ndarray, components: int, seed: int = 0) -> Projection:
        """Learn from a sample of positions of training images.

        Args:
            features: `(images, height, width, channels)`.
            components: How many to keep.
            seed: Of the sample.
        """
        return cls(*principal_components(features, components, _HALF_WHITENING, seed))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        shape = (*features.shape[:-1], self.matrix.shape[1])
        projected = np.empty(shape, "float32")
        # The features have far more channels: never all of them in single precision.
        for start in range(0, len(features), _IMAGES_AT_ONCE):
            chunk = slice(start, start + _IMAGES_AT_ONCE)
            centred = features[chunk].astype("float32") - self.mean
            projected[chunk] = centred @ self.matrix
        return projected
