"""What covering a place costs a filter, done by hand."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.plotting import discrepancy_maps


def middle_pixel(batch):
    """Filter 0 sees pixel (1, 1), filter 1 its negative; in one cell of four."""
    maps = np.zeros((len(batch), 2, 2, 2))
    maps[:, 0, 1, 0] = batch[:, 1, 1, 0]
    maps[:, 1, 0, 1] = -batch[:, 1, 1, 0]
    return maps


@pytest.fixture
def dot():
    """An image of 4x4 pixels with one dot of 16, so that the mean is 1."""
    images = np.zeros((1, 4, 4, 3), "float32")
    images[0, 1, 1] = 16
    return images


def test_the_drop_lies_where_the_square_covers_what_the_filter_sees(dot):
    maps = discrepancy_maps(middle_pixel, dot, patch=1, step=1)
    expected = np.zeros((4, 4))
    expected[1, 1] = 15  # 16 becomes the mean, 1
    np.testing.assert_allclose(maps[0], [expected, -expected])
    assert maps.dtype == np.float32


def test_a_pixel_has_the_mean_over_the_squares_that_cover_it(dot):
    maps = discrepancy_maps(middle_pixel, dot, filters=0, patch=2, step=1)
    # Squares start at 0, 1 and 2; those that start at 0 or 1 cover the dot. A pixel in
    # column 0 is covered from 0 alone, in 1 from 0 and 1, in 2 from 1 and 2, in 3 from
    # 2: the shares that cover the dot's column are 1, 1, 1/2 and 0.
    share = np.array([1, 1, 0.5, 0])
    np.testing.assert_allclose(maps[0, 0], 15 * np.outer(share, share))


def test_pixels_between_the_squares_cost_nothing(dot):
    maps = discrepancy_maps(middle_pixel, dot, filters=[0], patch=1, step=3)
    np.testing.assert_array_equal(maps, 0)


def test_images_and_filters_do_not_influence_each_other(rng):
    images = rng.random((3, 6, 8, 3)).astype("float32")
    weights = rng.normal(size=(3, 5))
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        return np.maximum(batch[:, ::2, ::2] @ weights, 0)

    options = {"patch": 3, "step": 2}
    whole = discrepancy_maps(predict, images, batch_size=4, **options)
    assert max(sizes) == 4
    assert whole.shape == (3, 5, 6, 8)
    some = discrepancy_maps(predict, images, filters=[3, 1], **options)
    np.testing.assert_allclose(some, whole[:, [3, 1]], atol=1e-6)


def test_bad_input_is_refused(dot):
    with pytest.raises(ValueError, match=r"Expected images of shape \(images, height,"):
        discrepancy_maps(middle_pixel, dot[0])
    with pytest.raises(
        ValueError, match="Expected patch from 1 to 4.*Received: patch=5, step=1"
    ):
        discrepancy_maps(middle_pixel, dot, patch=5)
    with pytest.raises(
        ValueError, match="Expected patch from 1 to 4.*Received: patch=1, step=0"
    ):
        discrepancy_maps(middle_pixel, dot, step=0)
    with pytest.raises(
        ValueError,
        match="Expected feature_maps without NaN.*Received: NaN in 2 of 2 maps",
    ):
        discrepancy_maps(lambda batch: np.nan * middle_pixel(batch), dot)


def test_progress_is_shown_from_the_first_second(capsys):
    images = np.zeros((2, 8, 8, 1), "float32")
    field = ki.ReceptiveField(size=1, stride=1, start=0)
    options = {"patch": 4, "step": 4, "verbose": 1}
    ki.metrics.discrepancy_maps(lambda batch: batch, images, **options)
    printed = capsys.readouterr().out
    assert printed.startswith("Covering 4 places of each of 2 images\n")
    assert "0/2" in printed and "2/2" in printed
    ki.metrics.empirical_receptive_field(lambda b: b, images, field, **options)
    assert capsys.readouterr().out.startswith("Covering 4 places of each of 2 images")
    ki.metrics.discrepancy_maps(lambda batch: batch, images, patch=4)
    assert capsys.readouterr().out == ""
