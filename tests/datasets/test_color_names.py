"""Names of colours that nobody would dispute, and the colour space behind them."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.datasets import color_names
from keras_interp.datasets.color_names import (
    COLOR_NAMES,
    lightness_chroma_hue,
    name_colors,
)

# Colours of CSS Color Module Level 4.
CSS = {
    "black": [(0, 0, 0), (20, 20, 20)],
    "gray": [(128, 128, 128), (192, 192, 192), (112, 128, 144)],
    "white": [(255, 255, 255), (248, 248, 255), (255, 250, 240), (245, 245, 220)],
    "red": [(255, 0, 0), (220, 20, 60), (139, 0, 0), (178, 34, 34)],
    "orange": [(255, 165, 0), (255, 140, 0), (255, 69, 0), (244, 164, 96)],
    "brown": [(165, 42, 42), (139, 69, 19), (160, 82, 45), (210, 180, 140)],
    "yellow": [(255, 255, 0), (255, 215, 0), (240, 230, 140)],
    "green": [(0, 128, 0), (0, 255, 0), (107, 142, 35), (46, 139, 87)],
    "blue": [(0, 0, 255), (0, 0, 128), (135, 206, 235), (70, 130, 180), (0, 255, 255)],
    "purple": [(128, 0, 128), (238, 130, 238), (75, 0, 130), (138, 43, 226)],
    "pink": [(255, 192, 203), (255, 105, 180), (250, 128, 114), (255, 182, 193)],
}


@pytest.mark.parametrize("name", COLOR_NAMES)
def test_well_known_colours(name):
    pixels = np.array(CSS[name], np.uint8)[None, None]
    found = [COLOR_NAMES[code] for code in name_colors(pixels)[0, 0]]
    assert found == [name] * len(CSS[name])


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((255, 0, 0), (53.24, 104.55, 40.00)),
        ((0, 255, 0), (87.73, 119.78, 136.02)),
        ((0, 0, 255), (32.30, 133.81, 306.28)),
        ((128, 0, 128), (29.78, 69.31, 328.23)),
    ],
)
def test_lightness_chroma_and_hue_of_the_srgb_primaries(pixel, expected):
    found = lightness_chroma_hue(np.array([pixel], np.uint8))
    np.testing.assert_allclose(np.ravel(found), expected, atol=0.01)


def test_grays_have_no_chroma():
    levels = np.arange(256, dtype=np.uint8)
    lightness, chroma, _ = lightness_chroma_hue(np.repeat(levels[:, None], 3, axis=1))
    assert chroma.max() < 1e-3
    assert (np.diff(lightness) > 0).all()
    assert lightness[[0, 255]] == pytest.approx([0, 100], abs=1e-4)


def test_every_pixel_has_its_name_whatever_is_beside_it(rng, monkeypatch):
    images = rng.integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    names = name_colors(images)
    assert names.shape == (3, 20, 30) and names.dtype == np.uint8
    assert set(np.unique(names)) == set(range(len(COLOR_NAMES)))
    monkeypatch.setattr(color_names, "_PIXELS_AT_ONCE", 7)
    np.testing.assert_array_equal(name_colors(images[1:2]), names[1:2])
    assert name_colors(images[:0]).shape == (0, 20, 30)


def test_other_pictures_are_refused():
    with pytest.raises(ValueError, match="images must be a uint8 NumPy array"):
        name_colors(np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="images must have the shape"):
        name_colors(np.zeros((4, 4, 3), np.uint8))
