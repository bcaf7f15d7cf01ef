"""SmoothGrad: what is averaged, and over which noise."""

import numpy as np
import pytest

from keras_interp.attribution import saliency, smooth_grad

from .hand_made import linear, power_sum
from .tiny_models import two_inputs


def test_without_noise_it_is_saliency(model, images):
    maps = smooth_grad(model, images, noise=0.0, samples=3)
    np.testing.assert_allclose(maps, saliency(model, images), rtol=1e-5)


def test_of_a_linear_network_it_is_the_largest_weight(rng):
    weights = rng.normal(size=(4, 3, 2, 5)).astype("float32")
    maps = smooth_grad(linear(weights), rng.normal(size=(2, 4, 3, 2)), [1, 4])
    expected = np.abs(weights[..., [1, 4]]).max(axis=2)
    np.testing.assert_allclose(maps, np.moveaxis(expected, -1, 0), rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
@pytest.mark.parametrize(
    ("statistic", "of_slopes"),
    [
        ("mean", lambda w: np.abs(w.mean(axis=0))),
        ("magnitude", lambda w: np.abs(w).mean(axis=0)),
        ("square", lambda w: (w**2).mean(axis=0)),
        ("variance", lambda w: w.var(axis=0)),
    ],
)
def test_statistics_of_a_network_of_squares(statistic, of_slopes, batch_size):
    # The gradient of x**2 is 2 x; the noise is a fifth of a range of 3.
    image = np.array([[[[-1.0], [2.0]]]])
    noise = np.random.default_rng(7).standard_normal((4, 1, 2, 1), dtype="float32")
    slopes = 2 * (image + 0.2 * 3.0 * noise)
    maps = smooth_grad(
        power_sum(2),
        image,
        0,
        samples=4,
        noise=0.2,
        statistic=statistic,
        seed=7,
        batch_size=batch_size,
    )
    np.testing.assert_allclose(maps[0], of_slopes(slopes)[..., 0], rtol=1e-5)


def test_the_map_does_not_depend_on_the_images_beside_it(model, images):
    maps = smooth_grad(model, images, 2, samples=3)
    order = [3, 0, 4, 1, 2]
    reordered = smooth_grad(model, images[order], 2, samples=3)
    np.testing.assert_allclose(reordered, maps[order], rtol=1e-5, atol=1e-7)


def test_another_seed_is_another_map(model, images):
    one, other = (smooth_grad(model, images, 2, samples=3, seed=s) for s in (0, 1))
    assert np.abs(one - other).max() > 1e-3 * np.abs(one).max()


def test_the_class_is_that_of_the_image_without_noise(model, images):
    predicted = np.argmax(model.predict(images, verbose=0), axis=-1)
    options = {"samples": 4, "noise": 3.0}
    maps = smooth_grad(model, images, **options)
    expected = smooth_grad(model, images, predicted, **options)
    np.testing.assert_array_equal(maps, expected)


def test_the_other_inputs_go_with_every_copy(images):
    model, vectors = two_inputs(), np.arange(10, dtype="float32").reshape(5, 2)
    maps = smooth_grad(model, [images, vectors], 1, samples=3, batch_size=4)
    singles = [
        smooth_grad(model, [images[i : i + 1], vectors[i : i + 1]], 1, samples=3)[0]
        for i in range(5)
    ]
    np.testing.assert_allclose(maps, singles, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"samples": 0}, "samples.*Received: .*0"),
        ({"samples": 2.5}, "samples.*Received: .*2.5"),
        ({"noise": -0.1}, "noise.*Received: .*-0.1"),
        ({"noise": np.nan}, "noise.*Received: .*nan"),
        ({"statistic": "median"}, "statistic.*Received: .*'median'"),
    ],
)
def test_bad_settings_are_refused(model, images, bad, words):
    with pytest.raises(ValueError, match=words):
        smooth_grad(model, images, **bad)
