"""A Keras model that hands its labels to the filter losses."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras.src.models.functional import Functional

from keras_interp.layers.label_scope import current_label_scope, label_scope
from keras_interp.models.label_hand_over import (
    category_labels,
    evaluation_list,
    record_findings,
    set_num_categories,
)


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableModel(keras.Model):
    """`keras.Model` whose `fit` also gives the labels to the filter losses inside.

    Used as `keras.Model`, functional or subclassed. Labels can be 0/1 or -1/+1 for one
    category, class indices or one-hot for a softmax, several-hot for independent
    logistic outputs. Works with every Keras backend.

    Example:

    ```python
    images = keras.Input((64, 64, 3))
    maps = ki.InterpretableConv(64, filter_loss="authors", padding="same")(images)
    pooled = keras.layers.GlobalMaxPooling2D()(maps)
    outputs = keras.layers.Dense(6, activation="softmax")(pooled)
    model = ki.models.InterpretableModel(images, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(pictures, labels)
    ```

    Attributes:
        category_output: Name or index of the output whose labels are the categories
            of the filters. None (default) will do for a model with one output.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # Keras would make this very class a functional one, for good: a model that is
        # subclassed from it later could no longer be made.
        functional = len(args) > 1 or "inputs" in kwargs or "outputs" in kwargs
        if functional and not issubclass(cls, Functional):
            return super().__new__(functional_class(cls))  # type: ignore[arg-type]
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._category_output: int | str | None = None
        set_num_categories(self, None)

    @property
    def category_output(self) -> int | str | None:
        """Name or index of the output whose labels are the filters' categories."""
        return self._category_output

    @category_output.setter
    def category_output(self, output: int | str | None) -> None:
        self._category_output = output
        if output is not None:
            set_num_categories(self, output)

    def train_step(self, *args: Any) -> Any:
        with label_scope(self._labels(args)):
            return super().train_step(*args)

    def test_step(self, *args: Any) -> Any:
        with label_scope(self._labels(args)):
            return super().test_step(*args)

    def _labels(self, step_arguments: tuple[Any, ...]) -> Any:
        # The JAX backend passes its state before the data.
        _, labels, _ = keras.utils.unpack_x_y_sample_weight(step_arguments[-1])
        return category_labels(self, labels, self.category_output)

    def evaluate(self, *args: Any, return_dict: bool = False, **kwargs: Any) -> Any:
        results = super().evaluate(*args, return_dict=True, **kwargs)
        return results if return_dict else evaluation_list(self, results)

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(*args, **kwargs)
        record_findings(current_label_scope())
        return loss

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        category_output = config.pop("category_output", None)
        model = super().from_config(config, custom_objects=custom_objects)
        if category_output is not None:
            model.category_output = category_output
        return model


class CategoryOutputConfig:
    """Saves `category_output` with a functional model.

    A subclassed model sets it in its `__init__`, and is saved by its own arguments.
    """

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        return {**config, "category_output": self.category_output}  # type: ignore


@functools.cache
def functional_class(cls: Any) -> type:
    """The class of `cls(inputs, outputs)`, where `cls` is an `InterpretableModel`."""
    bases = (cls, CategoryOutputConfig, Functional)
    made = type(cls.__name__, bases, {"__module__": cls.__module__})
    if cls is InterpretableModel:
        keras.saving.register_keras_serializable("keras_interp", cls.__name__)(made)
    return made
