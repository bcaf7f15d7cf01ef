"""Occlusion: drops of a score that can be counted by hand."""

import numpy as np
import pytest

from keras_interp.attribution import occlusion

from .hand_made import linear


def row(*values):
    """One image of one row and one channel."""
    return np.array(values, "float32").reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("patch", "stride", "expected"),
    [
        # Single pixels drop what they weigh.
        (1, 1, [1, 2, 4]),
        # Patches drop 1 + 2 and 2 + 4; the pixel in the middle is under both.
        ((1, 2), 1, [3, 4.5, 6]),
        # The second patch reaches out of the image.
        ((1, 2), (1, 2), [3, 3, 4]),
        ((1, 3), (1, 3), [7, 7, 7]),
    ],
)
def test_drops_of_a_linear_network(patch, stride, expected):
    model = linear(row(1, 2, 4)[0][..., None], bias=10.0)
    maps = occlusion(model, row(1, 1, 1), patch_size=patch, stride=stride)
    np.testing.assert_allclose(maps[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_single_pixels_of_a_linear_network(rng, batch_size):
    weights = rng.normal(size=(4, 3, 2, 5)).astype("float32")
    images = rng.normal(size=(3, 4, 3, 2)).astype("float32")
    fill = rng.normal(size=2).astype("float32")
    maps = occlusion(
        linear(weights),
        images,
        [4, 0, 1],
        patch_size=1,
        fill=fill,
        batch_size=batch_size,
    )
    chosen = np.moveaxis(weights[..., [4, 0, 1]], -1, 0)
    expected = (chosen * (images - fill)).sum(axis=-1)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_a_patch_of_the_whole_image_drops_all(model, images):
    blank = np.ones_like(images)
    maps = occlusion(model, images, 1, patch_size=(12, 10), stride=1, fill=blank)
    logits = model.layers[-1](model.layers[-2].output)
    assert logits.shape == (None, 4)
    assert np.ptp(maps, axis=(1, 2)).max() == 0
    same = occlusion(model, blank, 1, patch_size=(12, 10), fill=blank)
    np.testing.assert_array_equal(same, 0)


def test_the_default_patch_is_an_eighth(model, images):
    expected = occlusion(model, images, 1, patch_size=(2, 1), stride=(1, 1))
    np.testing.assert_array_equal(occlusion(model, images, 1), expected)


def test_the_class_is_that_of_the_uncovered_image(model, images):
    predicted = np.argmax(model.predict(images, verbose=0), axis=-1)
    keywords = {"patch_size": 8, "fill": 5.0}
    expected = occlusion(model, images, predicted, **keywords)
    np.testing.assert_array_equal(occlusion(model, images, **keywords), expected)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            {"patch_size": 11},
            "at most the image's 12 x 10.*Received: patch_size=.11, 11.",
        ),
        ({"patch_size": 0}, "patch_size.*Received: .*0"),
        ({"patch_size": 2.0}, "patch_size.*Received: .*2.0"),
        ({"patch_size": (2, 2, 2)}, "patch_size.*pair"),
        ({"patch_size": 2, "stride": 3}, "stride of at most patch_size"),
        ({"stride": -1}, "stride.*Received: .*-1"),
        ({"fill": np.zeros(4)}, r"fill.*Received: .*shape \(4,\)"),
    ],
)
def test_bad_settings_are_refused(model, images, bad, words):
    with pytest.raises(ValueError, match=words):
        occlusion(model, images, **bad)
