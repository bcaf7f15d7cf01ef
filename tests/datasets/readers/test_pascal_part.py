"""The reader of PASCAL-Part."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from keras_interp.datasets import load_pascal_part, open_pascal_part

PAPER = ["head", "neck", "torso"]


def test_crops_with_merged_parts(pascal_root):
    dataset = load_pascal_part(pascal_root, size=60)
    assert dataset.class_names == ["cow", "dog"]  # the order of PASCAL VOC
    assert dataset.ids.tolist() == ["2008_a_1", "2008_b_1", "2008_c_1"]
    assert dataset.labels.tolist() == [1, 1, 0]
    assert dataset.part_names == [
        "head",
        "torso",
        "front_legs",
        "back_legs",
        "tail",
    ]
    assert dataset.landmark_names[:3] == PAPER
    assert "legs" not in dataset.landmark_names  # birds alone have those
    head, torso, front, back, tail = dataset.part_masks[0]
    # The crop is 60x60 from (20, 10) on, so nothing is resized.
    expected = np.zeros((60, 60), bool)
    expected[:32, :4] = expected[:30, :20] = True  # the right ear sticks out
    np.testing.assert_array_equal(head, expected)
    np.testing.assert_array_equal(np.argwhere(torso).min(axis=0), [0, 20])
    np.testing.assert_array_equal(np.argwhere(torso).max(axis=0), [29, 59])
    assert front.sum() == 40 and tail.sum() == 16
    assert not back.any()
    np.testing.assert_array_equal(dataset.boxes, [[0, 0, 60, 60]] * 3)


def test_landmarks_are_centres(pascal_root):
    dataset = load_pascal_part(pascal_root, size=60)
    centres = dict(zip(dataset.landmark_names, dataset.landmarks[0], strict=True))
    np.testing.assert_allclose(centres["torso"], [45, 15])  # without the neck
    np.testing.assert_allclose(centres["neck"], [25, 15])
    np.testing.assert_allclose(centres["front_legs"], [32, 55])
    np.testing.assert_allclose(centres["tail"], [58, 32])
    rows, columns = np.nonzero(dataset.part_masks[0, 0])
    np.testing.assert_allclose(
        centres["head"], [columns.mean() + 0.5, rows.mean() + 0.5]
    )
    assert np.isnan(centres["back_legs"]).all()
    # The papers leave out the tail of a cow, and its horn belongs to the head.
    cow = dict(zip(dataset.landmark_names, dataset.landmarks[2], strict=True))
    assert np.isnan(cow["tail"]).all()
    np.testing.assert_allclose(cow["head"], [5 / 120 * 60, 65 / 80 * 60])


def test_original_parts(pascal_root):
    dataset = load_pascal_part(pascal_root, parts="original", size=(50, 80))
    assert dataset.class_names == ["car", "cow", "diningtable", "dog"]
    assert dataset.part_names == dataset.landmark_names
    assert len(dataset.part_names) == len(set(dataset.part_names)) > 30
    car = dataset.subset(dataset.ids == "2008_d_1")
    where = dataset.part_names.index
    assert car.part_masks[0, where("wheel")].sum() == 200  # both
    assert np.isnan(car.landmarks[0, where("wheel")]).all()  # two of them
    np.testing.assert_allclose(car.landmarks[0, where("door")], [40, 30])
    table = dataset.subset(dataset.ids == "2008_d_2")
    assert not table.part_masks.any() and np.isnan(table.landmarks).all()


def test_small_objects_are_left_out_unless_wanted(pascal_root):
    ids = load_pascal_part(pascal_root, size=8, smallest_box=400).ids
    assert "2008_a_2" in ids.tolist()
    assert "2008_a_2" not in load_pascal_part(pascal_root, size=8).ids.tolist()
    with pytest.raises(ValueError, match="no object of .* box of 100000 square pixels"):
        load_pascal_part(pascal_root, smallest_box=10**5)


def test_whole_photographs(pascal_root):
    dataset = load_pascal_part(
        pascal_root, categories=["dog"], size=(80, 120), crop=None
    )
    np.testing.assert_array_equal(dataset.boxes[0], [20, 10, 80, 70])
    np.testing.assert_array_equal(
        np.argwhere(dataset.part_masks[0, 0]).min(axis=0), [10, 20]
    )
    assert dataset.images[:, 30, 30].min() > 200


def test_masks_are_optional(pascal_root):
    dataset = load_pascal_part(pascal_root, size=8, part_masks=False)
    assert dataset.part_masks is None and len(dataset.landmark_names) == 6


def test_mirror_images(pascal_root):
    options = {"categories": ["dog"], "parts": "original", "size": 60}
    plain = load_pascal_part(pascal_root, **options)
    dataset = load_pascal_part(pascal_root, mirror=True, **options)
    assert dataset.ids.tolist()[2:] == ["2008_a_1_mirrored", "2008_b_1_mirrored"]
    left, right = (
        dataset.part_names.index(f"{side}_ear") for side in ("left", "right")
    )
    # The left ear is at the upper left, the right one below it.
    np.testing.assert_allclose(plain.landmarks[0, left], [2, 2])
    np.testing.assert_allclose(dataset.landmarks[2, right], [58, 2])
    np.testing.assert_array_equal(
        dataset.part_masks[2, right], plain.part_masks[0, left, :, ::-1]
    )


def test_objects_of_one_photograph_stay_on_one_side(pascal_root):
    dataset = load_pascal_part(pascal_root, size=8, smallest_box=1, test_fraction=0.5)
    # b.jpg is a copy of a.jpg.
    assert dataset.groups.tolist() == [0, 0, 0, 2]
    for group in np.unique(dataset.groups):
        assert len(set(dataset.split[dataset.groups == group])) == 1


def test_a_split_does_not_depend_on_the_categories(pascal_root):
    whole = load_pascal_part(pascal_root, size=8, parts="original", test_fraction=0.5)
    for name in ("dog", "car"):
        some = load_pascal_part(
            pascal_root, size=8, parts="original", test_fraction=0.5, categories=[name]
        )
        rows = [whole.ids.tolist().index(i) for i in some.ids]
        assert some.split.tolist() == whole.split[rows].tolist()


def test_the_rule_of_the_authors(pascal_root, write_pascal, write_image):
    for k in range(10):
        path = pascal_root / "Annotations_Part" / f"2009_{k}.mat"
        mask = np.ones((80, 120), bool)
        write_pascal(path, [("sheep", mask, {"torso": mask})])
        images = pascal_root / "VOCdevkit" / "VOC2010" / "JPEGImages"
        write_image(images / f"2009_{k}.jpg", 120, 80, seed=20 + k)
    dataset = load_pascal_part(pascal_root, "authors", categories=["sheep"], size=8)
    assert np.flatnonzero(dataset.split == "test").tolist() == [4]


def test_the_lists_of_voc(pascal_root):
    with pytest.raises(FileNotFoundError, match="Main.train.txt is missing"):
        load_pascal_part(pascal_root, split_by="voc")
    lists = pascal_root / "VOCdevkit" / "VOC2010" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2008_c\n2008_d\n")
    (lists / "val.txt").write_text("2008_a\n")
    dataset = load_pascal_part(pascal_root, split_by="voc", size=8)
    # 2008_b is in neither list.
    assert dict(zip(dataset.ids, dataset.split, strict=True)) == {
        "2008_a_1": "test",
        "2008_c_1": "train",
    }
    (lists / "val.txt").write_bytes(b"2008_a\n\xff\n")
    with pytest.raises(ValueError, match="val.txt, line 2: not UTF-8"):
        load_pascal_part(pascal_root, split_by="voc")


def test_number_of_images_and_negatives(pascal_root, write_image, tmp_path):
    for k in range(4):
        write_image(tmp_path / "neg" / f"{k}.jpg", 30, 30, seed=k)
    dataset = load_pascal_part(
        pascal_root, size=8, max_images_per_category=1, negatives=tmp_path / "neg"
    )
    assert dataset.class_names == ["cow", "dog", "background"]
    assert np.bincount(dataset.labels).tolist() == [1, 1, 4]
    assert not dataset.part_masks[dataset.is_background].any()
    assert dataset.split.tolist()[2:] == ["train"] * 3 + ["test"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": ["dragon"]}, r"no objects of the categories \['dragon'\]"),
        ({"categories": ["car"]}, 'merge parts of .* only: parts="original" takes all'),
        ({"categories": "dog"}, "categories as a list of names"),
        ({"categories": []}, "no objects of the categories"),
        ({"split": "validation"}, 'split as "train"'),
        ({"split_by": "class"}, "split_by as 'photo', 'authors' or 'voc'"),
        ({"parts": "all"}, "parts as 'merged' or 'original'"),
        ({"crop": "square"}, "crop as 'box' or None"),
        ({"test_fraction": 0}, r"test_fraction as a number between 0 and 1"),
        ({"max_images_per_category": 0}, "max_images_per_category as an integer >= 1"),
        ({"size": 0}, "size as a .height, width. pair"),
    ],
)
def test_wrong_arguments(pascal_root, options, message):
    with pytest.raises(ValueError, match=message):
        load_pascal_part(pascal_root, **options)


def test_only_objects_without_merged_parts(pascal_root):
    for name in "abc":
        (pascal_root / "Annotations_Part" / f"2008_{name}.mat").unlink()
    with pytest.raises(ValueError, match='no object of .* parts="original" takes'):
        load_pascal_part(pascal_root)


def test_images_that_are_missing_damaged_or_others(pascal_root):
    images = pascal_root / "VOCdevkit" / "VOC2010" / "JPEGImages"
    path = images / "2008_c.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:-500])
    with pytest.raises(ValueError, match="2008_c.jpg is damaged"):
        load_pascal_part(pascal_root)
    Image.new("RGB", (80, 120)).save(path)
    with pytest.raises(
        ValueError, match=r"2008_c.jpg is 80x120 .*2008_c.mat are \(120,"
    ):
        load_pascal_part(pascal_root)
    path.unlink()
    with pytest.raises(ValueError, match="1 annotated images are missing.*2008_c.jpg"):
        load_pascal_part(pascal_root)
    assert len(load_pascal_part(pascal_root, categories=["dog"], size=8)) == 2
    shutil.rmtree(images)
    with pytest.raises(FileNotFoundError, match=r"no image 2008_a.jpg of .*JPEGImages"):
        load_pascal_part(pascal_root)


@pytest.mark.parametrize("folder", ["JPEGImages", "VOC2010/JPEGImages", "."])
def test_other_places_of_the_images(pascal_root, folder):
    source = pascal_root / "VOCdevkit" / "VOC2010" / "JPEGImages"
    (pascal_root / folder).mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        path.rename(pascal_root / folder / path.name)
    assert len(open_pascal_part(pascal_root)) == 3


def test_real_pairs(real_data):
    """The masks of all 22 images fit, and parts lie on their objects."""
    root = real_data / "pascal_part"
    images = open_pascal_part(root, parts="original", smallest_box=0)
    assert len(np.unique(images.groups)) == 22 and len(images) == 62
    assert {i.rpartition("_")[0] for i in images.ids} == {
        path.stem for path in root.glob("*.mat")
    }
    for row in range(0, len(images), 4):
        example = images.example(row)
        height, width = example["images"].shape[:2]
        assert example["part_masks"].shape[1:] == (height, width)
        points = example["landmarks"]
        seen = np.isfinite(points[:, 0])
        assert (seen <= example["part_masks"].any(axis=(1, 2))).all()
        np.testing.assert_array_equal(example["boxes"], [0, 0, width, height])


def test_real_animals(real_data):
    dataset = load_pascal_part(real_data / "pascal_part", size=112)
    assert dataset.class_names == ["bird", "cat", "cow", "dog", "horse"]
    assert np.bincount(dataset.labels).tolist() == [3, 3, 1, 7, 2]
    torso = dataset.part_masks[:, 1].mean(axis=(1, 2))
    assert (torso > 0.03).all() and (torso < 0.9).all()
    # In the first image a horse looks to the left: head, then neck, then torso.
    x = dataset.landmarks[0, :3, 0]
    assert x[0] < x[1] < x[2]
