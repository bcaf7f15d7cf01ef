"""What a model tells of the numbers that it takes its images in."""

import keras
import numpy as np
import pytest

from keras_interp._network.prepared_images import prepared_images
from keras_interp.reporting._preparation import preparation_of

layers = keras.layers
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def network(*before, dtype="float32", name=None):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), dtype=dtype),
            *before,
            layers.Conv2D(2, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(2),
        ],
        name=name,
    )


def normalization(scale):
    return layers.Normalization(
        mean=scale * MEAN, variance=(scale * DEVIATION) ** 2, axis=-1
    )


def trained_batch_normalization(scale):
    layer = layers.BatchNormalization()
    layer.build((None, 8, 8, 3))
    layer.moving_mean.assign(scale * MEAN)
    layer.moving_variance.assign((scale * DEVIATION) ** 2)
    return layer


def with_operations():
    """As transfer learning does it: operations of the graph, then an inner network."""
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="c")])
    maps = inner(layers.RandomFlip()(inputs) / 127.5 - 1.0)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(maps)))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (lambda: network(layers.Rescaling(1 / 255)), "none"),
        (lambda: network(layers.Rescaling(1 / 127.5, -1)), "none"),
        (lambda: network(normalization(255)), "none"),
        (lambda: network(trained_batch_normalization(255)), "none"),
        (lambda: network(layers.Rescaling(1, -110)), "none"),
        (lambda: network(dtype="uint8"), "none"),
        (with_operations, "none"),
        (lambda: network(normalization(1)), "unit"),
        (lambda: network(trained_batch_normalization(1)), "unit"),
        (lambda: network(layers.Rescaling(2, -1)), "unit"),
    ],
)
def test_a_model_that_prepares_images_tells_what_it_takes(model, name):
    assert preparation_of(model()).name == name


@pytest.mark.parametrize(
    "before",
    [
        [],
        [layers.Rescaling(1.0)],
        [layers.BatchNormalization()],
        # From [-1, 1] to [0, 1], or of images that are never black.
        [layers.Rescaling(0.5, 0.5)],
        [layers.ZeroPadding2D(1), layers.Rescaling(1e-4)],
    ],
)
def test_a_model_that_does_not_tell_is_asked_about(before):
    with pytest.raises(ValueError, match="first layer with weights, 'conv'"):
        preparation_of(network(*before))


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("resnet50", "caffe"),
        ("resnet50v2", "tf"),
        ("mobilenetv2_1.00_224", "tf"),
        ("densenet121", "torch"),
        ("squeezenet", "squeezenet"),
    ],
)
def test_the_name_of_a_known_network_is_a_hint_and_no_answer(name, choice):
    with pytest.raises(ValueError, match=f"take --preprocess {choice}[;.]"):
        preparation_of(network(name=name))


def test_each_choice_gives_the_numbers_that_its_networks_take():
    images = np.stack([np.zeros((8, 8, 3)), np.full((8, 8, 3), 255)]).astype("float32")
    black_and_white = {
        "unit": ([0] * 3, [1] * 3),
        "tf": ([-1] * 3, [1] * 3),
        "torch": (-MEAN / DEVIATION, (1 - MEAN) / DEVIATION),
        "caffe": (
            [-103.939, -116.779, -123.68],
            [255 - 103.939, 255 - 116.779, 255 - 123.68],
        ),
    }
    for name, (black, white) in black_and_white.items():
        prepared = preparation_of(network(), name).function(images.copy())
        np.testing.assert_allclose(prepared[0, 0, 0], black, rtol=1e-5)
        np.testing.assert_allclose(prepared[1, 0, 0], white, rtol=1e-5)
    assert preparation_of(network(), "none").function is None


def test_what_reaches_the_first_weights_is_read():
    model = network(layers.Rescaling(1 / 255), layers.ZeroPadding2D(1))
    images = np.full((1, 8, 8, 3), 51.0, "float32")
    prepared, name = prepared_images(model, images)
    assert name == "conv"
    np.testing.assert_allclose(prepared[:, 1:-1, 1:-1], images / 255, rtol=1e-6)
    flat = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    assert prepared_images(flat, images) is None
