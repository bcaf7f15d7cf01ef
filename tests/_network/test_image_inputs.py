"""What callers hand over: several inputs, kinds of numbers, shapes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_interp import attribution
from keras_interp._network.images import image_inputs

from ..attribution.tiny_models import SIZE, pictures, seeded, two_inputs


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(5, 2)).astype("float32")


def test_the_only_pictures_among_several_inputs_are_explained(images, vectors):
    model = two_inputs()
    maps = attribution.gradient(model, [images, vectors])
    assert maps.shape == images.shape
    by_name = attribution.gradient(model, {"image": images, "vector": vectors})
    np.testing.assert_array_equal(by_name, maps)
    singles = [
        attribution.gradient(model, [images[i : i + 1], vectors[i : i + 1]])[0]
        for i in range(5)
    ]
    np.testing.assert_allclose(maps, singles, rtol=1e-4, atol=1e-6)


def test_the_other_inputs_matter(images, vectors):
    model = two_inputs()
    vectors = 100.0 * vectors
    predicted = np.argmax(keras.ops.convert_to_numpy(model([images, vectors])), axis=-1)
    assert len(set(predicted)) > 1
    maps = attribution.gradient(model, [images, vectors], batch_size=2)
    expected = attribution.gradient(model, [images, vectors], predicted)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.fixture
def two_pictures():
    first, second = keras.Input(SIZE, name="first"), keras.Input(SIZE, name="second")
    both = layers.concatenate([layers.Flatten()(first), layers.Flatten()(second)])
    return seeded(keras.Model([first, second], layers.Dense(2)(both)))


def test_one_of_two_pictures_is_chosen(two_pictures, images):
    kernel = two_pictures.layers[-1].get_weights()[0][:, 1]
    expected = kernel.reshape(2, *SIZE)
    inputs = [images, 2 * images]
    for index in (0, 1):
        maps = attribution.gradient(two_pictures, inputs, 1, input_index=index)
        np.testing.assert_allclose(maps, [expected[index]] * 5, rtol=1e-5)
    named = {"first": images, "second": images}
    maps = attribution.gradient(two_pictures, named, 1, input_index="second")
    np.testing.assert_allclose(maps, [expected[1]] * 5, rtol=1e-5)
    with pytest.raises(ValueError, match="Expected one input.*input_index="):
        attribution.gradient(two_pictures, inputs)
    with pytest.raises(ValueError, match=r"one of \['first', 'second'\], got 'third'"):
        attribution.gradient(two_pictures, named, input_index="third")


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float64", "float16"])
def test_numbers_become_float32(dtype):
    images = (pictures(2) > 0).astype(dtype)
    found = image_inputs(None, images).images
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, images.astype("float32"))


def test_the_callers_array_is_not_changed(model):
    images = pictures(2)
    copy = images.copy()
    attribution.guided_backprop(model, images)
    np.testing.assert_array_equal(images, copy)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([pictures(3), np.zeros((2, 2))], r"same number of pictures, got \[2, 3\]"),
        ([pictures(3), np.full((3, 2), np.inf)], "finite images, got.* 6 place"),
        ([pictures(3)], r"2 input\(s\).*got 1 array"),
        (pictures(3), r"2 input\(s\).*got 1 array"),
        (np.zeros((3, 0, 4, 3)), r"got shape \(3, 0, 4, 3\)"),
        (np.zeros((2, 2)), r"got shape \(2, 2\)"),
        (np.zeros((1, *SIZE), complex), "real numbers, got dtype complex128"),
    ],
)
def test_bad_inputs_are_refused(inputs, words):
    with pytest.raises(ValueError, match=words):
        attribution.gradient(two_inputs(), inputs)


def test_input_index_without_several_inputs(model, images):
    with pytest.raises(ValueError, match="input_index=None for one array.*got 1"):
        attribution.gradient(model, images, input_index=1)
