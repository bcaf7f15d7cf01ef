"""Images of every accepted type and range, and those that are refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_interp.plotting._canvas import as_image


def test_integers_count_as_0_to_255():
    image = as_image(np.array([[0, 51], [102, 255]], np.uint8))
    assert image.shape == (2, 2, 3)
    np.testing.assert_allclose(image[..., 0], [[0, 0.2], [0.4, 1]], atol=1e-6)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_a_dark_integer_image_stays_dark():
    image = as_image(np.ones((2, 2, 3), np.uint8))
    np.testing.assert_allclose(image, 1 / 255)


def test_floats_between_0_and_1_stay():
    values = np.linspace(0, 1, 12).reshape(2, 2, 3)
    np.testing.assert_allclose(as_image(values), values, atol=1e-6)


def test_floats_up_to_255_are_divided():
    image = as_image(np.array([[0.0, 127.5], [255.0, 51.0]])[..., None])
    np.testing.assert_allclose(image[..., 1], [[0, 0.5], [1, 0.2]], atol=1e-6)


def test_centred_floats_are_stretched():
    image = as_image(np.array([[-2.0, 0.0], [1.0, 2.0]]))
    np.testing.assert_allclose(image[..., 0], [[0, 0.5], [0.75, 1]], atol=1e-6)


def test_backend_tensors_and_bool_are_taken():
    tensor = keras.ops.ones((2, 2, 3)) * 0.5
    np.testing.assert_allclose(as_image(tensor), 0.5)
    np.testing.assert_array_equal(as_image(np.eye(2, dtype=bool))[..., 0], np.eye(2))


@given(
    arrays.arrays(
        np.float32,
        st.sampled_from([(3, 4), (3, 4, 1), (3, 4, 3)]),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_always_three_channels_between_0_and_1(values):
    image = as_image(values)
    assert image.shape == (3, 4, 3)
    assert 0 <= image.min() and image.max() <= 1


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4, 3), (4, 4, 2), (0, 4, 3)])
def test_other_shapes_are_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"Expected image of shape \(height, width\),"):
        as_image(np.zeros(shape))


def test_nan_is_refused_with_the_number_of_values():
    image = np.zeros((4, 4))
    image[1, 2] = np.nan
    with pytest.raises(ValueError, match="Expected image with finite values"):
        as_image(image)
