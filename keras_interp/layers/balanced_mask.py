"""A filter loss whose weight is set while training goes on."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_interp.layers.interpretable_mask import InterpretableMask


@keras.saving.register_keras_serializable(package="keras_interp")
class BalancedMask(InterpretableMask):
    """`InterpretableMask` whose filter loss has a weight that a callback sets.

    `keras_interp.callbacks.FilterLossBalance` sets it where an epoch begins. Until then
    it is 0.

    Attributes:
        balance: The weight, float32 scalar variable, saved with the layer.
    """

    def build(self, input_shape: tuple[Any, ...]) -> None:
        super().build(input_shape)
        self.balance = self._state("balance", (), "zeros")

    def _current_weight(self, mean_peak: Any) -> Any:
        return ops.convert_to_tensor(self.balance)

    def plain_filter_loss(self, feature_maps: Any, labels: Any = None) -> Any:
        """The filter loss without a weight; changes no state.

        Args:
            feature_maps: Tensor `(batch, height, width, interpretable_filters)` after
                the activation and before the mask.
            labels: Labels of the batch, where the mode needs them.

        Returns:
            Scalar tensor.
        """
        loss, _ = self._loss_without_weight(feature_maps, labels)
        return loss
