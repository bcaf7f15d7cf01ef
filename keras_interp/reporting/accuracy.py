"""Share of test pictures that a model classifies correctly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.metrics.located_peaks import to_numpy


def accuracy_rows(
    name: str,
    model: keras.Model,
    dataset: PartsDataset,
    labels: Any,
    *,
    batch_size: int,
    preprocess: Callable[[np.ndarray], Any] | None,
) -> list[dict[str, Any]]:
    """The accuracy on the test pictures as a row of `results.json`.

    Args:
        name: the row's name.
        model: the model.
        dataset: pictures with a split `"test"`.
        labels: int `(N,)`; `None` takes those of the dataset, where the model has an
            output for each class.
        batch_size: pictures at a time.
        preprocess: applied to each batch of pictures before the model, or `None`.

    Returns:
        One row; none where the accuracy on pictures that were not trained on cannot be
        told.
    """
    outputs = model.output_shape[-1] if isinstance(model.output_shape, tuple) else None
    if labels is None and outputs != len(dataset.class_names):
        return []
    wanted = dataset.labels if labels is None else to_numpy(labels).ravel()
    if len(wanted) != len(dataset):
        raise ValueError(
            f"labels must hold one label for each of the {len(dataset)} pictures; got "
            f"{len(wanted)}."
        )
    split = np.asarray(dataset.split)
    test = np.flatnonzero(split == "test")
    if not len(test):
        return []
    guesses = []
    for start in range(0, len(test), batch_size):
        batch = dataset.images[test[start : start + batch_size]]
        values = batch if preprocess is None else preprocess(batch)
        guesses.append(to_numpy(model.predict_on_batch(values)))
    values = np.concatenate(guesses)
    if outputs == 1:
        right = (values[:, 0] > _threshold(model)) == (wanted[test] > 0)
    else:
        right = values.argmax(axis=-1) == wanted[test]
    return [
        {
            "table": "classification",
            "row": name,
            "metric": "accuracy",
            "value": float(right.mean()),
            "paper_value": None,
            "baseline_constant": None,
            "baseline_random": None,
            "n": len(test),
        }
    ]


def _threshold(model: keras.Model) -> float:
    """Where a single output changes its mind: 0.5 of a sigmoid, 0 of a raw score."""
    last: Any = model
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    activation = getattr(last, "activation", None)
    return 0.5 if activation is keras.activations.sigmoid else 0.0
