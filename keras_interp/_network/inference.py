"""Call a model for an explanation, so that nobody else notices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_interp._network.interception import Interceptor, intercepting
from keras_interp._network.layer_names import flattened_layers


def called_in_inference(model: Any, inputs: Any, *interceptors: Interceptor) -> Any:
    """What a model returns in inference mode, its calls seen by interceptors.

    Args:
        model: any Keras model.
        inputs: structure of tensors.
        *interceptors: as for `intercepting`.

    Returns:
        Structure of tensors.
    """
    with _losses_kept(model), intercepting(*interceptors):
        return model(inputs, training=False)


@contextlib.contextmanager
def _losses_kept(model: Any) -> Iterator[None]:
    """Keep what `add_loss` gathered: Keras forgets it when a model is called again."""
    kept = [
        (layer, list(layer._losses), set(layer._loss_ids))
        for layer in flattened_layers(model)
    ]
    try:
        yield
    finally:
        for layer, losses, identities in kept:
            layer._losses[:] = losses
            layer._loss_ids.clear()
            layer._loss_ids.update(identities)
