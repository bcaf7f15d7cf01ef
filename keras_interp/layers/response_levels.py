"""Target pictures of a filter by its own response, where no labels are at hand."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_interp.layers.filter_categories import MOMENTUM, Targets


class ResponseLevels(keras.layers.Layer):
    """Running high and low level of each filter's peaks: two means on a line.

    A picture whose peak is nearer to the high level is taken for a target of the
    filter. The levels follow the pictures on their side, as in online k-means. Build
    with the shape `(filters,)`.
    """

    def build(self, input_shape: tuple[int]) -> None:
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

        self.high = state("high", input_shape)
        self.low = state("low", input_shape)
        self.target_share = state("target_share", input_shape)
        self.started = state("started", input_shape)

    def update(self, peaks: Any, training: bool) -> Targets:
        """Take one batch into account and say which of its pictures are targets.

        Args:
            peaks: Tensor `(batch, filters)`, highest activation of each map.
            training: Whether the running state learns from the batch.

        Returns:
            `Targets` of the batch.
        """
        started = ops.convert_to_tensor(self.started) > 0
        old_high = ops.convert_to_tensor(self.high)
        old_low = ops.convert_to_tensor(self.low)
        old_share = ops.convert_to_tensor(self.target_share)
        arrived = ops.cast(ops.shape(peaks)[0], "float32")
        pictures = ops.maximum(arrived, 1.0)
        mean = ops.sum(peaks, axis=0) / pictures
        deviation = ops.sqrt(ops.sum(ops.square(peaks - mean), axis=0) / pictures)
        high = ops.where(started, old_high, mean + deviation)
        low = ops.where(started, old_low, mean - deviation)
        above = ops.cast(peaks > 0.5 * (high + low)[None], "float32")
        count = ops.sum(above, axis=0)
        share = ops.where(
            started,
            MOMENTUM * old_share + (1 - MOMENTUM) * count / pictures,
            count / pictures,
        )
        if training:
            below = 1.0 - above
            self._follow(self.high, high, ops.sum(peaks * above, axis=0), count)
            self._follow(
                self.low, low, ops.sum(peaks * below, axis=0), ops.sum(below, axis=0)
            )
            # A batch that is empty, or has a NaN map, teaches the filter nothing.
            usable = (arrived > 0) & ops.isfinite(mean)
            self.target_share.assign(ops.where(usable, share, old_share))
            self.started.assign(ops.cast(started | usable, "float32"))
        return Targets(above, share)

    def _follow(self, variable: Any, level: Any, total: Any, count: Any) -> None:
        moved = MOMENTUM * level + (1 - MOMENTUM) * total / ops.maximum(count, 1.0)
        usable = (count > 0) & ops.isfinite(moved)
        kept = ops.where(ops.isfinite(level), level, ops.zeros_like(level))
        variable.assign(ops.where(usable, moved, kept))
