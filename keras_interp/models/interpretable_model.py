"""Keras models that hand their labels to the filter losses inside."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_interp._network.graph import Functional
from keras_interp.layers._labels import (
    category_labels,
    check_labels,
    label_scope,
    output_index,
)
from keras_interp.layers.interpretable_mask import masks_inside

# Losses whose labels may lie between the two values of a category: smoothed or mixed.
_LOSSES_OF_CATEGORIES = ("crossentropy", "hinge", "kl_divergence", "kldivergence")


class _HandsLabelsOver:
    """What `InterpretableModel` and `InterpretableSequential` add to a Keras model."""

    category_output: int | str | None = None

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        self._check_labels(x, y)
        return super().fit(x, y, *args, **kwargs)  # type: ignore[misc]

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As for the same plain model; with `return_dict=True` the filter losses too.

        So `loss, accuracy = model.evaluate(...)` goes on working when a model becomes
        interpretable.
        """
        self._check_labels(x, y)
        silent = not kwargs.get("return_dict", False)
        with self._silent_filter_losses() if silent else contextlib.nullcontext():
            return super().evaluate(x, y, *args, **kwargs)  # type: ignore[misc]

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        *args: Any,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        self._check_labels(x, y)
        result = super().train_on_batch(  # type: ignore[misc]
            x, y, *args, return_dict=return_dict, **kwargs
        )
        return {**result, **self._filter_losses()} if return_dict else result

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        *args: Any,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        self._check_labels(x, y)
        result = super().test_on_batch(  # type: ignore[misc]
            x, y, *args, return_dict=return_dict, **kwargs
        )
        return {**result, **self._filter_losses()} if return_dict else result

    def train_step(self, *args: Any) -> Any:
        with label_scope(self._labels_of(args)):
            return super().train_step(*args)  # type: ignore[misc]

    def test_step(self, *args: Any) -> Any:
        with label_scope(self._labels_of(args)):
            return super().test_step(*args)  # type: ignore[misc]

    def _labels_of(self, step_arguments: tuple[Any, ...]) -> Any:
        # The JAX backend passes its state before the data.
        _, labels, _ = keras.utils.unpack_x_y_sample_weight(step_arguments[-1])
        return self._category_labels(labels)

    def _category_labels(self, labels: Any) -> Any:
        needed = any(mask.needs_labels for mask in masks_inside(self))
        return category_labels(self, labels, self.category_output, needed)

    def _set_num_categories(self) -> None:
        """Tell the filter losses how many categories the labels have.

        The width of the output says it; a subclassed model has no output to look at,
        and its layers are given `num_categories=` by the user.
        """
        masks = [mask for mask in masks_inside(self) if mask.num_categories is None]
        outputs = getattr(self, "outputs", None)
        chosen = self.category_output
        if not masks or not outputs or (chosen is None and len(outputs) > 1):
            return
        width = outputs[output_index(self, chosen)].shape[-1]
        for mask in masks:
            if width is not None:
                mask.set_num_categories(int(width))

    def _check_labels(self, x: Any, y: Any) -> None:
        """Refuse the targets of a regression before they are taken for labels."""
        categories = [mask.num_categories for mask in masks_inside(self)]
        number = next((n for n in categories if n is not None), None)
        if number is None:
            return
        labels = self._category_labels(_first_labels(x) if y is None else y)
        if keras.ops.is_tensor(labels):
            labels = keras.ops.convert_to_numpy(labels)
        if hasattr(labels, "__array__"):
            check_labels(np.asarray(labels), number, soft=self._takes_soft_labels())

    def _takes_soft_labels(self) -> bool:
        loss = getattr(self, "loss", None)
        name = getattr(loss, "name", getattr(loss, "__name__", loss))
        return any(part in str(name).lower() for part in _LOSSES_OF_CATEGORIES)

    def _filter_losses(self) -> dict[str, float]:
        """What the last batch showed, as the log would."""
        found: dict[str, float] = {}
        for mask in masks_inside(self):
            found |= mask.filter_log.means()
        return found

    @contextlib.contextmanager
    def _silent_filter_losses(self) -> Iterator[None]:
        logs = [mask.filter_log for mask in masks_inside(self)]
        for log in logs:
            log.silent = True
        try:
            yield
        finally:
            for log in logs:
                log.silent = False


def _first_labels(data: Any) -> Any:
    """The labels of the first batch of a `PyDataset` or `tf.data.Dataset`, or None.

    Only floating-point labels are looked at: whole numbers are no regression, and a
    dataset may take long to give its first batch.
    """
    if isinstance(data, keras.utils.PyDataset):
        first: Any = data[0]
    elif hasattr(data, "element_spec"):
        spec = data.element_spec
        labels = spec[1] if isinstance(spec, tuple) and len(spec) > 1 else None
        if not getattr(getattr(labels, "dtype", None), "is_floating", False):
            return None
        first = next(iter(data.take(1)), None)
    else:
        return None
    if not isinstance(first, (tuple, list)) or len(first) < 2:
        return None
    return first[1]


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableModel(_HandsLabelsOver, keras.Model):
    """`keras.Model` whose `fit` also gives the labels to the filter losses inside.

    Used as `keras.Model`, functional or subclassed. Labels can be 0/1 or -1/+1 for one
    category, class indices or one-hot for a softmax, several-hot for independent
    logistic outputs; the targets of a regression are refused. Works with every Keras
    backend. The log of `fit`, and what `evaluate` and `train_on_batch` give with
    `return_dict=True`, have the filter loss of each layer.

    Example:

    ```python
    inputs = keras.Input((64, 64, 3))
    maps = ki.InterpretableConv(64, filter_loss="authors", padding="same")(inputs)
    pooled = keras.layers.GlobalMaxPooling2D()(maps)
    outputs = keras.layers.Dense(6, activation="softmax")(pooled)
    model = ki.models.InterpretableModel(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, labels)
    ```

    Attributes:
        category_output: Name or index of the output whose labels are the categories
            of the filters. None (default) will do for a model with one output.

    Raises:
        ValueError: In `fit`, `evaluate` and the methods on a batch, for labels that are
            no categories; in a step, for labels that do not fit `num_categories`.
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
        self._set_num_categories()

    @property
    def category_output(self) -> int | str | None:
        """Name or index of the output whose labels are the filters' categories."""
        return self._category_output

    @category_output.setter
    def category_output(self, output: int | str | None) -> None:
        self._category_output = output
        if output is not None:
            output_index(self, output)
            self._set_num_categories()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        category_output = config.pop("category_output", None)
        model = super().from_config(config, custom_objects=custom_objects)
        if category_output is not None:
            model.category_output = category_output
        return model


class _SavesCategoryOutput:
    """Saves `category_output` with a functional model.

    A subclassed model sets it in its `__init__`, and is saved by its own arguments.
    """

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        return {**config, "category_output": self.category_output}  # type: ignore


@functools.cache
def functional_class(cls: Any) -> type:
    """The class of `cls(inputs, outputs)`, where `cls` is an `InterpretableModel`."""
    bases = (cls, _SavesCategoryOutput, Functional)
    made = type(cls.__name__, bases, {"__module__": cls.__module__})
    if cls is InterpretableModel:
        keras.saving.register_keras_serializable("keras_interp", cls.__name__)(made)
    return made


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableSequential(_HandsLabelsOver, keras.Sequential):
    """`keras.Sequential` whose `fit` also gives the labels to the filter losses inside.

    Labels can be 0/1 or -1/+1 for one category, class indices or one-hot for a softmax,
    several-hot for independent logistic outputs; the targets of a regression are
    refused. The log of `fit`, and what `evaluate` and `train_on_batch` give with
    `return_dict=True`, have the filter loss of each layer.

    Example:

    ```python
    model = ki.models.InterpretableSequential([
        keras.Input((64, 64, 3)),
        ki.InterpretableConv(64, filter_loss="authors", padding="same"),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(6, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    ```

    Args:
        layers: List of layers, as for `keras.Sequential`; None (default) for a model
            whose layers are added one by one.
        trainable: Whether the layers learn. Defaults to True.
        name: Name of the model.

    Raises:
        ValueError: In `fit`, `evaluate` and the methods on a batch, for labels that are
            no categories; in a step, for labels that do not fit `num_categories`.
    """

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if self.compiled:
            self._set_num_categories()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)
        if self.built:
            self._set_num_categories()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)
