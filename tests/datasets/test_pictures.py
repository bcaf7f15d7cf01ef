"""Picture files: all kinds of pixels, crops, and damaged files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_interp.datasets.pictures import (
    clip_boxes,
    list_pictures,
    picture_sizes,
    read_pictures,
    same_picture_groups,
)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_kind_of_pixels_becomes_rgb(tmp_path, write_picture, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    path = write_picture(tmp_path / f"a{suffix}", 20, 10, dot=(6, 6), mode=mode)
    images = read_pictures([path], (10, 20))
    assert images.shape == (1, 10, 20, 3) and images.dtype == np.uint8
    assert images[0, 5, 5].min() > 180 and images[0, 1, 18].max() < 90


def test_crop_and_resize(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:30] = [250, 100, 50]
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    images = read_pictures([path], (8, 6), np.array([[20.0, 10.0, 30.0, 30.0]]))
    np.testing.assert_array_equal(images[0], np.tile([250, 100, 50], (8, 6, 1)))


def test_order_is_kept(tmp_path, write_picture):
    paths = [
        write_picture(tmp_path / f"{k}.png", 16, 16, dot=(8, 8), seed=k)
        for k in range(12)
    ]
    images = read_pictures(paths, (16, 16))
    for path, image in zip(paths, images, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(path)))


def test_truncated_picture_is_named(tmp_path, write_picture):
    good = write_picture(tmp_path / "good.jpg", 64, 64)
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(good.read_bytes()[:-600])
    with pytest.raises(ValueError, match="damaged.jpg is damaged or not a picture"):
        read_pictures([good, damaged, good], (8, 8))


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "strange.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="strange.jpg is damaged or not a picture"):
        read_pictures([path], (8, 8))
    with pytest.raises(ValueError, match="strange.jpg is damaged or not a picture"):
        picture_sizes([path])


def test_missing_picture(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.jpg"):
        read_pictures([tmp_path / "absent.jpg"], (8, 8))


def test_sizes_are_width_and_height(tmp_path, write_picture):
    paths = [write_picture(tmp_path / "a.jpg", 30, 20)]
    assert picture_sizes(paths).tolist() == [[30, 20]]
    assert picture_sizes([]).shape == (0, 2)


def test_boxes_end_at_the_edges():
    boxes = np.array([[-5.0, 3, 40, 50]])
    assert clip_boxes(boxes, np.array([[30, 20]])).tolist() == [[0, 3, 30, 20]]


def test_identical_files_share_a_group(tmp_path, write_picture):
    paths = [
        write_picture(tmp_path / f"{k}.jpg", 16, 16, seed=seed)
        for k, seed in enumerate([4, 5, 4, 6, 5])
    ]
    assert same_picture_groups(paths).tolist() == [0, 1, 0, 3, 1]


def test_files_that_are_missing_or_as_long_but_different_are_alone(tmp_path):
    for name, content in {"a": b"1234", "b": b"1235", "c": b"1234"}.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in ("x", "a", "b", "y", "c")] + [tmp_path]
    assert same_picture_groups(paths).tolist() == [0, 1, 2, 3, 1, 5]


def test_pictures_of_a_folder_in_order(tmp_path, write_picture):
    for name in ("b.JPEG", "a.jpg", "c.png"):
        write_picture(tmp_path / name, 8, 8)
    (tmp_path / "notes.txt").write_text("x")
    assert [p.name for p in list_pictures(tmp_path)] == ["a.jpg", "b.JPEG", "c.png"]
    with pytest.raises(FileNotFoundError, match="is not a folder of pictures"):
        list_pictures(tmp_path / "absent")
