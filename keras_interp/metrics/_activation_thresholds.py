"""The level that only the strongest cells of a filter exceed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_interp.metrics._peaks import (
    check_feature_maps,
    check_same_settings,
    to_numpy,
)


def activation_thresholds(feature_maps: Any, quantile: float = 0.005) -> np.ndarray:
    """Finds the value that a given share of each filter's cells exceeds.

    Of the n cells of all images the `floor(quantile * n)` greatest may lie above the
    threshold, which is the greatest of the others; fewer do where values are equal.
    `keras_interp.metrics.ActivationThreshold` does the same in bounded memory.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.arange(200.0).reshape(2, 10, 10, 1)
    >>> ki.metrics.activation_thresholds(maps)
    array([198.])

    Args:
        feature_maps: float `(N, H, W, F)`, channels last, of **all** images that the
            threshold is for.
        quantile: share of the cells above the threshold.

    Returns:
        float64 `(F,)`, NaN without images.

    Raises:
        ValueError: if the maps have another rank or hold NaN, or `quantile` is out of
            range.

    Reference:
        Bau et al., Network Dissection, CVPR 2017, section 2.2; Zhang, Wu and Zhu,
        CVPR 2018, section 5.2.1: p(x > T) = 0.005.
    """
    check_quantile(quantile)
    maps = check_feature_maps(feature_maps)
    cells = maps.reshape(np.prod(maps.shape[:-1]), maps.shape[-1])
    if not len(cells):
        return np.full(maps.shape[-1], np.nan)
    place = len(cells) - 1 - int(quantile * len(cells))
    return np.partition(cells, place, axis=0)[place].astype("float64")


def check_thresholds(thresholds: Any, filters: int) -> np.ndarray:
    """Levels as float64 `(F,)`."""
    levels = to_numpy(thresholds).astype("float64")
    if levels.shape != (filters,) or np.isinf(levels).any():
        raise ValueError(
            f"Expected thresholds of shape ({filters},), one for each filter, finite "
            f"or NaN. Received: thresholds of shape {levels.shape}. "
            "ki.metrics.activation_thresholds makes them from feature maps."
        )
    return levels


def check_quantile(quantile: float) -> None:
    """Refuses shares that leave nothing above or nothing below."""
    if not 0 < quantile < 1:
        raise ValueError(
            "Expected quantile as a share of the cells between 0 and 1. Received: "
            f"quantile={quantile!r}. Pass 0.005, as the papers do."
        )


@keras.saving.register_keras_serializable(package="keras_interp")
class ActivationThreshold(keras.metrics.Metric):
    """Finds, image by image, the value that a share of a filter's cells exceeds.

    Each filter has a histogram with logarithmic bins, so that the result lies within
    `accuracy` (relative) of what `keras_interp.metrics.activation_thresholds` finds on
    all maps at once. It does not depend on the order or on the batches, and histograms
    add up exactly in `merge_state`. Values of 0 and less share one bin.

    `update_state` works in NumPy: call it outside `tf.function` and `jax.jit`.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> threshold = ki.metrics.ActivationThreshold(filters=8)
    >>> for _ in range(3):
    ...     threshold.update_state(np.random.rand(16, 14, 14, 8))
    >>> tuple(threshold.result().shape)
    (8,)

    Args:
        filters: number of filters F.
        quantile: share of the cells above the threshold.
        accuracy: greatest relative error of the result.
        smallest: values below count as 0.
        largest: values above count as this one.
        name: name of the metric.
        dtype: dtype of the result.

    Reference:
        Masson, Rim and Lee, DDSketch, VLDB 2019, section 2; the threshold is that of
        Bau et al., Network Dissection, CVPR 2017.
    """

    def __init__(
        self,
        filters: int,
        quantile: float = 0.005,
        accuracy: float = 0.01,
        smallest: float = 1e-6,
        largest: float = 1e6,
        name: str = "activation_threshold",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        check_quantile(quantile)
        if not 0 < accuracy < 1:
            raise ValueError(
                f"Expected accuracy between 0 and 1. Received: accuracy={accuracy!r}. "
                "Pass 0.01 for an error of one percent at most."
            )
        if not 0 < smallest < largest:
            raise ValueError(
                f"Expected 0 < smallest < largest. Received: smallest={smallest!r}, "
                f"largest={largest!r}. Take a range that holds the values of the maps."
            )
        self.filters = int(filters)
        self.quantile = quantile
        self.accuracy = accuracy
        self.smallest = smallest
        self.largest = largest
        # Eq. (3) of DDSketch: bin i holds the values from gamma^(i-1) to gamma^i.
        self._log_gamma = np.log((1 + accuracy) / (1 - accuracy))
        bins = int(np.ceil(np.log(largest / smallest) / self._log_gamma)) + 1
        self.counts = self.add_weight(
            shape=(self.filters, bins + 1),
            initializer="zeros",
            dtype="int32",
            name="counts",
        )

    def update_state(self, feature_maps: Any) -> None:
        """Adds images.

        Args:
            feature_maps: float `(B, H, W, F)`, channels last.
        """
        maps = check_feature_maps(feature_maps)
        if maps.shape[-1] != self.filters:
            raise ValueError(
                f"Expected feature_maps with {self.filters} filters, as this metric "
                f"was made for. Received: feature_maps of shape {maps.shape}. Make "
                f"the metric with filters={maps.shape[-1]}."
            )
        bins = self.counts.shape[1]
        values = np.clip(maps, self.smallest, self.largest) / self.smallest
        place = np.ceil(np.log(values) / self._log_gamma).astype("int64") + 1
        place[maps < self.smallest] = 0
        flat = np.minimum(place, bins - 1) + bins * np.arange(self.filters)
        new = np.bincount(flat.ravel(), minlength=self.filters * bins)
        self._add(new.reshape(self.filters, bins))

    def merge_state(self, metrics: Iterable[ActivationThreshold]) -> None:
        """Adds what other metrics of the same settings have seen."""
        for other in metrics:
            check_same_settings(self, other)
            self._add(to_numpy(other.counts).astype("int64"))

    def _add(self, new: np.ndarray) -> None:
        total = to_numpy(self.counts).astype("int64") + new
        if total.size and total.sum(axis=1).max() > np.iinfo("int32").max:
            raise ValueError(
                "Expected at most 2^31 cells for each filter. Received: more. Make a "
                "metric for each part of the images, or give it every second image."
            )
        self.counts.assign(total.astype("int32"))

    def result(self) -> Any:
        """Thresholds, a tensor `(F,)`; NaN before the first image."""
        counts = to_numpy(self.counts).astype("int64")
        cells = counts.sum(axis=1, keepdims=True)
        above = (self.quantile * cells).astype("int64")
        from_top = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
        # The last bin, from below, at whose foot more than `above` cells lie.
        place = (from_top > above).sum(axis=1) - 1
        gamma = np.exp(self._log_gamma)
        values = self.smallest * gamma ** (place - 1.0) * 2 / (1 + gamma)
        values = np.where(place > 0, values, 0.0)
        values = np.where(cells[:, 0] > 0, values, np.nan)
        return keras.ops.convert_to_tensor(values, dtype=self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "filters": self.filters,
            "quantile": self.quantile,
            "accuracy": self.accuracy,
            "smallest": self.smallest,
            "largest": self.largest,
        }
