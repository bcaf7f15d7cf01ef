"""Occlusion of functions whose receptive field is known."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.metrics._empirical_fields import places
from keras_interp.plotting import empirical_receptive_field

# Every pixel is a cell of its own, so that places are exact.
FIELD = ki.ReceptiveField(size=1, stride=1, start=0)


def bright_dot(rng, count=4, side=24):
    """Dark images with one bright dot, and where it is."""
    images = np.zeros((count, side, side, 3), "float32")
    places = rng.integers(8, side - 8, (count, 2))
    images[np.arange(count), places[:, 1], places[:, 0]] = 1.0
    return images, places


def shifted(images, by):
    """A filter that answers `by` pixels to the right of what it sees."""
    return np.roll(images[..., :1], by, axis=2)


@pytest.mark.parametrize("by", [0, 5])
def test_the_shape_lies_where_the_filter_looks(rng, by):
    images, _ = bright_dot(rng)

    def predict(batch):
        # A faint fixed peak keeps the place known when the dot is covered.
        return shifted(batch, by) + 1e-3 * shifted(images[:1], by)

    shapes = empirical_receptive_field(
        predict, images[:1], FIELD, patch=3, step=1, smoothing=0.5, strongest=9
    )
    assert shapes.shape == (1, 47, 47)
    y, x = np.unravel_index(shapes[0].argmax(), shapes[0].shape)
    # The middle, pixel 23, is the peak; what it looks at lies `by` to the left.
    assert abs(x - (23 - by)) <= 1
    assert abs(y - 23) <= 1


def test_a_wider_filter_has_a_wider_shape(rng):
    images = rng.uniform(0, 1, (6, 24, 24, 3)).astype("float32")

    def box(batch, size):
        gray = batch.mean(axis=-1)
        total = sum(
            np.roll(gray, (i, j), axis=(1, 2))
            for i in range(-size, size + 1)
            for j in range(-size, size + 1)
        )
        # Only one cell answers: the sum over the box around the middle.
        answer = np.zeros_like(total)
        answer[:, 12, 12] = total[:, 12, 12]
        return answer[..., None]

    def area(size):
        shapes = empirical_receptive_field(
            lambda batch: box(batch, size),
            images,
            FIELD,
            patch=3,
            step=1,
            smoothing=1.0,
            strongest=20,
        )
        return (shapes[0] > 0.5).sum()

    assert area(5) > area(1)


def test_filters_are_taken_out_of_the_maps(rng):
    images, _ = bright_dot(rng)
    options = {"patch": 5, "step": 2, "smoothing": 1.0}

    def both(batch):
        return np.concatenate([shifted(batch, 0), shifted(batch, 4)], axis=-1)

    together = empirical_receptive_field(both, images, FIELD, **options)
    alone = empirical_receptive_field(both, images, FIELD, filters=1, **options)
    assert together.shape[0] == 2
    np.testing.assert_allclose(alone[0], together[1], atol=1e-6)


def test_the_size_of_batches_does_not_matter(rng):
    images, _ = bright_dot(rng)
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        return shifted(batch, 2)

    options = {"patch": 5, "step": 3, "smoothing": 1.0}
    one = empirical_receptive_field(predict, images, FIELD, batch_size=7, **options)
    assert max(sizes) <= 7
    other = empirical_receptive_field(predict, images, FIELD, **options)
    np.testing.assert_array_equal(one, other)


def test_a_dead_filter_has_an_empty_shape(rng):
    images, _ = bright_dot(rng)
    shapes = empirical_receptive_field(lambda batch: 0 * batch[..., :1], images, FIELD)
    np.testing.assert_array_equal(shapes, 0)


def test_all_places_may_be_entered(rng):
    """A filter that adds up 2x2 pixels of an even image needs each of them alike."""
    images = np.zeros((1, 12, 12, 3), "float32")
    images[0, 5:7, 5:7] = 1.0

    def predict(batch):
        answer = np.zeros((len(batch), 12, 12, 1))
        answer[:, 5, 5, 0] = batch[:, 5:7, 5:7, 0].sum(axis=(1, 2))
        return answer

    options = {"patch": 1, "step": 1, "smoothing": 0}
    one = empirical_receptive_field(predict, images, FIELD, strongest=1, **options)
    assert np.argwhere(one[0] == 1).tolist() == [[11, 11]]
    every = empirical_receptive_field(predict, images, FIELD, strongest=None, **options)
    expected = np.zeros((23, 23))
    expected[11:13, 11:13] = 1.0
    np.testing.assert_allclose(every[0], expected, atol=1e-6)


def test_the_last_places_touch_the_border():
    assert places(224, 33, 9).tolist() == [*range(0, 190, 9), 191]
    assert places(12, 4, 4).tolist() == [0, 4, 8]
    assert places(5, 5, 3).tolist() == [0]


def test_bad_input_is_refused(rng):
    images, _ = bright_dot(rng)
    with pytest.raises(ValueError, match="1 values that are NaN or infinite"):
        broken = images.copy()
        broken[0, 0, 0, 0] = np.inf
        empirical_receptive_field(shifted, broken, FIELD)
    for wrong in ({"strongest": 0}, {"images_per_filter": 0}):
        with pytest.raises(
            ValueError, match="Expected images_per_filter and strongest of at"
        ):
            empirical_receptive_field(shifted, images, FIELD, **wrong)
    with pytest.raises(
        ValueError,
        match="Expected smoothing of at least 0 pixels.*Received: smoothing=-1",
    ):
        empirical_receptive_field(shifted, images, FIELD, smoothing=-1)
    with pytest.raises(ValueError, match="at least one image"):
        empirical_receptive_field(shifted, images[:0], FIELD)
    with pytest.raises(
        ValueError, match="Expected patch from 1 to 24.*Received: patch=25, step=1"
    ):
        empirical_receptive_field(shifted, images, FIELD, patch=25)
    with pytest.raises(ValueError, match="NaN"):
        empirical_receptive_field(lambda b: b * np.nan, images, FIELD)
