"""What a model makes of its images before the first layer with weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.calls import Interceptor, called_in_inference
from keras_interp._network.layer_names import inner_layers

# Layers whose numbers are statistics of the images: they prepare, too.
_STATISTICS = (keras.layers.Normalization, keras.layers.BatchNormalization)


def prepared_images(model: Any, images: np.ndarray) -> tuple[np.ndarray, str] | None:
    """The images as they reach the first layer with weights.

    Example:

    ```python
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), conv]
    )
    prepared, name = prepared_images(model, np.full((1, 8, 8, 3), 255.0, "float32"))
    prepared.max(), name == conv.name       # 1.0, True
    ```

    Args:
        model: built Keras model of one input.
        images: `(batch, height, width, channels)`, as the model takes them.

    Returns:
        float32 array of what goes into that layer, and the layer's name; `None` where
        no layer has weights, or the first one is given no maps.
    """
    reached = _Reached()
    try:
        called_in_inference(model, ops.convert_to_tensor(images), reached)
    except _ReachedError:
        pass
    if reached.tensor is None or len(reached.tensor.shape) != 4:
        return None
    tensor = ops.cast(reached.tensor, "float32")
    return ops.convert_to_numpy(tensor), reached.name


class _ReachedError(BaseException):
    """The layer was reached, and the rest need not be computed.

    It is no `Exception`: Keras adds its own words to those, and a layer may catch them.
    """


class _Reached(Interceptor):
    """Keeps what the first layer with weights is given, and ends the pass there."""

    tensor: Any = None
    name = ""

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        if not _has_weights(operation):
            return call(*args, **kwargs)
        given = [x for x in keras.tree.flatten((args, kwargs)) if ops.is_tensor(x)]
        self.tensor, self.name = (given or [None])[0], operation.name
        raise _ReachedError


def _has_weights(operation: Any) -> bool:
    """Whether an operation is a layer with weights that no layer inside it has."""
    if not isinstance(operation, keras.layers.Layer):
        return False
    if isinstance(operation, _STATISTICS):
        return False
    inner = {id(w) for layer in inner_layers(operation) for w in layer.weights}
    return any(id(weight) not in inner for weight in operation.weights)
