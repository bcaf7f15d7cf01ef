"""The MATLAB files of PASCAL-Part, and damaged ones."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from keras_interp.datasets.pascal_part_annotations import (
    PartPixels,
    centre_of,
    find_annotation_files,
    read_pascal_part_annotations,
    read_pascal_picture,
    unite,
)


def test_objects_boxes_and_parts(pascal_root):
    pictures = list(read_pascal_part_annotations(pascal_root))
    assert [picture.name for picture in pictures] == [f"2008_{k}" for k in "abcd"]
    assert pictures[0].size == (120, 80)
    dog, small = pictures[0].objects
    assert dog.category == "dog" and dog.box.tolist() == [20, 10, 80, 70]
    assert small.box.tolist() == [90, 10, 110, 30]
    head = dog.parts[0]
    assert (head.code, head.x, head.y, head.mask.shape) == ("head", 20, 10, (30, 20))
    assert head.mask.all()
    car, table = pictures[3].objects
    assert [part.code for part in car.parts] == ["wheel_", "wheel_", "door_"]
    assert table.category == "diningtable" and table.parts == []


def test_empty_masks(tmp_path, write_pascal):
    empty = np.zeros((5, 6), bool)
    objects = [("dog", empty, {"head": empty, "torso": ~empty})]
    picture = read_pascal_picture(write_pascal(tmp_path / "x.mat", objects))
    assert np.isnan(picture.objects[0].box).all()
    assert [part.code for part in picture.objects[0].parts] == ["torso"]


def test_a_file_that_changes_is_read_again(tmp_path, write_pascal):
    mask = np.ones((5, 6), bool)
    path = write_pascal(tmp_path / "x.mat", [("dog", mask, {})])
    assert read_pascal_picture(path).objects[0].category == "dog"
    write_pascal(path, [("horse", mask, {})] * 2)
    assert [o.category for o in read_pascal_picture(path).objects] == ["horse"] * 2


def test_parts_as_one():
    corner = PartPixels("a", 2, 3, np.ones((2, 2), bool))
    dot = PartPixels("b", 6, 4, np.ones((1, 1), bool))
    both = unite([corner, dot])
    assert (both.x, both.y) == (2, 3)
    assert both.mask.tolist() == [
        [True, True, False, False, False],
        [True, True, False, False, True],
    ]
    assert centre_of(both) == (pytest.approx(3.7), pytest.approx(4.1))
    assert unite([]) is None and np.isnan(centre_of(None)).all()


def test_where_files_are_looked_for(pascal_root, tmp_path):
    folder = pascal_root / "Annotations_Part"
    assert len(find_annotation_files(pascal_root)) == 4
    assert find_annotation_files(folder) == find_annotation_files(pascal_root)
    (pascal_root / "trainval").mkdir()
    moved = folder.rename(pascal_root / "trainval" / "Annotations_Part")
    assert find_annotation_files(pascal_root)[0].parent == moved
    with pytest.raises(
        FileNotFoundError, match=r"holds no Annotations_Part/\*.mat and"
    ):
        find_annotation_files(tmp_path / "absent")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9])
def test_truncated_files_are_named(pascal_root, share):
    path = pascal_root / "Annotations_Part" / "2008_c.mat"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"2008_c.mat is damaged.*trainval.tar.gz"):
        list(read_pascal_part_annotations(pascal_root))


def test_another_version_of_matlab_is_named(pascal_root):
    path = pascal_root / "Annotations_Part" / "2008_b.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["anno"] = [1]
    # The header of a MATLAB v7.3 file.
    header = b"MATLAB 7.3 MAT-file".ljust(124) + (0x0200).to_bytes(2, "little") + b"IM"
    with path.open("r+b") as file:
        file.write(header)
    with pytest.raises(
        ValueError, match=r"2008_b.mat is of MATLAB v7.3; the published"
    ):
        read_pascal_picture(path)
    scipy.io.savemat(path, {"anno": np.eye(2)}, format="4")
    with pytest.raises(ValueError, match=r"2008_b.mat is damaged or has another"):
        read_pascal_picture(path)


@pytest.mark.parametrize(
    ("category", "part", "shape", "message"),
    [
        ("dragon", "head", (5, 6), "unknown class 'dragon'"),
        ("dog", "lhorn", (5, 6), "dog has no part 'lhorn'"),
        ("dog", "head", (6, 5), r"mask of head is \(6, 5\) and that of its object"),
    ],
)
def test_other_contents_are_named(
    tmp_path, write_pascal, category, part, shape, message
):
    objects = [(category, np.ones((5, 6), bool), {part: np.ones(shape, bool)})]
    path = write_pascal(tmp_path / "x.mat", objects)
    with pytest.raises(ValueError, match=f"x.mat is damaged or has another.*{message}"):
        read_pascal_picture(path)


def test_a_file_under_the_name_of_another(tmp_path, write_pascal):
    path = write_pascal(tmp_path / "x.mat", [], imname="2008_000008")
    with pytest.raises(
        ValueError, match=r"x.mat describes another picture, '2008_0000"
    ):
        read_pascal_picture(path)


def test_masks_of_different_sizes(tmp_path, write_pascal):
    objects = [("dog", np.ones(size, bool), {}) for size in ((5, 6), (6, 5))]
    path = write_pascal(tmp_path / "x.mat", objects)
    with pytest.raises(
        ValueError, match=r"x.mat is damaged.*masks have different size"
    ):
        read_pascal_picture(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="x.mat is missing; it comes from"):
        read_pascal_picture(tmp_path / "x.mat")
