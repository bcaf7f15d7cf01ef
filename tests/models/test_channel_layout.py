"""Models whose maps have their channels first are refused in words."""

from __future__ import annotations

import keras
import pytest

import keras_interp as ki
from keras_interp.models._channel_layout import channels_first_operations

L = keras.layers


def network(layout):
    """Layers that know their layout, and some between that do not."""
    shape, axis = ((3, 8, 10), 1) if layout == "channels_first" else ((8, 10, 3), -1)
    return keras.Sequential(
        [
            keras.Input(shape),
            L.Activation("relu", name="before"),
            L.Conv2D(4, 3, padding="same", data_format=layout, name="conv1"),
            L.BatchNormalization(axis=axis, name="norm1"),
            L.Activation("relu", name="relu1"),
            L.Conv2D(4, 3, padding="same", data_format=layout, name="conv2"),
            L.Activation("relu", name="relu2"),
            L.GlobalAveragePooling2D(data_format=layout, name="pool"),
            L.Dense(5, activation="relu", name="fc"),
            L.Dense(3, name="scores"),
        ],
        name=layout,
    )


def names(model):
    found = channels_first_operations(model)
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    layers = [*model.layers, *(one for part in inner for one in part.layers)]
    return {layer.name for layer in layers if id(layer) in found}


def test_layers_that_do_not_say_their_layout_have_that_of_the_others():
    first = {"before", "conv1", "norm1", "relu1", "conv2", "relu2"}
    assert first <= names(network("channels_first"))
    assert not names(network("channels_last")) & (first | {"pool", "fc", "scores"})


def test_turned_maps_are_told_apart():
    inputs = keras.Input((8, 10, 3))
    x = L.Conv2D(3, 3, padding="same", name="last")(inputs)
    x = L.Activation("relu", name="relu_last")(x)
    turned = L.Permute((3, 1, 2), name="turned")(x)
    model = keras.Model(inputs, network("channels_first")(turned))
    found = names(model)
    assert {"turned", "conv1", "relu1"} <= found
    assert not {"last", "relu_last"} & found
    converted = ki.models.to_interpretable(model, "relu_last", add_layer=False)
    assert converted.output_shape == (None, 3)
    for name in ("turned", "relu1"):
        with pytest.raises(ValueError, match="data_format is 'channels_first'"):
            ki.models.to_interpretable(model, name)
        with pytest.raises(ValueError, match="whose data_format.*'channels_first'"):
            ki.models.Explainer(model, name)


@pytest.mark.parametrize("name", ["before", "conv1", "norm1", "relu1", "relu2"])
def test_every_layer_of_a_channels_first_model_is_refused(name):
    model = network("channels_first")
    with pytest.raises(ValueError, match="'channels_first'.*These layers can: none"):
        ki.models.to_interpretable(model, name)
    with pytest.raises(ValueError, match="'channels_first'. Build the performer with"):
        ki.models.Explainer(model, name)
