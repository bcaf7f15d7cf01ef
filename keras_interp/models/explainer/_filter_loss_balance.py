"""Set the weight of a filter loss by how hard the task pulls."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._backend import gradient
from keras_interp.layers.reconstruction_loss import ReconstructionLoss
from keras_interp.layers.track_mixture import BalancedMask

SMALLEST_PULL = 1e-12


class FilterLossBalance(keras.callbacks.Callback):
    """Balances an explainer's filter losses with its reconstruction, epoch by epoch.

    Where epoch N begins, the weight of both filter losses becomes
    `ratio / N * E|d reconstruction / dx_f| / E|d filter loss / dx_f|`, with means over
    the maps x_f of a sample of images. `keras_interp.models.Explainer` adds this
    callback itself when it has a `filter_loss_balance`.

    Example:

    ```python
    balance = ki.callbacks.FilterLossBalance(2 / 3, images[:64])
    explainer.fit(images, epochs=10, callbacks=[balance])
    ```

    Args:
        ratio: How hard the filter loss pulls in the first epoch, as a share of the
            reconstruction. The paper's is 2/3.
        sample: Images, or features as `Explainer.performer_features` gives them.

    Raises:
        ValueError: If the ratio is negative, or the model's filter losses have a weight
            of their own.

    Reference:
        Zhang, Yang, Wu, "Unsupervised Learning of Neural Networks to Explain Neural
        Networks", 2018, appendix "Optimization of filter losses"; the formula is
        recollected, since the text has lost it.
    """

    def __init__(self, ratio: float, sample: Any):
        super().__init__()
        if ratio < 0:
            raise ValueError(f"Expected `ratio` of 0 or more. Received: ratio={ratio}.")
        self.ratio = ratio
        self.sample = sample

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        masks = self._masks()
        if not all(isinstance(mask, BalancedMask) for mask in masks):
            raise ValueError(
                f"Model {self.model.name!r} has filter losses of a constant weight: "
                "make it as Explainer(..., filter_loss_balance=2 / 3)."
            )
        self._features = self.model.performer_features(self.sample)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self.model.interpretable_filters:
            # fraction=0: no map has a filter loss.
            return
        for mask, pull, against in zip(
            self._masks(),
            self._reconstruction_pulls(),
            self._filter_pulls(),
            strict=True,
        ):
            weight = self.ratio / (epoch + 1) * pull / max(against, SMALLEST_PULL)
            mask.balance.assign(weight if against > 0 else 0.0)

    def _masks(self) -> list[Any]:
        model = self.model
        return [model.get_layer("mask_interp_1"), model.get_layer("tracks").mask]

    def _reconstruction_pulls(self) -> list[float]:
        """Mean length of the reconstruction's gradient at a map of each layer."""
        pulls = []
        for name in ("mask_interp_1", "mask_interp_2"):
            mask = self.model.get_layer(name)
            maps = self._maps(mask)
            loss = functools.partial(self._reconstruction, mask)
            slope = gradient(loss, np.zeros_like(maps))
            pulls.append(_mean_length(slope * (maps > 0)))
        return pulls

    def _filter_pulls(self) -> list[float]:
        """The same of the filter losses without any weight."""
        tracks = self.model.get_layer("tracks")
        first = self._maps(self.model.get_layer("mask_interp_1"))
        second = self._maps(self.model.get_layer("mask_interp_2"))
        labels = self._features["category"]
        ordinary = self.model.get_layer("conv_ordinary")(self._features["target"])
        lower = self.model.get_layer("mask_interp_1")
        slopes = (
            gradient(lambda maps: lower.plain_filter_loss(maps, labels), first),
            gradient(
                lambda maps: tracks.mask.plain_filter_loss(
                    tracks.mixed_maps(maps, ordinary), labels
                ),
                second,
            ),
        )
        firing = (first > 0, second > 0)
        return [_mean_length(s * f) for s, f in zip(slopes, firing, strict=True)]

    def _maps(self, mask: Any) -> np.ndarray:
        seen = []

        def look(maps: Any) -> Any:
            seen.append(ops.convert_to_numpy(ops.cast(maps, "float32")))
            return maps

        self._decoded(mask, look)
        return seen[-1]

    def _reconstruction(self, mask: Any, shift: Any) -> Any:
        rebuilt = self._decoded(mask, lambda x: x + ops.cast(shift, x.dtype))
        layers = [
            layer
            for layer in self.model.layers
            if isinstance(layer, ReconstructionLoss)
        ]
        total = 0.0
        for number, (layer, vector) in enumerate(zip(layers, rebuilt, strict=True)):
            total = total + layer.distance(vector, self._features[f"rebuilt_{number}"])
        return total

    def _decoded(self, mask: Any, probe: Any) -> list[Any]:
        mask.map_probe = probe
        try:
            return self.model.decode(self._features)
        finally:
            mask.map_probe = None


def _mean_length(slopes: np.ndarray) -> float:
    """Mean Frobenius norm over images and filters."""
    return float(np.sqrt((slopes**2).sum(axis=(1, 2))).mean())
