"""The reader of CUB-200-2011."""

from __future__ import annotations

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_interp.datasets import load_cub, open_cub
from keras_interp.datasets.readers.cub import read_cub_annotations


def replace_text(path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_crops_and_their_landmarks(cub_root):
    dataset = load_cub(cub_root, size=(40, 80))
    assert dataset.images.shape == (3, 40, 80, 3)
    assert dataset.class_names == ["001.Gull", "003.Wren"]
    assert dataset.labels.tolist() == [0, 0, 1]
    assert dataset.landmark_names == ["beak", "left eye"]
    assert dataset.ids.tolist() == ["001.Gull/a", "001.Gull/b", "003.Wren/c"]
    assert dataset.split.tolist() == ["train", "test", "train"]
    # The box is 40x20 from (10, 20): (30, 30) is its middle, doubled (40, 20).
    np.testing.assert_allclose(dataset.landmarks[:, 0], [[40, 20]] * 3)
    np.testing.assert_allclose(dataset.landmarks[1, 1], [20, 10])
    assert np.isnan(dataset.landmarks[0, 1]).all()  # not visible
    assert np.isnan(dataset.landmarks[2, 1]).all()  # outside the box
    np.testing.assert_allclose(dataset.boxes, [[0, 0, 80, 40]] * 3)
    # The bright dot of the images is where the landmark is.
    assert dataset.images[:, 20, 40].min() > 200 and dataset.images[:, 2, 2].max() < 80


def test_whole_images(cub_root):
    dataset = load_cub(cub_root, crop=None)
    assert dataset.image_size == (80, 100)
    np.testing.assert_allclose(dataset.landmarks[2], [[30, 30], [90, 70]])
    np.testing.assert_allclose(dataset.boxes[0], [10, 20, 50, 40])
    assert dataset.images[:, 30, 30].min() > 200


def test_the_size_is_that_of_the_crops_where_they_agree(cub_root):
    assert load_cub(cub_root).image_size == (20, 40)
    replace_text(cub_root / "bounding_boxes.txt", "12 10.0 20.0 40", "12 10.0 20.0 30")
    assert load_cub(cub_root).image_size == (224, 224)


def test_a_box_that_sticks_out_is_cut_off(cub_root):
    boxes = "".join(f"{k} 60.0 50.0 80.0 90.0\n" for k in (10, 11, 12))
    (cub_root / "bounding_boxes.txt").write_text(boxes)
    dataset = load_cub(cub_root, size=(30, 40))
    np.testing.assert_allclose(dataset.landmarks[2, 1], [30, 20])
    np.testing.assert_allclose(dataset.boxes, [[0, 0, 40, 30]] * 3)


def test_an_empty_box_is_refused(cub_root):
    replace_text(
        cub_root / "bounding_boxes.txt", "11 10.0 20.0 40.0", "11 10.0 20.0 0.0"
    )
    with pytest.raises(
        ValueError, match=r"bounding_boxes.txt.*001.Gull/b.jpg is empty"
    ):
        load_cub(cub_root)


@pytest.mark.parametrize("categories", [["003.Wren"], ["Wren"], [3], np.array([3])])
def test_categories_by_name_and_id(cub_root, categories):
    dataset = load_cub(cub_root, categories=categories)
    assert dataset.class_names == ["003.Wren"] and len(dataset) == 1


@pytest.mark.parametrize("categories", [["Owl"], ["Eagle"], [7], [], ["Wren", "x"]])
def test_categories_without_images_are_refused(cub_root, categories):
    with pytest.raises(ValueError, match="no images of the categories"):
        load_cub(cub_root, categories=categories)


def test_split_and_number_of_images(cub_root):
    assert load_cub(cub_root, "train").ids.tolist() == ["001.Gull/a", "003.Wren/c"]
    test = load_cub(cub_root, "test")
    assert test.ids.tolist() == ["001.Gull/b"]
    assert test.class_names == [
        "001.Gull",
        "003.Wren",
    ]  # the same labels as in training
    few = load_cub(cub_root, max_images_per_category=1)
    assert few.ids.tolist() == ["001.Gull/a", "003.Wren/c"]
    with pytest.raises(ValueError, match="no image of these categories"):
        load_cub(cub_root, "test", categories=["Wren"])


def test_one_category_and_negatives(cub_root, tmp_path, write_image):
    for k in range(4):
        write_image(tmp_path / "neg" / f"{k}.jpg", 30, 30, mode="L", seed=k)
    options = {"single_category": True, "negatives": tmp_path / "neg"}
    dataset = load_cub(cub_root, **options)
    assert dataset.class_names == ["bird", "background"]
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert dataset.split.tolist()[3:] == ["train", "test"] * 2
    assert np.isnan(dataset.landmarks[3:]).all() and np.isnan(dataset.boxes[3:]).all()
    assert dataset.ids.tolist()[3:] == ["neg/0", "neg/1", "neg/2", "neg/3"]
    assert load_cub(cub_root, "test", **options).ids.tolist()[1:] == ["neg/1", "neg/3"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="none holds no images"):
        load_cub(cub_root, negatives=tmp_path / "none")


def test_landmarks_may_all_be_absent(cub_root):
    lines = [f"{k} {part} 0.0 0.0 0\n" for k in (10, 11, 12) for part in (1, 2)]
    (cub_root / "parts" / "part_locs.txt").write_text("".join(lines))
    assert np.isnan(load_cub(cub_root).landmarks).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "square"}, "crop as 'box' or None"),
        ({"split": "validation"}, 'split as "train", "test" or None'),
        ({"size": 0}, "size as a .height, width. pair"),
        ({"max_images_per_category": 0}, "max_images_per_category as an integer >= 1"),
    ],
)
def test_wrong_arguments(cub_root, options, message):
    with pytest.raises(ValueError, match=message):
        load_cub(cub_root, **options)


def test_the_folder_or_the_one_above(cub_root, tmp_path):
    assert len(load_cub(cub_root.parent)) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"CUB_200_2011/images.txt; root must be"
    ):
        load_cub(tmp_path / "empty")


@pytest.mark.parametrize(
    "name",
    [
        "classes.txt",
        "image_class_labels.txt",
        "train_test_split.txt",
        "bounding_boxes.txt",
        "parts/parts.txt",
        "parts/part_locs.txt",
    ],
)
def test_a_missing_annotation_file_is_named(cub_root, name):
    (cub_root / name).unlink()
    with pytest.raises(
        FileNotFoundError, match=re.escape(f"{name} is missing; it comes with CUB_200")
    ):
        load_cub(cub_root)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "parts/part_locs.txt",
            "11 1 30.0 30.0 1",
            "11 1 30.0 30.0",
            "line 3: expected 5",
        ),
        ("parts/part_locs.txt", "10 1 30", "99 1 30", r"the ids \[99\] are in neither"),
        (
            "bounding_boxes.txt",
            "11 10.0",
            "13 10.0",
            r"no line for the image ids \[11\]",
        ),
        ("image_class_labels.txt", "12 3", "12 300", r"class ids \[300\] are not in"),
        ("train_test_split.txt", "11 0", "11 no", "line 2: expected 0 or 1"),
        ("train_test_split.txt", "11 0", "11 3", "line 2: expected 0 or 1"),
        ("train_test_split.txt", "11 0", "10 0", "image id 10 is listed twice"),
        (
            "bounding_boxes.txt",
            "11 10.0",
            "11 nan",
            "line 2: expected a finite number, got 'nan'",
        ),
        ("parts/part_locs.txt", "10 2", "10 1", "part 1 of image 10 is listed twice"),
        ("images.txt", "11 001", "10 001", "10 is listed twice"),
        ("images.txt", "b.jpg", "a.png", "'001.Gull/a' is listed twice"),
        ("images.txt", "001.Gull/b.jpg", "../b.jpg", "leads out of the folder"),
        ("images.txt", "001.Gull/b.jpg", "/b.jpg", "leads out of the folder"),
        ("classes.txt", "2 002.Owl", "2 001.Gull", "'001.Gull' is listed twice"),
    ],
)
def test_damaged_tables_are_named(cub_root, name, old, new, message):
    replace_text(cub_root / name, old, new)
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        load_cub(cub_root)


def test_copies_of_a_photograph_stay_on_one_side(cub_root):
    """The official split may have an image in training and its copy in the test."""
    images = cub_root / "images"
    shutil.copy(images / "001.Gull" / "a.jpg", images / "001.Gull" / "b.jpg")
    dataset = load_cub(cub_root)
    assert dataset.groups.tolist() == [10, 10, 12]  # of images.txt
    assert dataset.split.tolist() == ["train", "train", "train"]
    published = load_cub(cub_root, "authors")
    assert published.groups.tolist() == [10, 10, 12]
    assert published.split.tolist() == ["train", "test", "train"]
    test = load_cub(cub_root, "test", split_by="authors")
    assert test.ids.tolist() == ["001.Gull/b"] and test.groups.tolist() == [10]


def test_images_that_differ_have_groups_of_their_own(cub_root):
    assert load_cub(cub_root).groups.tolist() == [10, 11, 12]


def test_mirror_images(cub_root):
    """The left eye of the second bird is the right one in its mirror image."""
    replace_text(cub_root / "parts" / "parts.txt", "1 beak", "1 right eye")
    dataset = load_cub(cub_root, size=(40, 80), mirror=True)
    assert dataset.ids.tolist()[3:] == [f"{i}_mirrored" for i in dataset.ids[:3]]
    assert dataset.landmark_names == ["right eye", "left eye"]
    np.testing.assert_allclose(dataset.landmarks[1], [[40, 20], [20, 10]])
    np.testing.assert_allclose(dataset.landmarks[4], [[60, 10], [40, 20]])
    np.testing.assert_array_equal(dataset.images[3:], dataset.images[:3, :, ::-1])
    assert dataset.images[4, 20, 39].min() > 200


def test_text_that_is_not_utf8(cub_root):
    path = cub_root / "images.txt"
    path.write_bytes(path.read_bytes().replace(b"Wren/c", b"Wr\xe9n/c"))
    with pytest.raises(ValueError, match="images.txt, line 3: not UTF-8"):
        load_cub(cub_root)


def test_a_image_that_is_missing(cub_root):
    (cub_root / "images" / "001.Gull" / "b.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 images of images.txt are missing.*b\.jpg"):
        load_cub(cub_root)
    assert len(load_cub(cub_root, "train")) == 2  # where it is not asked for


def test_a_truncated_image(cub_root):
    path = cub_root / "images" / "003.Wren" / "c.jpg"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match="c.jpg is damaged"):
        load_cub(cub_root)


def test_names_with_letters_of_any_language(cub_root):
    shutil.move(cub_root / "images" / "003.Wren", cub_root / "images" / "003.Zaunkönig")
    for name in ("images.txt", "classes.txt"):
        replace_text(cub_root / name, "003.Wren", "003.Zaunkönig")
    assert load_cub(cub_root, categories=["Zaunkönig"]).ids.tolist() == [
        "003.Zaunkönig/c"
    ]


def test_real_annotations(real_data):
    annotations = read_cub_annotations(real_data / "cub", attributes=True)
    assert len(annotations) == 6748
    assert annotations.attributes is None  # they are not in this copy
    assert len(np.unique(annotations.class_ids)) == 115
    assert annotations.landmarks.shape == (6748, 15, 2)
    assert annotations.landmark_names[5] == "forehead"
    visible = ~np.isnan(annotations.landmarks[..., 0])
    points = annotations.landmarks[visible]
    assert points.min() >= 0 and points.max() <= 227  # none outside its image
    np.testing.assert_allclose(annotations.landmarks[0, 1], [176.0, 115.7])


@pytest.mark.slow
def test_all_real_crops(real_data):
    """Every image is there and whole, and keeps every point that is visible."""
    images = open_cub(real_data / "cub")
    annotations = read_cub_annotations(real_data / "cub")
    assert len(images) == 6748 and images.common_size() == (227, 227)
    assert len(np.unique(images.groups)) == 6748  # no two are the same file
    assert (images.split == "train").sum() == annotations.is_train.sum()
    visible = ~np.isnan(annotations.landmarks)
    seen = 0
    for fields in images.chunks(size=24, length=1024):
        rows = slice(seen, seen + len(fields["images"]))
        np.testing.assert_array_equal(~np.isnan(fields["landmarks"]), visible[rows])
        points = fields["landmarks"][visible[rows]]
        assert points.min() >= 0 and points.max() <= 24
        assert fields["images"].std(axis=(1, 2, 3)).min() > 1
        seen += len(fields["images"])
    assert seen == 6748


def test_real_crops_agree_with_the_original_photographs(real_data):
    """Crops of the originals show what the crops of the other copy show.

    These were compressed again, which alone costs 3 grey levels; compressed in the same
    way, the two copies differ by less than half a level.
    """
    originals = load_cub(real_data / "cub_fullsize_sample", size=227)
    crops = load_cub(real_data / "cub", categories=[1, 4])
    assert len(crops) == 120 and originals.ids.tolist() == crops.ids.tolist()
    assert crops.image_size == (227, 227)
    np.testing.assert_array_equal(originals.split, crops.split)
    # One box is a pixel wider than its image; the other copy scaled its points by the
    # width of the box, not by that of the crop.
    wide = originals.ids == f"{crops.class_names[0]}/Black_Footed_Albatross_0050_796125"
    apart = np.nanmax(np.abs(originals.landmarks - crops.landmarks), axis=(1, 2))
    assert wide.sum() == 1 and apart[wide] < 0.31 and apart[~wide].max() < 0.06
    np.testing.assert_array_equal(
        np.isnan(originals.landmarks), np.isnan(crops.landmarks)
    )
    difference = originals.images.astype(float) - crops.images
    assert 2 < np.abs(difference).mean() < 3.5
    folder = real_data / "cub" / "CUB_200_2011" / "images"
    compressed = [
        compress_like(image, folder / f"{name}.jpg")
        for image, name in zip(originals.images, originals.ids, strict=True)
    ]
    difference = np.stack(compressed).astype(float) - crops.images
    assert np.abs(difference).mean() < 0.5


def compress_like(image: np.ndarray, path) -> np.ndarray:
    """The image after JPEG with the tables of another file."""
    file = io.BytesIO()
    with Image.open(path) as other:
        tables = other.quantization
    Image.fromarray(image).save(file, "JPEG", qtables=tables, subsampling="4:2:0")
    return np.asarray(Image.open(file))


def test_real_splits(real_data):
    train = load_cub(real_data / "cub", "train", categories=[1, 4], size=32)
    test = load_cub(real_data / "cub", "test", categories=[1, 4], size=32)
    assert set(train.split) == {"train"} and set(test.split) == {"test"}
    assert len(train) + len(test) == 120
    both = load_cub(real_data / "cub", "authors", categories=[1, 4], size=32)
    assert (both.split == "train").sum() == len(train)


def test_real_sentences_join(real_data, caplog):
    images = open_cub(real_data / "cub", captions=True)
    assert len(images) == 2317
    assert {len(sentences) for sentences in images.captions} == {10}
    assert len(np.unique(images.labels)) == len(images.class_names) == 40
    assert "left out 4431 images without sentences and 0 files" in caplog.text
    dataset = load_cub(
        real_data / "cub", captions=True, categories=[1], max_images_per_category=3
    )
    assert len(dataset.captions) == 3
    first = dataset.ids.tolist().index(
        "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18"
    )
    assert all("bird" in sentence for sentence in dataset.captions[first][:1])
