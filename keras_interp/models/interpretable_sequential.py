"""A Sequential model that hands its labels to the filter losses."""

from __future__ import annotations

from typing import Any

import keras

from keras_interp.layers.label_scope import current_label_scope, label_scope
from keras_interp.models.label_hand_over import (
    category_labels,
    evaluation_list,
    record_findings,
    set_num_categories,
)


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableSequential(keras.Sequential):
    """`keras.Sequential` whose `fit` also gives the labels to the filter losses inside.

    Example:

    ```python
    model = ki.models.InterpretableSequential([
        keras.Input((64, 64, 3)),
        ki.InterpretableConv(64, filter_loss="authors", padding="same"),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(6, activation="softmax"),
    ])
    ```

    See `InterpretableModel` for the labels that it understands.
    """

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if self.compiled:
            set_num_categories(self, None)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)
        if self.built:
            set_num_categories(self, None)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def train_step(self, *args: Any) -> Any:
        with label_scope(self._labels(args)):
            return super().train_step(*args)

    def test_step(self, *args: Any) -> Any:
        with label_scope(self._labels(args)):
            return super().test_step(*args)

    def _labels(self, step_arguments: tuple[Any, ...]) -> Any:
        # The JAX backend passes its state before the data.
        _, labels, _ = keras.utils.unpack_x_y_sample_weight(step_arguments[-1])
        return category_labels(self, labels, None)

    def evaluate(self, *args: Any, return_dict: bool = False, **kwargs: Any) -> Any:
        results = super().evaluate(*args, return_dict=True, **kwargs)
        return results if return_dict else evaluation_list(self, results)

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(*args, **kwargs)
        record_findings(current_label_scope())
        return loss
