"""What a filter loss shows in the Keras log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops


class FilterFindings(NamedTuple):
    """Means over a layer's interpretable filters on one batch, scalar tensors."""

    filter_loss: Any
    mutual_information: Any
    inter_category_entropy: Any
    spatial_entropy: Any


class FilterMonitor(keras.metrics.Metric):
    """Mean over batches of a layer's filter loss and of its entropies.

    Reported under `<layer>_filter_loss`, `<layer>_mutual_information`,
    `<layer>_inter_category_entropy` and `<layer>_spatial_entropy`. Keras resets its
    metrics where an epoch begins, with every backend and without a callback: the layer
    counts its epochs by `on_reset`.

    Args:
        layer_name: Start of the names in the log.
        on_reset: Called whenever the metric is reset.
    """

    def __init__(self, layer_name: str, on_reset: Callable[[], None]):
        super().__init__(name=f"{layer_name}_monitor", dtype="float32")
        self.layer_name = layer_name
        self.on_reset = on_reset
        # Whether the batch being computed reports; without a report the log has no
        # entry, rather than a zero that nobody measured.
        self.reporting = False
        self.totals = self.add_variable(
            (len(FilterFindings._fields),), "zeros", name="totals"
        )
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, findings: FilterFindings) -> None:
        """Add one batch."""
        values = ops.stop_gradient(
            ops.stack([ops.cast(v, "float32") for v in findings])
        )
        self.totals.assign_add(values)
        self.count.assign_add(1.0)

    def result(self) -> dict[str, Any]:
        """Means by name; empty where nothing is being reported."""
        if not self.reporting:
            return {}
        means = self.totals / ops.maximum(self.count, 1.0)
        return {
            f"{self.layer_name}_{name}": means[index]
            for index, name in enumerate(FilterFindings._fields)
        }

    def reset_state(self) -> None:
        """Forget the batches, and tell the layer that an epoch may have begun."""
        super().reset_state()
        self.on_reset()
