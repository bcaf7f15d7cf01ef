"""The reader of ILSVRC 2013 DET Animal-Part."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from keras_interp.datasets import load_animal_part, open_animal_part
from keras_interp.datasets.readers._splits import split_as_authors
from keras_interp.datasets.readers.animal_part import (
    CATEGORIES,
    read_animal_annotations,
)

DOG, CAT, BIRD = "n02084071", "n02121808", "n01503061"
BOX = (11, 21, 90, 80)  # 80 x 60 pixels from (10, 20) on
CENTER = [[112.5, 56.5]]  # row, column: half the height, a quarter of the width
SCALE = [[112, 56]]


@pytest.fixture
def animal_root(
    tmp_path, write_image, write_truth_7_3, write_truth_5, write_object_boxes
) -> Path:
    """Six dogs on four photographs, two cats, four negatives; the landmark is bright.

    Dog 3 has two heads, dog 4 no head, dog 5 is too small, dog 6 has no image.
    """
    root = tmp_path / "animal_part"
    images = root / f"{DOG}_obj" / "img" / "img"
    for number, seed in enumerate([1, 1, 2, 3, 4], start=1):
        path = images / f"{number:05d}.jpg"
        write_image(path, 120, 100, dot=(30, 50), seed=seed)
    boxes = [BOX, BOX, BOX, BOX, (11, 21, 40, 60), BOX]
    write_object_boxes(root / f"{DOG}_obj" / "img" / "data.mat", boxes)
    one, two = (CENTER, SCALE, BOX), (CENTER * 2, SCALE * 2, BOX)
    truth = root / "annotations"
    write_truth_7_3(truth / DOG / "truth_part01.mat", [one, one, two, None, one, one])
    write_truth_7_3(
        truth / DOG / "truth_part02.mat", [None, one, one, None, None, None]
    )
    images = root / f"{CAT}_obj" / "img" / "img"
    for number in (1, 2):
        write_image(images / f"{number:05d}.jpg", 120, 100, seed=10 + number)
    write_object_boxes(root / f"{CAT}_obj" / "img" / "data.mat", [BOX, BOX])
    write_truth_5(truth / CAT / "truth_part01.mat", [one, None])
    write_truth_7_3(truth / CAT / "truth_part02.mat", [None, None])
    for number in range(1, 5):
        path = root / "neg" / f"{number:05d}.JPEG"
        write_image(path, 50, 40, mode="L" if number == 2 else "RGB", seed=20 + number)
    return root


def test_crops_and_landmarks(animal_root):
    dataset = load_animal_part(animal_root, size=(60, 80), negatives=False)
    assert dataset.class_names == ["dog", "cat"]  # in the order of the benchmark
    assert dataset.landmark_names == ["head", "front_legs"]
    assert dataset.ids.tolist() == [
        f"{DOG}/{number:05d}" for number in (1, 2, 3, 4)
    ] + [f"{CAT}/00001", f"{CAT}/00002"]
    assert dataset.labels.tolist() == [0, 0, 0, 0, 1, 1]
    # u = (column - 0.5) / 224 = 1/4 and v = (row - 0.5) / 224 = 1/2 of the crop
    expected = np.full((6, 2, 2), np.nan)
    expected[[0, 1, 4], 0] = expected[[1, 2], 1] = [20, 30]
    np.testing.assert_allclose(dataset.landmarks, expected)
    np.testing.assert_array_equal(dataset.boxes, [[0, 0, 80, 60]] * 6)
    # The crop is 80x60 from (10, 20): the dot at (30, 50) is at (20, 30).
    assert dataset.images[:4, 30, 20].min() > 200 and dataset.images[:, 5, 5].max() < 80


def test_several_boxes_of_a_part_are_dropped_unless_asked_for(animal_root):
    options = {"categories": ["dog"], "size": 32, "negatives": False}
    dropped = load_animal_part(animal_root, **options)
    first = load_animal_part(animal_root, multiple_boxes="first", **options)
    assert np.isnan(dropped.landmarks[2, 0]).all()
    np.testing.assert_allclose(first.landmarks[2, 0], [8, 16])


def test_part_masks_are_the_part_boxes(animal_root):
    dataset = load_animal_part(animal_root, size=32, part_masks=True)
    expected = np.zeros((32, 32), bool)
    expected[8:24, 4:12] = True
    np.testing.assert_array_equal(dataset.part_masks[0, 0], expected)
    assert not dataset.part_masks[0, 1].any()  # no legs
    assert not dataset.part_masks[2, 0].any()  # two heads: dropped
    assert not dataset.part_masks[dataset.is_background].any()
    assert dataset.part_names == ["head", "front_legs"]


def test_crops_of_one_photograph_share_a_group_and_a_side(animal_root):
    dataset = load_animal_part(animal_root, size=16, test_fraction=0.5)
    assert dataset.groups[0] == dataset.groups[1]
    assert len(np.unique(dataset.groups)) == len(dataset) - 1
    # Photographs 1, 2, 3 of the dogs, 1, 2 of the cats, four negatives.
    assert dataset.split.tolist() == (
        ["train", "train", "test", "train"] + ["train", "test"] * 3
    )


def test_the_split_of_the_authors_counts_what_is_left_out(animal_root):
    dataset = load_animal_part(animal_root, size=16, split_by="authors")
    # Dogs: round(linspace(1, 6, 5)) = 1 2 4 5 6 (3.5 becomes 4); object 3 is "test".
    assert dataset.split.tolist()[:4] == ["train", "train", "test", "train"]


def test_groups_do_not_depend_on_what_is_chosen(animal_root):
    whole = load_animal_part(animal_root, size=8)
    assert whole.groups.tolist()[:4] == [208407100001] * 2 + [
        208407100003,
        208407100004,
    ]
    cats = load_animal_part(animal_root, categories=["cat"], size=8, negatives=False)
    assert cats.groups.tolist() == whole.groups[4:6].tolist()
    assert whole.groups[6:].min() > whole.groups[:6].max()


def test_authors_is_short_for_both_sides_of_their_split(animal_root):
    dataset = load_animal_part(animal_root, "authors", size=16)
    other = load_animal_part(animal_root, size=16, split_by="authors")
    np.testing.assert_array_equal(dataset.split, other.split)
    # Only the third of six dogs; nine tenths of two cats or four negatives are all.
    assert dataset.split.tolist() == ["train"] * 2 + ["test"] + ["train"] * 7


def test_whole_photographs(animal_root):
    dataset = load_animal_part(
        animal_root, size=(100, 120), crop=None, negatives=False, part_masks=True
    )
    np.testing.assert_allclose(dataset.boxes, [[10, 20, 90, 80]] * 6)
    np.testing.assert_allclose(dataset.landmarks[0, 0], [30, 50])
    # The part is half of the box high, and a quarter of it wide.
    rows, columns = np.nonzero(dataset.part_masks[0, 0])
    assert (rows.min(), rows.max() + 1) == (35, 65)
    assert (columns.min(), columns.max() + 1) == (20, 40)
    assert dataset.images[:4, 50, 30].min() > 200


def test_mirror_images_of_objects_alone(animal_root):
    dataset = load_animal_part(animal_root, size=(60, 80), mirror=True, part_masks=True)
    plain = load_animal_part(animal_root, size=(60, 80), part_masks=True)
    assert len(plain) == 10 and len(dataset) == 16
    assert dataset.ids[10] == f"{DOG}/00001_mirrored"
    np.testing.assert_allclose(dataset.landmarks[10, 0], [60, 30])
    np.testing.assert_array_equal(
        dataset.part_masks[10:], plain.part_masks[:6, ..., ::-1]
    )
    np.testing.assert_array_equal(dataset.images[10:], plain.images[:6, :, ::-1])
    np.testing.assert_array_equal(dataset.groups[10:], plain.groups[:6])


def test_taking_one_split_keeps_the_labels(animal_root):
    options = {"size": 16, "test_fraction": 0.5}
    whole = load_animal_part(animal_root, **options)
    test = load_animal_part(animal_root, "test", **options)
    assert test.ids.tolist() == whole.take_split("test").ids.tolist()
    assert test.class_names == whole.class_names
    np.testing.assert_array_equal(test.images, whole.take_split("test").images)


def test_negatives(animal_root):
    dataset = load_animal_part(animal_root, categories=[CAT], size=16)
    assert dataset.class_names == ["cat", "background"]
    assert dataset.ids.tolist()[2:] == [f"neg/{k:05d}" for k in range(1, 5)]
    assert np.isnan(dataset.landmarks[2:]).all() and np.isnan(dataset.boxes[2:]).all()
    two = load_animal_part(animal_root, categories=["cat"], size=16, negatives=2)
    assert len(two) == 4
    none = load_animal_part(animal_root, categories=["cat"], size=16, negatives=False)
    assert none.class_names == ["cat"]


def test_number_of_images(animal_root):
    options = {"max_images_per_category": 1, "size": 16, "negatives": 1}
    dataset = load_animal_part(animal_root, **options)
    assert dataset.labels.tolist() == [0, 1, 2]


def test_bird_takes_its_boxes_from_the_part_files(
    tmp_path, write_image, write_truth_7_3
):
    """Some copies lack the `data.mat` of the birds; their boxes are not clipped."""
    for number in (1, 2, 3):
        path = tmp_path / f"{BIRD}_obj" / "img" / "img" / f"{number:05d}.jpg"
        write_image(path, 100, 90, dot=(50, 45), seed=number)
    part = (CENTER, SCALE, (0, 1, 100, 200))
    folder = tmp_path / "annotations" / BIRD
    write_truth_7_3(folder / "truth_part01.mat", [part, None, None])
    write_truth_7_3(folder / "truth_part02.mat", [None, None, part])
    dataset = load_animal_part(tmp_path, size=(90, 100), negatives=False)
    assert dataset.ids.tolist() == [f"{BIRD}/00001", f"{BIRD}/00003"]
    # Clipped to the image, nothing is cut off: the dot stays at (50, 45).
    assert dataset.images[:, 45, 50].min() > 200


def test_goldfish_has_no_legs(
    tmp_path, write_image, write_truth_7_3, write_object_boxes
):
    wnid = CATEGORIES["goldfish"]
    folder = tmp_path / f"{wnid}_obj" / "img"
    write_image(folder / "img" / "00001.jpg", 100, 90)
    write_object_boxes(folder / "data.mat", [BOX])
    path = tmp_path / "annotations" / wnid / "truth_part01.mat"
    write_truth_7_3(path, [(CENTER, SCALE, BOX)])
    dataset = load_animal_part(tmp_path, size=16, negatives=False)
    assert dataset.landmark_names == ["head"]
    assert np.isfinite(dataset.landmarks).all()
    masked = load_animal_part(tmp_path, size=16, negatives=False, part_masks=True)
    assert masked.part_names == ["head"] and masked.part_masks.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": ["dragon"]}, r"no categories \['dragon'\]; it has \['dog'"),
        ({"categories": ["zebra"]}, r"no categories \['zebra'\]"),
        ({"categories": "dog"}, "categories as a list of names"),
        ({"categories": []}, "no categories"),
        ({"split": "validation"}, 'split as "train", "test" or None'),
        ({"split_by": "class"}, "split_by as 'photo' or 'authors'"),
        ({"multiple_boxes": "all"}, "multiple_boxes as 'drop' or 'first'"),
        ({"test_fraction": 1}, r"test_fraction as a number between 0 and 1"),
        ({"max_images_per_category": 0}, "max_images_per_category as an integer >= 1"),
        ({"size": -3}, "size as a .height, width. pair"),
        ({"crop": "square"}, "crop as 'box' or None"),
    ],
)
def test_wrong_arguments(animal_root, options, message):
    with pytest.raises(ValueError, match=message):
        load_animal_part(animal_root, **options)


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        (f"{DOG}_obj/img/data.mat", "detanimalpart"),
        (f"annotations/{DOG}/truth_part01.mat", "interpretableCNN"),
        (f"annotations/{DOG}/truth_part02.mat", "interpretableCNN"),
    ],
)
def test_missing_and_damaged_annotations_are_named(animal_root, name, origin):
    path = animal_root / name
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{path.name} is missing.*{origin}"):
        load_animal_part(animal_root)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{path.name} is damaged.*{origin}"):
        load_animal_part(animal_root)


@pytest.mark.parametrize("name", ["truth_part01.mat", "data.mat"])
def test_a_mat_of_another_kind_is_named(animal_root, name):
    """MATLAB v4 has no structs, and v5 files of something else have other variables."""
    path = next(animal_root.glob(f"**/{name}"))
    for version in ("4", "5"):
        scipy.io.savemat(path, {"other": np.eye(3)}, format=version)
        with pytest.raises(ValueError, match=f"{name} is damaged.*KeyError"):
            load_animal_part(animal_root)


def test_files_of_different_versions(animal_root, write_object_boxes):
    write_object_boxes(animal_root / f"{DOG}_obj" / "img" / "data.mat", [BOX] * 7)
    with pytest.raises(ValueError, match=r"different numbers of objects: \[7, 6, 6\]"):
        load_animal_part(animal_root)


def test_missing_images(animal_root):
    shutil.rmtree(animal_root / "neg")
    with pytest.raises(FileNotFoundError, match="neg is missing.*negatives=False"):
        load_animal_part(animal_root)
    (animal_root / "neg").mkdir()
    with pytest.raises(ValueError, match="neg holds no images"):
        load_animal_part(animal_root)
    shutil.rmtree(animal_root / f"{CAT}_obj" / "img" / "img")
    with pytest.raises(
        FileNotFoundError, match="none of the images 00001.jpg to 00002"
    ):
        load_animal_part(animal_root, negatives=False)


def test_a_truncated_image(animal_root):
    path = animal_root / f"{DOG}_obj" / "img" / "img" / "00002.jpg"
    path.write_bytes(path.read_bytes()[:-800])
    with pytest.raises(ValueError, match="00002.jpg is damaged"):
        load_animal_part(animal_root)


def test_missing_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder; get https"):
        load_animal_part(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="holds no folder <wnid>_obj"):
        load_animal_part(tmp_path)


@pytest.mark.parametrize(
    ("category", "head", "legs", "both", "multiple", "in_test"),
    # The benchmark's table of counts: objects with exactly one head box, ...
    [
        ("bird", 201, 162, 127, 0, 24),
        ("dog", 206, 134, 116, 7, 69),
        ("cat", 192, 130, 99, 1, 53),
        ("horse", 180, 124, 99, 14, 75),
        ("cattle", 177, 112, 96, 11, 23),
        ("sheep", 159, 95, 86, 4, 22),
    ],
)
def test_real_annotations(real_data, category, head, legs, both, multiple, in_test):
    wnid = CATEGORIES[category]
    annotations = read_animal_annotations(real_data / "animal_part", wnid)
    one = annotations.box_counts == 1
    assert one.sum(axis=0).tolist() == [head, legs]
    assert one.all(axis=1).sum() == both
    assert (annotations.box_counts > 1).any(axis=1).sum() == multiple
    boxed = np.isfinite(annotations.boxes).all(axis=1)
    assert (split_as_authors(boxed.sum()) == "test").sum() == in_test
    assert boxed.sum() == (236 if category == "bird" else len(boxed))
    centers = annotations.centers[one]
    assert centers.min() > 0 and centers.max() < 1


def test_photographs_on_both_sides_of_the_authors_split(real_data):
    """The benchmark's column "leak" of cattle: 14 objects of 23 in the test."""
    options = {"categories": ["cattle"], "negatives": False}
    images = open_animal_part(real_data / "animal_part", "authors", **options)
    test = images.split == "test"
    leaking = np.isin(images.groups[test], images.groups[~test])
    assert leaking.sum() == 14 and test.sum() == 23
    images = open_animal_part(real_data / "animal_part", **options)
    test = images.split == "test"
    assert not np.isin(images.groups[test], images.groups[~test]).any()
    assert len(np.unique(images.groups)) == 175  # column "photos"


def test_real_crops(real_data):
    dataset = load_animal_part(
        real_data / "animal_part",
        categories=["cattle", "bird"],
        size=64,
        max_images_per_category=40,
        negatives=10,
    )
    assert dataset.class_names == ["cattle", "bird", "background"]
    assert np.bincount(dataset.labels).tolist() == [40, 40, 10]
    assert len(np.unique(dataset.groups)) < 90  # photographs with several cattle
    for group in np.unique(dataset.groups):
        assert len(set(dataset.split[dataset.groups == group])) == 1
    visible = dataset.landmarks[~np.isnan(dataset.landmarks)]
    assert visible.min() >= 0 and visible.max() <= 64
    assert len(np.unique(dataset.images.reshape(90, -1), axis=0)) == 90
