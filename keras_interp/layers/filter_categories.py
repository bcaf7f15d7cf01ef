"""Which category each filter stands for."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

MOMENTUM = 0.9
# Of the mean activation of a category, a picture: a memory of some fifty pictures.
MOMENTUM_OF_A_PICTURE = 0.98


class Targets(NamedTuple):
    """For each picture and filter, whether the picture is one of the filter's targets.

    Attributes:
        is_target: float32 tensor `(batch, filters)`, 0 or 1.
        density: float32 tensor `(filters,)`, share of target pictures among all.
    """

    is_target: Any
    density: Any

    def weights(self) -> Any:
        """Weights `(batch, filters)` by which targets and others count alike in sum."""
        density = ops.clip(self.density, 0.005, 0.995)[None]
        return 0.5 * self.is_target / density + 0.5 * (1.0 - self.is_target) / (
            1.0 - density
        )


class FilterCategories(keras.layers.Layer):
    """Running mean activation of each filter on each category.

    A filter's category is the one whose pictures activate it most,
    `argmax_c mean_{I in I_c} sum_ij x_ij`. A category that no picture has shown is
    never chosen. Build with the shape `(filters, categories)`.

    Reference:
        Zhang, Wu, Zhu, CVPR 2018, "Determining the target category for each filter".
    """

    def build(self, input_shape: tuple[int, int]) -> None:
        filters, categories = input_shape
        self.num_categories = categories

        def state(name: str, shape: tuple[int, ...]) -> Any:
            return self.add_weight(
                name=name,
                shape=shape,
                initializer="zeros",
                dtype="float32",
                trainable=False,
                autocast=False,
                aggregation="mean",
            )

        self.mean_activation = state("mean_activation", (filters, categories))
        self.category_share = state("category_share", (categories,))
        self.pictures = state("pictures", ())

    def update(self, activation: Any, categories: Any, training: bool) -> Targets:
        """Take one batch into account and say which of its pictures are targets.

        Args:
            activation: Tensor `(batch, filters)`, summed activation of each map.
            categories: Tensor `(batch, categories)` of 0 and 1.
            training: Whether the running state learns from the batch.

        Returns:
            `Targets` of the batch.
        """
        counts = ops.sum(categories, axis=0)
        batch_mean = ops.matmul(ops.transpose(activation), categories)
        batch_mean = batch_mean / ops.maximum(counts, 1.0)[None]
        old = ops.convert_to_tensor(self.mean_activation)
        old_share = ops.convert_to_tensor(self.category_share)
        # Every picture has the same say, however few of a category are in a batch: the
        # plain mean of the first fifty, then one that forgets as the network changes.
        before = old_share * self.pictures
        rate = ops.maximum(
            1.0 - MOMENTUM_OF_A_PICTURE**counts,
            counts / ops.maximum(before + counts, 1.0),
        )
        blended = old + rate[None] * (batch_mean - old)
        # A batch with a NaN map must not spoil the state for good.
        usable = (counts[None] > 0) & ops.isfinite(batch_mean)
        mean_activation = ops.where(usable, blended, old)
        # A running mean, since a float32 count would come to a halt at 2**24 pictures.
        arrived = ops.cast(ops.shape(categories)[0], "float32")
        pictures = self.pictures + arrived
        share = old_share + (counts - arrived * old_share) / ops.maximum(pictures, 1.0)
        assigned = ops.argmax(
            ops.where(share[None] > 0, mean_activation, -1e30), axis=1
        )
        if training:
            self.mean_activation.assign(mean_activation)
            self.category_share.assign(share)
            self.pictures.assign(pictures)
        density = ops.take(share, assigned)
        return Targets(ops.take(categories, assigned, axis=1), density)

    def load_own_variables(self, store: Any) -> None:
        # A model may be saved before it is told how many categories its labels have,
        # and be loaded after, or the other way round.
        if not len(store):
            return
        if not self.built:
            self.build(tuple(store["0"].shape))
        super().load_own_variables(store)

    def assigned(self) -> np.ndarray:
        """Category of each filter, int `(filters,)`; -1 before any label was seen."""
        mean_activation = ops.convert_to_numpy(self.mean_activation)
        seen = ops.convert_to_numpy(self.category_share) > 0
        if not seen.any():
            return np.full(len(mean_activation), -1)
        return np.where(seen, mean_activation, -np.inf).argmax(axis=1)
