"""The table of the parts of PASCAL-Part, and the merges of the papers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from keras_interp.datasets.mirror_images import mirror_order
from keras_interp.datasets.readers._pascal_part_names import (
    MERGED_LANDMARKS,
    MERGED_NAMES,
    MERGED_PARTS,
    PARTS,
    named_parts,
    part_code,
)
from keras_interp.datasets.readers.pascal_part_annotations import (
    PartPixels,
    centre_of,
    find_annotation_files,
    read_pascal_image,
    read_pascal_part_annotations,
    unite,
)

# The indices that the authors of the interpretable CNN merge, from their released code,
# in the numbering of the published annotations: muzzle of dogs 20, hooves from 30 on.
AUTHORS = {
    "bird": [range(1, 5), range(5, 9), range(9, 13), [13]],
    "cat": [range(1, 7), [7, 8], range(9, 13), range(13, 17), [17]],
    "cow": [range(1, 9), [9, 10], range(11, 15), range(15, 19)],
    "dog": [[*range(1, 7), 20], [7, 8], range(9, 13), range(13, 17), [17]],
    "horse": [range(1, 7), [9, 10], [*range(11, 15), 30, 31], [*range(15, 19), 32, 33]],
    "sheep": [range(1, 9), [9, 10], range(11, 15), range(15, 19)],
}


def indices(category: str) -> dict[str, int]:
    """The published number of each part of an animal."""
    codes = list(PARTS["cow" if category == "horse" else category])
    numbers = {code: number for number, code in enumerate(codes, start=1)}
    special = {"dog": {"muzzle": 20}}.get(category, {})
    if category == "horse":
        special = {"lfho": 30, "rfho": 31, "lbho": 32, "rbho": 33}
    return numbers | special


@pytest.mark.parametrize("category", list(AUTHORS))
def test_merges_are_those_of_the_authors(category):
    number = indices(category)
    merged = [
        sorted(number[code] for code in codes)
        for codes in MERGED_PARTS[category].values()
    ]
    assert merged == [list(numbers) for numbers in AUTHORS[category]]


def test_merged_parts_have_names_and_codes_that_exist():
    assert list(MERGED_PARTS) == ["bird", "cat", "cow", "dog", "horse", "sheep"]
    for category, merged in MERGED_PARTS.items():
        assert list(merged) == [name for name in MERGED_NAMES if name in merged]
        codes = [code for some in merged.values() for code in some]
        assert set(codes) <= set(PARTS[category]) and len(set(codes)) == len(codes)
    assert set(MERGED_NAMES) | {"neck"} == set(MERGED_LANDMARKS)


def test_there_are_twenty_classes_in_the_order_of_voc():
    assert len(PARTS) == 20 and list(PARTS) == sorted(PARTS)
    assert [name for name, parts in PARTS.items() if not parts] == [
        "boat",
        "chair",
        "diningtable",
        "sofa",
    ]
    # "107 object landmarks in six animal categories", say the papers.
    assert sum(len(PARTS[name]) for name in MERGED_PARTS) == 107


@pytest.mark.parametrize("category", list(PARTS))
def test_left_and_right_come_in_pairs(category):
    names = list(named_parts(category))
    order = mirror_order(names)
    for row, name in enumerate(names):
        assert (order[row] != row) == ("left" in name or "right" in name)


def test_numbered_parts_have_one_code():
    assert part_code("car", "wheel_1") == part_code("car", "wheel_12") == "wheel_"
    assert part_code("train", "cleftside_3") == "cleftside_"
    assert part_code("dog", "lfpa") == "lfpa"
    for category, name in [("dog", "lhorn"), ("dog", "wheel_1"), ("car", "wheel_x")]:
        with pytest.raises(
            ValueError, match=f"{category} has no part '{name}'; it has"
        ):
            part_code(category, name)


def test_objects_boxes_and_parts(pascal_root):
    images = list(read_pascal_part_annotations(pascal_root))
    assert [image.name for image in images] == [f"2008_{k}" for k in "abcd"]
    assert images[0].size == (120, 80)
    dog, small = images[0].objects
    assert dog.category == "dog" and dog.box.tolist() == [20, 10, 80, 70]
    assert small.box.tolist() == [90, 10, 110, 30]
    head = dog.parts[0]
    assert (head.code, head.x, head.y, head.mask.shape) == ("head", 20, 10, (30, 20))
    assert head.mask.all()
    car, table = images[3].objects
    assert [part.code for part in car.parts] == ["wheel_", "wheel_", "door_"]
    assert table.category == "diningtable" and table.parts == []


def test_empty_masks(tmp_path, write_pascal):
    empty = np.zeros((5, 6), bool)
    objects = [("dog", empty, {"head": empty, "torso": ~empty})]
    image = read_pascal_image(write_pascal(tmp_path / "x.mat", objects))
    assert np.isnan(image.objects[0].box).all()
    assert [part.code for part in image.objects[0].parts] == ["torso"]


def test_a_file_that_changes_is_read_again(tmp_path, write_pascal):
    mask = np.ones((5, 6), bool)
    path = write_pascal(tmp_path / "x.mat", [("dog", mask, {})])
    assert read_pascal_image(path).objects[0].category == "dog"
    write_pascal(path, [("horse", mask, {})] * 2)
    assert [o.category for o in read_pascal_image(path).objects] == ["horse"] * 2


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
        read_pascal_image(path)
    scipy.io.savemat(path, {"anno": np.eye(2)}, format="4")
    with pytest.raises(ValueError, match=r"2008_b.mat is damaged or has another"):
        read_pascal_image(path)


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
        read_pascal_image(path)


def test_a_file_under_the_name_of_another(tmp_path, write_pascal):
    path = write_pascal(tmp_path / "x.mat", [], imname="2008_000008")
    with pytest.raises(ValueError, match=r"x.mat describes another image, '2008_0000"):
        read_pascal_image(path)


def test_masks_of_different_sizes(tmp_path, write_pascal):
    objects = [("dog", np.ones(size, bool), {}) for size in ((5, 6), (6, 5))]
    path = write_pascal(tmp_path / "x.mat", objects)
    with pytest.raises(
        ValueError, match=r"x.mat is damaged.*masks have different size"
    ):
        read_pascal_image(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="x.mat is missing; it comes from"):
        read_pascal_image(tmp_path / "x.mat")
