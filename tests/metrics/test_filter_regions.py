"""Regions of the image that active cells cover."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.metrics import filter_regions

FIELD = ki.ReceptiveField(size=100, stride=8, start=3.5)


def one_hot(row, column, value=1.0, shape=(8, 8)):
    maps = np.zeros((1, *shape, 1))
    maps[0, row, column, 0] = value
    return maps


def disc(x, y, radius, height=64, width=64):
    rows, columns = np.mgrid[:height, :width]
    return np.hypot(columns - x, rows - y) <= radius


def test_disc_around_the_centre_of_the_field():
    regions = filter_regions(one_hot(2, 5), [0.5], FIELD, 64, radius=6)
    assert regions.shape == (1, 1, 64, 64)
    assert np.array_equal(regions[0, 0], disc(43.5, 19.5, 6))


def test_radius_is_a_share_of_the_field_by_default():
    regions = filter_regions(one_hot(4, 4), [0.5], FIELD, 64)
    assert np.array_equal(regions[0, 0], disc(35.5, 35.5, 18))


def test_union_of_discs_and_strict_threshold():
    maps = one_hot(1, 1) + one_hot(6, 6, 0.8) + one_hot(1, 6, 0.5)
    regions = filter_regions(maps, [0.5], FIELD, 64, radius=5)
    expected = disc(11.5, 11.5, 5) | disc(51.5, 51.5, 5)
    assert np.array_equal(regions[0, 0], expected)


def test_filters_and_images_keep_their_order(rng):
    maps = (rng.random((5, 4, 6, 3)) > 0.8).astype(float)
    regions = filter_regions(maps, np.full(3, 0.5), FIELD, (32, 48), radius=4)
    assert regions.shape == (5, 3, 32, 48)
    for image, index in np.ndindex(5, 3):
        expected = np.zeros((32, 48), dtype=bool)
        for row, column in np.argwhere(maps[image, ..., index]):
            expected |= disc(3.5 + 8 * column, 3.5 + 8 * row, 4, 32, 48)
        assert np.array_equal(regions[image, index], expected)


def test_bilinear_is_anchored_at_the_centres():
    maps = one_hot(2, 5)
    regions = filter_regions(maps, [0.74], FIELD, 64, region="bilinear")
    # Between centres 8 pixels apart the value falls by 1/8 a pixel along an axis.
    rows, columns = np.mgrid[:64, :64]
    x, y = np.abs(columns - 43.5) / 8, np.abs(rows - 19.5) / 8
    value = np.clip(1 - x, 0, None) * np.clip(1 - y, 0, None)
    assert np.array_equal(regions[0, 0], value > 0.74)


def test_bilinear_is_constant_outside_the_centres():
    regions = filter_regions(one_hot(0, 0), [0.95], FIELD, 64, region="bilinear")
    assert regions[0, 0, :4, :4].all()
    assert regions.sum() == 16


def test_nan_threshold_gives_no_region():
    assert not filter_regions(one_hot(1, 1), [np.nan], FIELD, 64).any()


def test_no_images():
    regions = filter_regions(np.zeros((0, 4, 4, 2)), [0.0, 0.0], FIELD, 32)
    assert regions.shape == (0, 2, 32, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": [0.5, 0.5]}, r"Expected thresholds of shape \(1,\), one"),
        (
            {"region": "square"},
            """Expected region as "disc" or "bilinear".*Received: region='square'""",
        ),
        ({"radius": 0}, "Expected radius as a positive number.*Received: radius=0"),
        (
            {"feature_maps": np.zeros((8, 8))},
            r"Expected feature_maps of shape \(images, height,",
        ),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {
        "feature_maps": one_hot(1, 1),
        "thresholds": [0.5],
        "receptive_field": FIELD,
        "image_size": 64,
    }
    with pytest.raises(ValueError, match=message):
        filter_regions(**{**arguments, **change})
