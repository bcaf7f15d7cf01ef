"""Pictures prepared for the backbones."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_interp.models import preprocess_input


def test_squeezenet_reads_blue_first():
    red = np.zeros((1, 2, 2, 3), "uint8")
    red[..., 0] = 255
    prepared = preprocess_input(red, backbone="squeezenet")
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared[0, 0, 0], [-104.0, -117.0, 132.0])


def test_matconvnet_networks_read_red_first():
    picture = np.full((2, 2, 3), 128, "uint8")
    for backbone in ("alexnet", "vgg_m", "vgg_s"):
        np.testing.assert_allclose(
            preprocess_input(picture, backbone)[0, 0], [4.32, 11.221, 24.061], rtol=1e-5
        )


@pytest.mark.parametrize("backbone", ["vgg16", "vgg19"])
def test_deep_networks_as_keras_prepares_them(backbone, rng):
    images = rng.integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    expected = getattr(keras.applications, backbone).preprocess_input(
        images.astype("float32")
    )
    np.testing.assert_allclose(preprocess_input(images, backbone), expected, atol=1e-4)


def test_backend_tensors_and_lists_are_taken(rng):
    images = rng.integers(0, 256, (2, 4, 4, 3)).astype("uint8")
    for given in (keras.ops.convert_to_tensor(images), images.tolist()):
        np.testing.assert_array_equal(preprocess_input(given), preprocess_input(images))


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="'squeezenet'.*Received: backbone='resnet'"):
        preprocess_input(np.zeros((1, 4, 4, 3)), backbone="resnet")
    with pytest.raises(ValueError, match=r"Received: images of shape \(3, 4, 4\)"):
        preprocess_input(np.zeros((3, 4, 4)))
