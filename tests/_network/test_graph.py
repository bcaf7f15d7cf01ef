"""Where the maps of a layer are finished."""

import keras
import pytest

from keras_interp._network.graph import finishing_operation


def chain(*layers):
    inputs = keras.Input((8, 8, 3), name="pictures")
    tensor = inputs
    for layer in layers:
        tensor = layer(tensor)
    return keras.Model(inputs, tensor)


@pytest.mark.parametrize(
    ("layers", "start", "finished"),
    [
        (("conv", "norm", "relu"), "conv", "relu"),
        (("conv", "norm"), "conv", "norm"),
        (("conv", "relu"), "conv", "relu"),
        (("conv_relu", "relu"), "conv_relu", "conv_relu"),
        # The next convolution's activation is not this one's.
        (("conv", "conv_relu"), "conv", "conv"),
        (("conv", "norm", "conv_relu"), "conv", "norm"),
        (("conv_relu",), "pictures", "pictures"),
        (("dense",), "pictures", "pictures"),
    ],
)
def test_maps_are_finished_after_their_own_activation(layers, start, finished):
    known = {
        "conv": keras.layers.Conv2D(4, 3, name="conv"),
        "conv_relu": keras.layers.Conv2D(4, 3, activation="relu", name="conv_relu"),
        "norm": keras.layers.BatchNormalization(name="norm"),
        "relu": keras.layers.ReLU(name="relu"),
        "dense": keras.layers.Dense(4, activation="relu", name="dense"),
    }
    model = chain(*(known[name] for name in layers))
    assert finishing_operation(model.get_layer(start), model).name == finished
