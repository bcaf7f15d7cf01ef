"""Image files: all kinds of pixels, crops, and damaged files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_interp.datasets._images import (
    _as_rgb,
    clip_boxes,
    image_sizes,
    list_images,
    read_images,
    resize_images,
    resize_maps,
    resize_patches,
    same_image_groups,
)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_kind_of_pixels_becomes_rgb(tmp_path, write_image, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    path = write_image(tmp_path / f"a{suffix}", 20, 10, dot=(6, 6), mode=mode)
    images = read_images([path], (10, 20))
    assert images.shape == (1, 10, 20, 3) and images.dtype == np.uint8
    assert images[0, 5, 5].min() > 180 and images[0, 1, 18].max() < 90


def _saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


SIXTEEN = np.array([[0, 128, 129, 257], [25700, 32896, 65534, 65535]], np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_brought_to_eight(tmp_path, suffix):
    """Pillow itself cuts them off at 255: all but the darkest became white."""
    path = _saved(tmp_path / f"a.{suffix}", Image.fromarray(SIXTEEN))
    image = read_images([path], (2, 4))[0]
    np.testing.assert_array_equal(image[..., 0], [[0, 0, 1, 1], [100, 128, 255, 255]])
    assert (image[..., 0] == image[..., 2]).all()


@pytest.mark.parametrize(
    ("mode", "color", "rgb"),
    [
        ("YCbCr", (128, 128, 128), (128, 128, 128)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("PA", (0, 255), (0, 0, 0)),
        ("La", (100, 255), (100, 100, 100)),
        ("RGBa", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBX", (10, 20, 30, 0), (10, 20, 30)),
        ("I;16B", 25700, (100, 100, 100)),
    ],
)
def test_modes_that_few_formats_have(mode, color, rgb):
    image = _as_rgb(Image.new(mode, (1, 1), color), Path("a"))
    assert image.mode == "RGB" and image.getpixel((0, 0)) == rgb


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((2, 2), 70000, np.int32), "32-bit integers"),
        (np.full((2, 2), 0.5, np.float32), "floating-point values"),
    ],
)
def test_values_without_a_white_are_refused(tmp_path, values, words):
    path = _saved(tmp_path / "deep.tif", Image.fromarray(values))
    with pytest.raises(ValueError, match=f"Received: .*deep.tif with {words}"):
        read_images([path], (2, 2))


@pytest.mark.parametrize(
    ("mode", "color", "rgb"),
    [
        ("LA", (200, 0), (200, 200, 200)),
        ("RGBA", (10, 200, 30, 128), (10, 200, 30)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("LAB", (255, 128, 128), (255, 255, 255)),
    ],
)
def test_colors_of_every_mode(tmp_path, mode, color, rgb):
    suffix = "png" if mode in ("LA", "RGBA") else "tif"
    path = _saved(tmp_path / f"a.{suffix}", Image.new(mode, (3, 2), color))
    image = read_images([path], (2, 3))[0]
    assert np.abs(image.astype(int) - rgb).max() <= 1


def test_a_palette_with_transparent_colors(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=b"\x00\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = read_images([tmp_path / "a.png"], (1, 2))[0, 0]
    assert pixels.tolist() == [[255, 0, 0], [0, 0, 255]]


# A damaged header may name a size at which Pillow warns.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "ppm"])
def test_damage_of_every_kind_is_named(tmp_path, write_image, suffix):
    """Two hundred flips and cuts: an image, or an error with the name of the file."""
    good = write_image(tmp_path / f"good.{suffix}", 24, 24).read_bytes()
    random, path = np.random.default_rng(0), tmp_path / f"bad.{suffix}"
    refused = 0
    for number in range(200):
        data = bytearray(good)
        if number % 4 == 0:
            data = data[: random.integers(len(data))]
        else:
            data[random.integers(min(len(data), 80))] = random.integers(256)
        path.write_bytes(data)
        try:
            image_sizes([path])
            read_images([path], (4, 4))
        except ValueError as error:
            assert f"bad.{suffix}" in str(error)
            refused += 1
    assert refused > 40


def test_crop_and_resize(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:30] = [250, 100, 50]
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    images = read_images([path], (8, 6), np.array([[20.0, 10.0, 30.0, 30.0]]))
    np.testing.assert_array_equal(images[0], np.tile([250, 100, 50], (8, 6, 1)))


def test_order_is_kept(tmp_path, write_image):
    paths = [
        write_image(tmp_path / f"{k}.png", 16, 16, dot=(8, 8), seed=k)
        for k in range(12)
    ]
    images = read_images(paths, (16, 16))
    for path, image in zip(paths, images, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(path)))


def test_truncated_image_is_named(tmp_path, write_image):
    good = write_image(tmp_path / "good.jpg", 64, 64)
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(good.read_bytes()[:-600])
    with pytest.raises(ValueError, match="damaged.jpg is damaged or not an image"):
        read_images([good, damaged, good], (8, 8))


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "strange.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="strange.jpg is damaged or not an image"):
        read_images([path], (8, 8))
    with pytest.raises(ValueError, match="strange.jpg is damaged or not an image"):
        image_sizes([path])


def test_missing_image(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.jpg"):
        read_images([tmp_path / "absent.jpg"], (8, 8))


def test_sizes_are_width_and_height(tmp_path, write_image):
    paths = [write_image(tmp_path / "a.jpg", 30, 20)]
    assert image_sizes(paths).tolist() == [[30, 20]]
    assert image_sizes([]).shape == (0, 2)


def test_boxes_end_at_the_edges():
    boxes = np.array([[-5.0, 3, 40, 50]])
    assert clip_boxes(boxes, np.array([[30, 20]])).tolist() == [[0, 3, 30, 20]]


def test_identical_files_share_a_group(tmp_path, write_image):
    paths = [
        write_image(tmp_path / f"{k}.jpg", 16, 16, seed=seed)
        for k, seed in enumerate([4, 5, 4, 6, 5])
    ]
    assert same_image_groups(paths).tolist() == [0, 1, 0, 3, 1]


def test_files_that_are_missing_or_as_long_but_different_are_alone(tmp_path):
    for name, content in {"a": b"1234", "b": b"1235", "c": b"1234"}.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in ("x", "a", "b", "y", "c")] + [tmp_path]
    assert same_image_groups(paths).tolist() == [0, 1, 2, 3, 1, 5]


def test_images_of_a_folder_in_order(tmp_path, write_image):
    for name in ("b.JPEG", "a.jpg", "c.png"):
        write_image(tmp_path / name, 8, 8)
    (tmp_path / "notes.txt").write_text("x")
    assert [p.name for p in list_images(tmp_path)] == ["a.jpg", "b.JPEG", "c.png"]
    with pytest.raises(FileNotFoundError, match="is not a folder of images"):
        list_images(tmp_path / "absent")


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
    difference = resize_images(images, size).astype(int) - expected
    # Pillow rounds to 8 bits between the two directions.
    assert np.abs(difference).max() <= 1


def test_a_flat_image_stays_flat():
    images = np.full((2, 9, 11, 3), 77, np.uint8)
    np.testing.assert_array_equal(resize_images(images, (4, 30)), 77)


def test_many_images_are_resized_in_pieces(monkeypatch, rng):
    images = rng.integers(0, 256, (7, 10, 8, 3)).astype(np.uint8)
    whole = resize_images(images, (5, 6))
    monkeypatch.setattr("keras_interp.datasets._images._CHUNK_BYTES", 1)
    np.testing.assert_array_equal(resize_images(images, (5, 6)), whole)


@pytest.mark.parametrize(("columns", "expected"), [(1, False), (2, True)])
def test_masks_are_true_where_half_of_the_filter_covers_them(columns, expected):
    mask = np.zeros((1, 1, 4, 4), bool)
    mask[0, 0, :, :columns] = True
    # The triangle filter gives 3/7, 3/7 and 1/7 to the three columns in reach.
    assert resize_maps(mask, (2, 2))[0, 0].tolist() == [[expected, False]] * 2


def test_no_images_and_no_parts():
    assert resize_images(np.zeros((0, 4, 4, 3), np.uint8), (2, 2)).shape == (
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
