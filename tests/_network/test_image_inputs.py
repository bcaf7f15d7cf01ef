"""What callers hand over: several inputs, kinds of numbers, shapes."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies
from keras import layers
from PIL import Image

from keras_interp import attribution
from keras_interp._network.images import image_inputs

from ..attribution.tiny_models import SIZE, sample_images, seeded, two_inputs


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(5, 2)).astype("float32")


def test_the_only_images_among_several_inputs_are_explained(images, vectors):
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
def two_images():
    first, second = keras.Input(SIZE, name="first"), keras.Input(SIZE, name="second")
    both = layers.concatenate([layers.Flatten()(first), layers.Flatten()(second)])
    return seeded(keras.Model([first, second], layers.Dense(2)(both)))


def test_one_of_two_images_is_chosen(two_images, images):
    kernel = two_images.layers[-1].get_weights()[0][:, 1]
    expected = kernel.reshape(2, *SIZE)
    inputs = [images, 2 * images]
    for index in (0, 1):
        maps = attribution.gradient(two_images, inputs, 1, input_index=index)
        np.testing.assert_allclose(maps, [expected[index]] * 5, rtol=1e-5)
    named = {"first": images, "second": images}
    maps = attribution.gradient(two_images, named, 1, input_index="second")
    np.testing.assert_allclose(maps, [expected[1]] * 5, rtol=1e-5)
    with pytest.raises(ValueError, match="Expected one input.*input_index="):
        attribution.gradient(two_images, inputs)
    with pytest.raises(
        ValueError, match=r"one of \['first', 'second'\].*Received: input_index='third'"
    ):
        attribution.gradient(two_images, named, input_index="third")


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float64", "float16"])
def test_numbers_become_float32(dtype):
    images = (sample_images(2) > 0).astype(dtype)
    found = image_inputs(None, images).images
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, images.astype("float32"))


def test_the_callers_array_is_not_changed(model):
    images = sample_images(2)
    copy = images.copy()
    attribution.guided_backprop(model, images)
    np.testing.assert_array_equal(images, copy)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([sample_images(3), np.zeros((2, 2))], r"same number of images.*\[2, 3\] rows"),
        ([sample_images(3), np.full((3, 2), np.inf)], "finite images.*in 6 place"),
        ([sample_images(3)], r"Expected 2 input\(s\).*Received: 1 input"),
        (sample_images(3), r"Expected 2 input\(s\).*Received: 1 input"),
    ],
)
def test_bad_inputs_of_several_are_refused(inputs, words):
    with pytest.raises(ValueError, match=words):
        attribution.gradient(two_inputs(), inputs)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((3, 0, 4, 3)), r"Received: an array of shape \(3, 0, 4, 3\)"),
        (np.zeros(5), r"Received: an array of shape \(5,\)"),
        (np.zeros((1, *SIZE), complex), "real numbers.*Received:.*dtype complex128"),
        (np.zeros((2, 9, 10, 3)), r"Received: images of shape \(2, 9, 10, 3\)"),
        (np.zeros((2, *SIZE[:2], 1)), r"Received: images of shape \(2, 12, 10, 1\)"),
        ([], r"Received: images=\[\]"),
        ([np.zeros(SIZE), np.zeros((9, 9, 3))], r"one shape.*\(9, 9, 3\)"),
        ([np.zeros(3)], r"each image of a list.*\(3,\)"),
        ([[1, 2], [3]], "rows differ in length"),
        (iter([np.zeros(SIZE)]), "images of type list_iterator"),
        (7, "images of type int"),
    ],
)
def test_bad_images_are_refused(model, images, words):
    with pytest.raises(ValueError, match=words):
        image_inputs(model, images)


def test_input_index_without_several_inputs(model, images):
    with pytest.raises(ValueError, match="input_index=None for one array.*=1"):
        attribution.gradient(model, images, input_index=1)


def takes(*shape):
    """A model of one input of a shape."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Flatten()(inputs))


def test_one_image_is_a_batch_of_one(rng):
    colour, grey = rng.random(SIZE, "float32"), rng.random(SIZE[:2], "float32")
    found = image_inputs(takes(*SIZE), colour).images
    np.testing.assert_array_equal(found, colour[None])
    for image in (grey, grey[..., None]):
        found = image_inputs(takes(*SIZE[:2], 1), image).images
        np.testing.assert_array_equal(found, grey[None, ..., None])
        found = image_inputs(takes(*SIZE), image).images
        np.testing.assert_array_equal(found, np.stack([grey] * 3, axis=-1)[None])


def test_grey_images_without_an_axis_for_their_channel(rng):
    images = rng.random((4, *SIZE[:2]), "float32")
    found = image_inputs(takes(*SIZE[:2], 1), images).images
    np.testing.assert_array_equal(found, images[..., None])


def test_a_list_of_images_is_a_batch(rng, tmp_path):
    images = rng.integers(0, 256, (4, *SIZE), dtype="uint8")
    path = tmp_path / "bird.png"
    Image.fromarray(images[2]).save(path)
    mixed = [images[0], Image.fromarray(images[1]), path, images[3].tolist()]
    model = takes(*SIZE)
    np.testing.assert_array_equal(image_inputs(model, mixed[:3]).images, images[:3])
    np.testing.assert_array_equal(image_inputs(model, str(path)).images, images[2:3])
    np.testing.assert_array_equal(image_inputs(model, images.tolist()).images, images)
    np.testing.assert_array_equal(image_inputs(None, mixed[:2]).images, images[:2])


def test_other_inputs_of_a_subclassed_model_are_left_as_they_are(images, vectors):
    # It does not say which shapes it takes.
    found = image_inputs(None, [images, vectors, vectors])
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.others, [vectors, vectors])
    found = image_inputs(None, {"vector": vectors, "image": images})
    np.testing.assert_array_equal(found.others, [vectors])


def test_a_list_stays_the_inputs_of_a_model_with_several(rng, tmp_path):
    model = two_inputs()
    images = rng.integers(0, 256, (2, *SIZE), dtype="uint8")
    found = image_inputs(model, [[Image.fromarray(x) for x in images], np.ones((2, 2))])
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.others, np.ones((1, 2, 2)))
    one = image_inputs(model, {"image": images[0], "vector": np.ones(2)})
    np.testing.assert_array_equal(one.images, images[:1])
    np.testing.assert_array_equal(one.others, np.ones((1, 1, 2)))


@pytest.mark.parametrize("method", attribution.__all__)
def test_one_image_is_explained_as_the_batch_of_it(method, model, images):
    function = getattr(attribution, method)
    if "images" not in inspect.signature(function).parameters or method[0].isupper():
        pytest.skip("explains no images")
    more = ("part_contributions", "completeness_error", "unit_maps", "x_feature_maps")
    if method in more or "report" in method:
        pytest.skip("takes more than images")
    alone = function(model, images[0])
    np.testing.assert_array_equal(alone, function(model, images[:1]))


# What each mode of Pillow holds in one pixel, and what that is in RGB.
MODES = {
    "1": (255, (255, 255, 255)),
    "L": (77, (77, 77, 77)),
    "LA": ((77, 255), (77, 77, 77)),
    "RGB": ((1, 2, 3), (1, 2, 3)),
    "RGBA": ((1, 2, 3, 255), (1, 2, 3)),
    "CMYK": ((0, 255, 255, 0), (255, 0, 0)),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_that_come_out_right(mode):
    value, expected = MODES[mode]
    image = Image.new(mode, (10, 12), value)
    found = image_inputs(takes(*SIZE), image).images
    np.testing.assert_array_equal(found, np.broadcast_to(expected, (1, *SIZE)))


def test_a_palette_comes_out_right():
    image = Image.new("RGB", (10, 12), (250, 10, 20)).convert("P")
    expected = np.asarray(image.convert("RGB"))
    assert expected[0, 0, 0] > 200
    np.testing.assert_array_equal(
        image_inputs(takes(*SIZE), image).images, expected[None]
    )


@pytest.mark.parametrize(
    ("image", "channels", "words"),
    [
        (Image.new("I;16", (10, 12)), 3, "8 bits a channel.*mode 'I;16'"),
        (Image.new("F", (10, 12)), 3, "8 bits a channel.*mode 'F'"),
        (Image.new("RGBA", (10, 12)), 3, "without transparent places.*mode 'RGBA'"),
        (Image.new("RGB", (10, 12)), 1, r"grey image.*mode 'RGB'.*convert\('L'\)"),
    ],
)
def test_modes_that_are_refused_by_name(image, channels, words):
    with pytest.raises(ValueError, match=words):
        image_inputs(takes(*SIZE[:2], channels), image)


def test_files_that_are_no_images_are_named(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    for path, words in (
        (broken, "broken.png': it cannot be read as an image"),
        (tmp_path, "it is a folder; pass a list"),
        (tmp_path / "none.png", "none.png': there is no such file"),
    ):
        with pytest.raises(ValueError, match=words):
            image_inputs(takes(*SIZE), path)


def first_reads(layout):
    """A network whose input is read in a layout."""
    size = (3, 12, 10) if layout == "channels_first" else SIZE
    inputs = keras.Input(size)
    maps = layers.Conv2D(4, 3, data_format=layout, name="conv")(inputs)
    maps = layers.GlobalAveragePooling2D(data_format=layout)(maps)
    return keras.Model(inputs, layers.Dense(2)(maps))


def test_channels_first_images_are_refused():
    images = np.zeros((2, 3, 12, 10), "float32")
    with pytest.raises(ValueError, match="channels last.*'conv' reads them.*Permute"):
        attribution.saliency(first_reads("channels_first"), images)
    inputs = keras.Input(SIZE)
    turned = layers.Permute((3, 1, 2))(inputs)
    behind = keras.Model(inputs, first_reads("channels_first")(turned))
    last = first_reads("channels_last")
    last.set_weights(behind.get_weights())
    images = sample_images(2)
    np.testing.assert_allclose(
        attribution.saliency(behind, images, 1),
        attribution.saliency(last, images, 1),
        rtol=1e-4,
    )


sizes = strategies.integers(0, 13)
kinds = strategies.sampled_from(["uint8", "int32", "float16", "float32", "float64"])


@settings(max_examples=100, deadline=None)
@given(
    shape=strategies.lists(sizes, min_size=0, max_size=5),
    dtype=kinds,
    nan=strategies.booleans(),
    channels=strategies.sampled_from([1, 3, None]),
)
def test_any_array_gives_a_batch_or_a_sentence(shape, dtype, nan, channels):
    images = np.ones(shape, dtype)
    if nan and images.size and images.dtype.kind == "f":
        images.flat[0] = np.nan
    try:
        found = image_inputs(takes(None, None, channels), images).images
    except ValueError as error:
        assert "Expected" in str(error)
        assert "Received: " in str(error)
    else:
        assert found.ndim == 4
        assert found.dtype == "float32"
        assert channels in (None, found.shape[-1])
        assert found.size == images.size * (3 if found.size > images.size else 1)
        assert np.isfinite(found).all()
