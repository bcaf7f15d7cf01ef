"""The order, the number and the contents of a gallery's images."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.plotting import filter_gallery
from keras_interp.plotting._canvas import as_image
from keras_interp.plotting._filter_gallery import disc_radius


def shown(ax):
    """The image of axes that show a region, the darkening taken off where bright."""
    return np.asarray(ax.images[0].get_array())


def test_the_strongest_images_come_first(images, maps, field):
    axes = filter_gallery(images, maps, field, 0, top=3, show=["feature_map"])
    assert axes.shape == (1, 3)
    # The peaks of filter 0 grow with the number of the image.
    for ax, number in zip(axes[0], [5, 4, 3], strict=True):
        np.testing.assert_allclose(shown(ax), as_image(images[number]))
        np.testing.assert_array_equal(ax.images[1].get_array(), maps[number, ..., 0])


def test_the_region_is_bright_around_the_peak_and_dark_elsewhere(images, maps, field):
    ax = filter_gallery(images, maps, field, 0, top=1, show=["region"], radius=4.0)[
        0, 0
    ]
    image = as_image(images[5])
    y, x = np.mgrid[:32, :32]
    # Image 5 peaks at cell (1, 1), pixel (11.5, 11.5).
    inside = (x - 11.5) ** 2 + (y - 11.5) ** 2 <= 16
    expected = np.where(inside[..., None], image, 0.4 * image)
    np.testing.assert_allclose(shown(ax), expected, atol=1e-6)
    crosses = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines]
    assert crosses == [(11.5, 11.5)] * 2


def test_a_row_for_each_filter_and_kind(images, maps, field):
    axes = filter_gallery(
        images, maps, field, [0, 1], top=2, masked_maps=maps, names=["head", "tail"]
    )
    assert axes.shape == (6, 2)
    labels = [ax.get_ylabel() for ax in axes[:, 0]]
    assert labels == ["head", "feature map", "masked map"] + [
        "tail",
        "feature map",
        "masked map",
    ]


def test_a_silent_filter_says_so_and_stays_empty(images, maps, field):
    axes = filter_gallery(images, maps, field, [2], top=2)
    assert axes[0, 0].get_title() == "filter 2: silent"
    assert not any(ax.images for ax in axes.flat)


def test_images_in_which_the_filter_is_silent_stay_empty(images, maps, field):
    maps[1:, ..., 1] = 0
    axes = filter_gallery(images, maps, field, 1, top=3, show=["feature_map"])
    assert [bool(ax.images) for ax in axes[0]] == [True, False, False]


def test_measured_shapes_take_the_place_of_discs(images, maps, field):
    shapes = np.zeros((1, 63, 63))
    shapes[0, 31, 31:36] = 1.0
    ax = filter_gallery(images, maps, field, 0, top=1, show=["region"], shapes=shapes)
    bright = np.isclose(shown(ax[0, 0]), as_image(images[5])).all(axis=-1)
    # The centre (11.5, 11.5) is rounded to the even pixel 12.
    assert bright[12, 12:17].all()


def test_given_axes_are_drawn_on(images, maps, field):
    from matplotlib.figure import Figure

    axes = Figure().subplots(2, 3)
    assert filter_gallery(images, maps, field, 0, axes, top=3)[1, 2] is axes[1, 2]
    with pytest.raises(ValueError, match="ax to hold 2 rows and 4 columns"):
        filter_gallery(images, maps, field, 0, axes, top=4)


def test_gray_images_and_fewer_images_than_columns(images, maps, field):
    axes = filter_gallery(
        images[:2, ..., 0], maps[:2], field, 0, top=4, show=["region"]
    )
    assert [bool(ax.images) for ax in axes[0]] == [True, True, False, False]


def test_discs_of_small_networks_are_wide_enough_to_see(field):
    assert disc_radius(field) == 12  # 1.5 cells of 8 pixels, more than 0.18 * 20


def test_bad_input_is_refused(images, maps, field):
    with pytest.raises(
        ValueError,
        match="Expected images and feature_maps of the",
    ):
        filter_gallery(images[:5], maps, field)
    with pytest.raises(
        ValueError, match=r"Expected filters as numbers from 0.*Received: filters=\[3\]"
    ):
        filter_gallery(images, maps, field, 3)
    with pytest.raises(
        ValueError,
        match=r"Expected show as some of \('region',.*Received: show=\('mask',\)",
    ):
        filter_gallery(images, maps, field, show=["mask"])
    with pytest.raises(
        ValueError, match='Expected masked_maps where show names "masked_map"'
    ):
        filter_gallery(images, maps, field, show=["masked_map"])
    with pytest.raises(ValueError, match="Expected masked_maps of the shape of"):
        filter_gallery(images, maps, field, masked_maps=maps[..., :1])
    with pytest.raises(
        ValueError, match="Expected top of at least 1 image.*Received: top=0"
    ):
        filter_gallery(images, maps, field, top=0)
    with pytest.raises(ValueError, match="NaN"):
        filter_gallery(images, maps * np.nan, field)
