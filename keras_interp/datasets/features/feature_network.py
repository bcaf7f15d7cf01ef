"""The frozen network from pictures to the features of one layer."""

from __future__ import annotations

from typing import Any

import keras

from keras_interp._network.layer_names import find_layer


def feature_network(model: Any, layer_name: str | None) -> keras.Model:
    """Cuts a model off after a layer.

    Args:
        model: a built Keras model with one input.
        layer_name: the layer wanted, or None for the model's own output.

    Returns:
        A model with one input and one output that shares the weights.

    Raises:
        ValueError: if `model` is no built Keras model, has several inputs or outputs,
            or has no such layer.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"model must be a Keras model, got {type(model).__name__}")
    if not model.built:
        raise ValueError("the model has no weights yet: call it on a picture first")
    if layer_name is not None:
        if not getattr(model, "inputs", None):
            raise ValueError(
                "layer_name needs a functional or Sequential model; wrap yours: "
                "x = keras.Input(shape); keras.Model(x, model(x))"
            )
        place = find_layer(model, layer_name)
        if len(place.models) > 1:
            raise ValueError(
                f"layer {layer_name!r} lies inside the model {place.names[0]!r}: pass "
                f"that model, or a model that ends there"
            )
        model = keras.Model(model.inputs, place.layer.output)
    for what in ("inputs", "outputs"):
        # A class of its own does not tell; then its first answer is looked at.
        tensors = getattr(model, what, None) or [None]
        if len(tensors) != 1:
            raise ValueError(
                f"the model has {len(tensors)} {what}, expected one; name a layer with "
                "layer_name, or pass a model with one"
            )
    return model
