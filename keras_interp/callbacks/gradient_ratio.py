"""How strongly the filter loss pulls, compared with the task."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._backend import gradient
from keras_interp.layers._labels import category_labels
from keras_interp.layers.interpretable_mask import InterpretableMask, masks_inside


class GradientRatio(keras.callbacks.Callback):
    """Logs the ratio of filter gradient to task gradient, and warns when it is high.

    At the end of each epoch both gradients are computed at the maps of every
    interpretable layer, on one batch of images and without dropout:
    `|d filter loss / dx| / |d task loss / dx|`, where x > 0. The filter loss includes
    its weight and schedule. A ratio of 0.05 to 0.5 in the second epoch is healthy;
    above 2 the filter loss drowns the task. Towards the end of a training that fits
    every image the task gradient vanishes, and the ratio grows by itself.

    Example:

    ```python
    watch = ki.callbacks.GradientRatio(images[:64], labels[:64])
    model.fit(images, labels, epochs=8, callbacks=[watch])
    ```

    The log gets `<layer>_gradient_ratio`. Works in plain Keras models too.

    Args:
        images: Batch that the model takes, without missing labels.
        labels: Labels of the batch, as `fit` takes them.
        warn_above: Ratio above which a warning is given. Defaults to 2.

    Raises:
        ValueError: If the batch is empty, or the model has no filter loss.
    """

    def __init__(self, images: Any, labels: Any, warn_above: float = 2.0):
        super().__init__()
        # A model may have several inputs or outputs.
        counts = [[len(a) for a in keras.tree.flatten(t)] for t in (images, labels)]
        if 0 in counts[0] or len(set(counts[0] + counts[1])) != 1:
            raise ValueError(
                "Expected as many labels as images, at least one. Received: "
                f"{counts[0]} images and {counts[1]} labels."
            )
        self.images = images
        self.labels = labels
        self.warn_above = warn_above

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        masks = masks_inside(self.model)
        self._masks = [mask for mask in masks if mask.filter_loss is not None]
        if not self._masks:
            raise ValueError(
                f"Model '{self.model.name}' has no layer with a filter loss: add an "
                "InterpretableConv, or leave the GradientRatio callback out."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for mask in self._masks:
            ratio = self.ratio(mask)
            if logs is not None:
                logs[f"{mask.name}_gradient_ratio"] = ratio
            if ratio > self.warn_above:
                warnings.warn(
                    f"Layer '{mask.name}': the filter loss pulls {ratio:.1f} times as "
                    f"hard as the task (epoch {epoch + 1}). Lower "
                    "`filter_loss_weight` unless the task is already solved.",
                    stacklevel=2,
                )

    def ratio(self, mask: InterpretableMask) -> float:
        """The ratio at one layer of the model that is being trained.

        Args:
            mask: An `InterpretableMask`, or the one inside an `InterpretableConv`.

        Returns:
            Ratio of the two gradients' lengths; infinite where the task has none.
        """
        maps = self._maps(mask)
        firing = maps > 0
        labels = None
        if mask.num_categories is not None:
            output = getattr(self.model, "category_output", None)
            labels = category_labels(self.model, self.labels, output, True)
        filter_gradient = gradient(lambda x: mask.weighted_filter_loss(x, labels), maps)
        task_gradient = gradient(
            lambda shift: self._task_loss(mask, shift), np.zeros_like(maps)
        )
        pull = float(np.linalg.norm(filter_gradient * firing))
        task = float(np.linalg.norm(task_gradient * firing))
        return pull / task if task > 0 else float("inf")

    def _maps(self, mask: InterpretableMask) -> np.ndarray:
        seen = []

        def look(maps: Any) -> Any:
            seen.append(ops.convert_to_numpy(ops.cast(maps, "float32")))
            return maps

        with self._untouched():
            self._call_model(mask, look)
        return seen[-1]

    def _task_loss(self, mask: InterpretableMask, shift: Any) -> Any:
        # Without `training` no filter loss is added: what is left is the task's loss
        # and terms that do not depend on the maps.
        with self._untouched():
            outputs = self._call_model(mask, lambda x: x + ops.cast(shift, x.dtype))
            return self.model.compute_loss(
                x=self.images, y=self.labels, y_pred=outputs, training=False
            )

    def _untouched(self) -> keras.StatelessScope:
        """What is assigned inside is forgotten afterwards, metrics included."""
        state = [(v, ops.convert_to_tensor(v)) for v in self.model.variables]
        return keras.StatelessScope(state_mapping=state)

    def _call_model(self, mask: InterpretableMask, probe: Any) -> Any:
        mask.map_probe = probe
        try:
            return self.model(self.images, training=False)
        finally:
            mask.map_probe = None
