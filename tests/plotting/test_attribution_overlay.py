"""Which colours an attribution has, and what is written beside it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from keras_interp.plotting import attribution_overlay
from keras_interp.plotting._attribution_scale import AttributionScale


@pytest.fixture
def values():
    """One strong pixel out of 1024, ten of 2, the rest 0."""
    values = np.zeros((32, 32))
    values[0, :20] = 2.0
    values[5, 5] = 100.0
    return values


def heat(ax):
    """What is drawn over the image: shares of the limit."""
    return np.asarray(ax.images[-1].get_array())


def bar_of(ax):
    (bar,) = [other for other in ax.figure.axes if other is not ax]
    return bar


def test_the_full_colour_stands_for_the_percentile(images, values):
    ax = attribution_overlay(images[0], values)
    # 21 of 1024 values are not 0, so a hundredth of them lies at 2 and above.
    assert heat(ax)[0, 0] == heat(ax)[5, 5] == 1.0
    assert bar_of(ax).get_ylim() == (0.0, 2.0)
    whole = attribution_overlay(images[0], values, percentile=100)
    assert heat(whole)[0, 0] == 0.02
    assert bar_of(whole).get_ylim() == (0.0, 100.0)


def test_where_the_percentile_is_zero_the_greatest_value_has_the_full_colour(images):
    values = np.zeros((32, 32))
    values[0, 0], values[0, 1] = 8.0, 2.0
    ax = attribution_overlay(images[0], values)
    assert heat(ax)[0, :3].tolist() == [1.0, 0.25, 0.0]


def test_a_given_limit(images, values):
    ax = attribution_overlay(images[0], values, limit=4.0)
    assert heat(ax)[0, 0] == 0.5
    assert bar_of(ax).get_ylim() == (0.0, 4.0)


def test_both_signs_have_colours_around_zero(images, values):
    values[1, :20] = -1.0
    ax = attribution_overlay(images[0], values)
    assert ax.images[-1].get_cmap().name == "RdBu_r"
    assert ax.images[-1].get_clim() == (-1.0, 1.0)
    assert heat(ax)[1, 0] == -0.5
    assert bar_of(ax).get_ylim() == (-2.0, 2.0)
    positive = attribution_overlay(images[0], values, signed=False)
    assert positive.images[-1].get_cmap().name == "inferno"
    assert heat(positive)[1, 0] == 0.0


def test_rounding_errors_below_zero_are_no_second_sign(images, values):
    values[1, 1] = -0.01
    assert attribution_overlay(images[0], values).images[-1].get_clim() == (0.0, 1.0)
    values[1, 1] = -0.2
    assert attribution_overlay(images[0], values).images[-1].get_clim() == (-1.0, 1.0)


def test_nothing_attributed_is_transparent(images, values):
    ax = attribution_overlay(images[0], values, percentile=100, opacity=0.5)
    alpha = ax.images[-1].get_alpha()
    assert alpha[5, 5] == 0.5 and alpha[20, 20] == 0.0
    assert alpha[0, 0] == pytest.approx(0.5 * np.sqrt(0.02))


def test_colours_are_added_up_or_the_strongest_is_shown(images):
    values = np.zeros((32, 32, 3))
    values[0, 0] = [1.0, -4.0, 1.0]
    values[0, 1] = [2.0, 1.0, 1.0]
    options = {"limit": 4.0}
    total = heat(attribution_overlay(images[0], values, **options))
    assert total[0, :3].tolist() == [-0.5, 1.0, 0.0]
    greatest = attribution_overlay(images[0], values, channels="max", **options)
    assert heat(greatest)[0, :3].tolist() == [-1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    "image",
    [
        lambda images: images[0],
        lambda images: images[0].astype("float32") / 255,
        lambda images: images[0, :, :, :1],
        lambda images: images[0, :, :, 0],
    ],
)
def test_images_of_any_kind_lie_beneath_in_gray(images, values, image):
    ax = attribution_overlay(image(images), values)
    beneath = np.asarray(ax.images[0].get_array())
    assert beneath.shape == (32, 32, 3)
    assert np.ptp(beneath, axis=2).max() == 0 and np.ptp(beneath) > 0.1


def test_the_image_is_dark_beneath_one_sign_and_light_beneath_two(images, values):
    dark = np.asarray(attribution_overlay(images[0], values).images[0].get_array())
    light = attribution_overlay(images[0], values, signed=True).images[0].get_array()
    assert dark.max() <= 0.6 and np.asarray(light).min() >= 0.45


def test_the_map_can_be_drawn_alone(values):
    ax = attribution_overlay(None, values[:, :, None], color_bar=False)
    assert len(ax.images) == 1 and ax.images[0].get_alpha() is None
    assert len(ax.figure.axes) == 1


def test_an_all_zero_map_is_blank(images, tmp_path):
    ax = attribution_overlay(images[0], np.zeros((32, 32)))
    np.testing.assert_array_equal(ax.images[-1].get_alpha(), 0)
    ax.figure.savefig(tmp_path / "blank.png")


def test_the_title_says_what_was_explained(images, values):
    options = {"method": "Grad-CAM", "explained": "class 11, goldfinch"}
    ax = attribution_overlay(images[0], values, **options)
    assert ax.get_title() == "Grad-CAM\nexplained: class 11, goldfinch"
    assert attribution_overlay(images[0], values).get_title() == ""


def test_given_axes_are_drawn_on_and_nothing_is_left_in_pyplot(
    images, values, tmp_path
):
    before = plt.get_fignums()
    ax = Figure().subplots()
    assert attribution_overlay(images[0], values, ax) is ax
    ax.figure.savefig(tmp_path / "overlay.png")
    assert plt.get_fignums() == before


def test_the_bar_has_the_colours_that_are_seen():
    scale = AttributionScale.of(np.array([0.0, 1.0]), 100)
    colors = scale.bar_colors(beneath=0.4, opacity=1.0).colors
    # Nothing shows the image; the greatest value hides it.
    np.testing.assert_allclose(colors[0][:3], 0.4)
    np.testing.assert_allclose(colors[-1][:3], [0.988362, 0.998364, 0.644924])
    faint = scale.bar_colors(beneath=0.4, opacity=0.0).colors
    np.testing.assert_allclose(faint[:, :3], 0.4)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    factor=st.floats(1e-6, 1e6),
    percentile=st.floats(1, 100),
)
def test_shares_do_not_depend_on_the_unit(seed, factor, percentile):
    maps = np.random.default_rng(seed).normal(size=(6, 7))
    scale = AttributionScale.of(maps, percentile)
    shares = scale.shares(maps)
    assert -1 <= shares.min() and shares.max() <= 1
    assert (np.sign(shares) == np.sign(maps)).all()
    beyond = (np.abs(maps) > scale.limit).mean()
    assert beyond <= 1 - percentile / 100 + 1e-9
    assert scale.clipped == (beyond > 0)
    other = AttributionScale.of(factor * maps, percentile)
    np.testing.assert_allclose(other.shares(factor * maps), shares, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attribution": np.zeros((4, 4))}, "of the image's height and width"),
        (
            {"attribution": np.zeros((2, 32, 32))},
            r"Expected attribution of shape \(height, width\),",
        ),
        (
            {"attribution": np.zeros((32, 32, 2))},
            r"Expected attribution of shape \(height, width\),",
        ),
        (
            {"attribution": np.zeros((0, 0))},
            r"Expected attribution of shape \(height, width\),",
        ),
        (
            {"attribution": np.full((32, 32), np.nan)},
            "Expected attribution with finite values",
        ),
        (
            {"image": np.zeros((32, 32, 4))},
            r"Expected image of shape \(height, width\),",
        ),
        (
            {"channels": "mean"},
            r"Expected channels as one of \('sum', 'max'\).*Received: channels='mean'",
        ),
        ({"percentile": 0}, "Expected percentile above 0 and up"),
        ({"percentile": 101}, "Expected percentile above 0 and up"),
        ({"limit": 0}, "Expected limit as a positive value.*Received: limit=0"),
        ({"opacity": 1.5}, r"Expected opacity from 0 to 1.*Received: opacity=1\.5"),
    ],
)
def test_bad_input_is_refused(images, values, change, message):
    with pytest.raises(ValueError, match=message):
        attribution_overlay(**{"image": images[0], "attribution": values, **change})
