"""Which layer excitation backpropagation ends at when none is named."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import keras_interp as ki
from keras_interp._network.call_record import Lifetimes
from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import (
    contrastive_excitation_backprop,
    excitation_backprop,
)
from keras_interp.attribution.excitation._backprop import default_maps


def chosen(model):
    """The default layer's path."""
    images = np.zeros((1, *model.input_shape[1:]), "float32")
    return default_maps(ExplainedModel(model, images)).name


def application(name, size=64):
    model = getattr(keras.applications, name)
    return model(weights=None, input_shape=(size, size, 3), classes=5)


def test_networks_of_the_papers():
    trunk = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    head = layers.Dense(3)(layers.Flatten()(trunk.output))
    assert chosen(keras.Model(trunk.input, head)) == "block4_pool"
    assert chosen(ki.models.SqueezeNet()) == "pool8"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("ResNet50", "conv4_block6_out"),
        ("MobileNetV2", "block_13_expand_relu"),
        ("DenseNet121", "pool4_relu"),
        ("EfficientNetB0", "block6a_expand_activation"),
    ],
)
def test_networks_of_keras_work_from_their_default_layer(name, layer):
    model = application(name)
    assert chosen(model) == layer
    images = np.random.default_rng(0).uniform(0, 1, (2, 64, 64, 3)).astype("float32")
    for method in (excitation_backprop, contrastive_excitation_backprop):
        maps = method(model, images)
        assert maps.shape == (2, 64, 64)
        assert np.isfinite(maps).all()
        assert maps.min() >= 0
        assert maps.max() > 0
    total = excitation_backprop(model, images, resize=False).sum(axis=(1, 2))
    assert (total <= 1 + 1e-4).all()
    if name == "ResNet50":
        np.testing.assert_allclose(total, 1, rtol=1e-4)


def small(*above):
    inputs = keras.Input((32, 32, 3))
    maps = layers.Conv2D(4, 3, padding="same", activation="relu", name="a")(inputs)
    for layer in above:
        maps = layer(maps)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(maps)))


def test_the_last_maps_where_all_have_one_resolution():
    assert chosen(small(layers.Dropout(0.1, name="kept"))) == "kept"
    convolution = layers.Conv2D(2, 3, padding="same", name="b")
    assert chosen(small(convolution, layers.ReLU(name="c"))) == "c"


def test_neither_linear_nor_padded_maps():
    linear = layers.Conv2D(3, 3, strides=2, name="linear")
    padding = layers.ZeroPadding2D(name="padding")
    last = layers.Conv2D(3, 3, strides=2, name="last")
    assert chosen(small(padding, linear, last)) == "a"
    normalized = layers.BatchNormalization(name="normalized")
    assert (
        chosen(small(padding, linear, normalized, layers.ReLU(name="r"), last)) == "r"
    )


def test_nothing_inside_a_branch():
    """Half of the signal would be missing inside one."""
    inputs = keras.Input((32, 32, 3))
    maps = layers.Conv2D(4, 3, activation="relu", padding="same", name="a")(inputs)
    aside = layers.Conv2D(4, 1, strides=2, name="aside")(maps)
    inner = layers.Conv2D(4, 3, activation="relu", padding="same", name="b")(maps)
    inner = layers.Conv2D(4, 3, strides=2, padding="same", name="c")(inner)
    maps = layers.ReLU()(layers.Add()([aside, inner]))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(maps)))
    assert chosen(model) == "a"


def test_the_relu_of_a_skipped_tensor_is_inside_a_branch():
    inputs = keras.Input((32, 32, 3))
    before = layers.Conv2D(4, 3, padding="same", name="a")(inputs)
    maps = layers.Activation("gelu", name="start")(before)
    inner = layers.ReLU(name="inner")(maps)
    inner = layers.Conv2D(4, 3, strides=2, padding="same")(inner)
    maps = layers.Add()([layers.MaxPooling2D()(maps), inner])
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(maps)))
    assert chosen(model) == "start"


def test_the_image_itself_may_be_beside_the_maps():
    inputs = keras.Input((32, 32, 3))
    maps = layers.Conv2D(4, 3, activation="relu", padding="same", name="a")(inputs)
    both = layers.Concatenate(name="both")([maps, inputs])
    last = layers.Conv2D(4, 3, strides=2, activation="relu", name="last")(both)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(last)))
    assert chosen(model) == "both"


def test_lifetimes():
    a, b, c = (keras.ops.ones((1,)) * i for i in range(3))
    lifetimes = Lifetimes()
    lifetimes.make(a, time=0)
    lifetimes.use([a], time=1)
    lifetimes.make(b, time=1)
    lifetimes.use({"x": a, "y": b}, time=2)
    lifetimes.make(c, time=2)
    lifetimes.use(c, time=4)
    # After the second call the first tensor is still wanted.
    assert lifetimes.bottlenecks() == [0, 2]


def test_real_birds_are_found_and_the_contrast_is_sharper(real_data):
    birds = ki.datasets.load(
        "cub",
        root=real_data / "cub_fullsize_sample",
        categories=[1],
        crop=None,
        size=227,
        max_images_per_category=12,
    )
    model = ki.models.SqueezeNet(
        weights=real_data / "weights" / "squeezenet_v1.0_imagenet.npz"
    )
    images = ki.models.preprocess_input(birds.images)
    albatross = 146
    sharpness = []
    for method in (excitation_backprop, contrastive_excitation_backprop):
        maps = method(model, images, albatross, layer_name="pool4")
        flat = maps.reshape(len(maps), -1)
        rows, columns = np.unravel_index(flat.argmax(axis=1), (227, 227))
        x0, y0, x1, y1 = birds.boxes.T
        inside = (x0 <= columns) & (columns <= x1) & (y0 <= rows) & (rows <= y1)
        assert inside.mean() > 0.8
        ordered = np.sort(flat, axis=1)[:, ::-1].cumsum(axis=1)
        sharpness.append((ordered < ordered[:, -1:] / 2).mean())
    assert sharpness[1] < 0.8 * sharpness[0]
