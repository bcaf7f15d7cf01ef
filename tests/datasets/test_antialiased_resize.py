"""Resizing of many pictures at once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_interp.datasets.antialiased_resize import (
    resize_maps,
    resize_patches,
    resize_pictures,
)


@pytest.mark.parametrize("size", [(32, 20), (7, 50), (64, 48), (200, 150), (1, 1)])
def test_it_is_the_bilinear_filter_of_pillow(rng, size):
    images = rng.integers(0, 256, (3, 64, 48, 3)).astype(np.uint8)
    expected = np.stack(
        [
            np.asarray(
                Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
            )
            for image in images
        ]
    )
    difference = resize_pictures(images, size).astype(int) - expected
    # Pillow rounds to 8 bits between the two directions.
    assert np.abs(difference).max() <= 1


def test_a_flat_picture_stays_flat():
    images = np.full((2, 9, 11, 3), 77, np.uint8)
    np.testing.assert_array_equal(resize_pictures(images, (4, 30)), 77)


def test_many_pictures_are_resized_in_pieces(monkeypatch, rng):
    images = rng.integers(0, 256, (7, 10, 8, 3)).astype(np.uint8)
    whole = resize_pictures(images, (5, 6))
    monkeypatch.setattr("keras_interp.datasets.antialiased_resize._CHUNK_BYTES", 1)
    np.testing.assert_array_equal(resize_pictures(images, (5, 6)), whole)


@pytest.mark.parametrize(("columns", "expected"), [(1, False), (2, True)])
def test_masks_are_true_where_half_of_the_filter_covers_them(columns, expected):
    mask = np.zeros((1, 1, 4, 4), bool)
    mask[0, 0, :, :columns] = True
    # The triangle filter gives 3/7, 3/7 and 1/7 to the three columns in reach.
    assert resize_maps(mask, (2, 2))[0, 0].tolist() == [[expected, False]] * 2


def test_no_pictures_and_no_parts():
    assert resize_pictures(np.zeros((0, 4, 4, 3), np.uint8), (2, 2)).shape == (
        0,
        2,
        2,
        3,
    )
    assert resize_maps(np.zeros((2, 0, 4, 4), bool), (2, 2)).shape == (2, 0, 2, 2)


@pytest.mark.parametrize("size", [(20, 30), (9, 50), (64, 7)])
def test_patches_are_resized_as_whole_masks_are(rng, size):
    patches, whole = [], np.zeros((1, 4, 20, 30), bool)
    for row, (x, y) in enumerate([(3, 4), (-5, 2), (22, 15), (40, 3)]):
        patch = rng.random((10, 12)) < 0.7
        patches.append((x, y, patch))
        for (j, i), value in np.ndenumerate(patch):
            if 0 <= y + j < 20 and 0 <= x + i < 30:
                whole[0, row, y + j, x + i] = value
    resized = resize_patches(patches, (20, 30), size)
    np.testing.assert_array_equal(resized, resize_maps(whole, size)[0])
    assert resized[:3].any(axis=(1, 2)).all() and not resized[3].any()
