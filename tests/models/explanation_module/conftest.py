import keras
import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture(scope="package")
def network():
    """A small classifier of images with a dense layer `fc6`, and a softmax."""
    keras.utils.set_random_seed(1)
    relu = {"activation": "relu"}
    # Logits of a trained network differ by several units.
    wide = keras.initializers.VarianceScaling(500.0, seed=1)
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(6, 3, name="conv1", **relu),
            keras.layers.MaxPooling2D(name="pool1"),
            keras.layers.Conv2D(8, 3, name="conv2", **relu),
            keras.layers.Flatten(),
            keras.layers.Dense(20, name="linear"),
            keras.layers.ReLU(name="fc6"),
            keras.layers.Dense(4, kernel_initializer=wide, name="scores"),
            keras.layers.Softmax(name="softmax"),
        ],
        name="network",
    )


@pytest.fixture(scope="package")
def images():
    return np.random.default_rng(2).random((40, 12, 12, 3)).astype("float32")


@pytest.fixture
def make(network):
    """A compiled module on the small network."""

    def made(class_index=1, layer_name="fc6", **options):
        options = {"hidden_units": (12, 6), "pretraining_epochs": 2, **options}
        module = ki.models.ExplanationModule(
            network, layer_name, class_index, **options
        )
        module.compile()
        return module

    return made


@pytest.fixture(scope="package")
def trained(network, images):
    """A module of two classes after a short training."""
    keras.utils.set_random_seed(3)
    module = ki.models.ExplanationModule(
        network, "fc6", [2, 0], hidden_units=(12, 6), pretraining_epochs=5
    )
    module.compile()
    module.fit(images, epochs=40, batch_size=10, verbose=0)
    return module
