"""Accuracy of a model without some of its filters."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import Interceptor
from keras_interp._network.explained_model import ObservedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._progress import progress


@dataclasses.dataclass(frozen=True)
class AblationScores:
    """Accuracy with and without a set of filters.

    Args:
        value: accuracy lost, `accuracy - accuracy_ablated`.
        accuracy: of the model as it is.
        accuracy_ablated: with the filters' maps set to zero.
    """

    value: float
    accuracy: float
    accuracy_ablated: float


def ablation(
    model: keras.Model,
    layer_name: str,
    images: Any,
    labels: Any,
    filters: Any,
    *,
    batch_size: int = 32,
    correct: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    verbose: int = 0,
) -> AblationScores:
    """Measures how much accuracy a model loses without some filters of a layer.

    The layer's output is multiplied by 0 in the channels of the filters and by 1 in the
    others while the images go through; the weights are not touched. Interpretable
    filters that could be taken away without loss explain nothing.

    Example:

    ```python
    layer = model.get_layer("interpretable_conv")
    lost = ki.metrics.ablation(
        model, layer.name, images, labels, range(layer.interpretable_filters)
    )
    print(lost.accuracy, lost.accuracy_ablated)
    ```

    Args:
        model: Keras model with one output: probabilities or scores of classes, or one
            number for each image.
        layer_name: name of the layer whose channels are the filters, after the
            activation. A layer inside a nested model goes by its name or by its path,
            such as `"backbone/conv5"`.
        images: `(N, height, width, channels)`, as the model takes them: scaled or
            otherwise prepared as in training.
        labels: int `(N,)`, or one-hot `(N, classes)`; with one output per image,
            positive numbers (1) mean yes and others (0 or -1) no.
        filters: the filters to take away: their indices, or bool `(F,)`, True for
            those.
        batch_size: images at a time.
        correct: says of outputs `(N, ...)` and labels which images are right, bool
            `(N,)`. By default the greatest output must be the label's, or, with one
            output per image, above 0.5 where the label is positive.
        verbose: 1 shows a progress bar for each of the two passes, 0 nothing.

    Returns:
        `AblationScores` with `.value`, `.accuracy` and `.accuracy_ablated`.

    Raises:
        ValueError: if there is no such layer or filter, the layer takes no part in the
            output, or images and labels differ in number.

    Warns:
        UserWarning: if the accuracy of the whole model is no better than naming the
            commonest class every time, as happens with images that were not prepared
            as in training.

    Reference:
        A measure of this library.
    """
    observed, labels = ObservedModel(model, images), to_numpy(labels)
    count = len(observed.inputs)
    if not count or count != len(labels):
        raise ValueError(
            "Expected images and labels of the same number, at least one. Received: "
            f"{count} images and {len(labels)} labels. Pass a label for each image."
        )
    call = observed.find_call(layer_name, 0)
    kept = _kept(filters, call)
    judge = correct or _correct

    def right(kept: np.ndarray, words: str) -> float:
        with progress(count, verbose, words) as on_batch:
            outputs, *others = observed.compute(
                ("ablation", call.path),
                _gated(call),
                shared=[kept],
                batch_size=batch_size,
                on_batch=on_batch,
            )
        if others:
            raise ValueError(
                f"Expected a model with one output. Received: {1 + len(others)} "
                "outputs. Make a model with the one to judge: keras.Model(model.inputs"
                ", model.outputs[0])."
            )
        return float(np.mean(judge(outputs, labels)))

    accuracy = right(np.ones_like(kept), f"Accuracy on {count:,} images, all filters")
    gone = int((kept == 0).sum())
    accuracy_ablated = right(kept, f"Accuracy without {gone} of {len(kept)} filters")
    hint = None if correct is not None else input_hint(accuracy, _classes(labels))
    if hint is not None:
        warnings.warn(f"{hint} Pass them as the model takes them.", stacklevel=2)
    return AblationScores(accuracy - accuracy_ablated, accuracy, accuracy_ablated)


class Gate(Interceptor):
    """Multiplies what a layer puts out, whenever it is called.

    Setting weights to zero would not do: batch normalisation and biases behind them
    would still give maps, and layers without weights have none.
    """

    def __init__(self, layer: Any, factors: Any) -> None:
        self.layer = layer
        self.factors = factors

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        outputs = call(*args, **kwargs)
        if operation is not self.layer:
            return outputs
        return outputs * keras.ops.cast(self.factors, outputs.dtype)


def _gated(call: LayerCall) -> Callable[..., Any]:
    """Body that gives the outputs of a model whose layer is multiplied."""

    def body(forward: Forward, images: Any, factors: Any) -> list[Any]:
        if call.layout == "channels_first":
            factors = keras.ops.reshape(factors, (1, -1, 1, 1))
        outputs = forward.outputs(images, Gate(call.operation(), factors))
        return [keras.ops.cast(x, "float32") for x in keras.tree.flatten(outputs)]

    return body


def _kept(filters: Any, call: LayerCall) -> np.ndarray:
    """0 for the filters to take away and 1 for the others, `(F,)`."""
    shape = call.shape_of_maps
    if shape is None or shape[-1] is None:
        raise ValueError(
            "Expected layer_name as a layer with channels. Received: layer "
            f"{call.name!r}, which puts out {shape}. Choose another."
        )
    channels = int(shape[-1])
    filters = np.asarray(list(filters) if isinstance(filters, range) else filters)
    kept = np.ones(channels, dtype="float32")
    if filters.dtype == bool and filters.shape == (channels,):
        kept[filters] = 0.0
        return kept
    whole = filters.size == 0 or filters.dtype.kind in "iu"
    if filters.ndim != 1 or not whole or np.any((filters < 0) | (filters >= channels)):
        raise ValueError(
            f"Expected filters as indices from 0 to {channels - 1} or booleans of "
            f"shape ({channels},), the channels of layer {call.name!r}. Received: "
            f"filters={filters!r}. Pass range({channels}) for all of them."
        )
    kept[filters.astype(int)] = 0.0
    return kept


def _correct(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5) == (_classes(labels) > 0)
    return outputs.argmax(axis=1) == _classes(labels)


def _classes(labels: np.ndarray) -> np.ndarray:
    """Labels `(N,)`, of one-hot ones the class."""
    labels = labels.reshape(len(labels), -1)
    return labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)


def input_hint(accuracy: float, labels: np.ndarray) -> str | None:
    """A sentence where a network does no better than naming one class every time.

    Args:
        accuracy: of the network.
        labels: `(N,)`, the right classes.
    """
    _, counts = np.unique(labels, return_counts=True)
    commonest = counts.max() / len(labels)
    if len(counts) < 2 or accuracy > commonest:
        return None
    return (
        f"The accuracy, {accuracy:.1%}, is no better than naming the commonest class "
        f"every time ({commonest:.1%}). Were the images prepared as in training, "
        "divided by 255 for instance?"
    )
