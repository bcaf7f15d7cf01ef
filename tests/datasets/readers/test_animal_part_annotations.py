"""MATLAB files of version 5 and 7.3, and damaged ones."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from keras_interp.datasets.readers.animal_part_annotations import (
    read_object_boxes,
    read_part_truth,
)

PARTS = [
    ([[10.5, 20]], [[30, 40]], (1, 2, 50, 60)),
    None,
    ([[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]], (0, 0, 9, 9)),
    ([[100, 7]], [[5, 6]], (3, 4, 5, 6)),
]


@pytest.mark.parametrize("version", ["write_truth_7_3", "write_truth_5"])
def test_both_versions_read_the_same(request, tmp_path, version):
    path = request.getfixturevalue(version)(tmp_path / "truth_part01.mat", PARTS)
    truth = read_part_truth(path, "the archive")
    nan = np.nan
    # (row; column) became (x, y), (height; width) became (width, height).
    np.testing.assert_array_equal(
        truth.centers, [[20, 10.5], [nan, nan], [2, 1], [7, 100]]
    )
    np.testing.assert_array_equal(truth.scales, [[40, 30], [nan, nan], [8, 7], [6, 5]])
    assert truth.box_counts.tolist() == [1, 0, 3, 1]
    np.testing.assert_array_equal(
        truth.object_boxes, [[1, 2, 50, 60], [nan] * 4, [0, 0, 9, 9], [3, 4, 5, 6]]
    )


@pytest.mark.parametrize("version", ["write_truth_7_3", "write_truth_5"])
def test_no_object_has_the_part(request, tmp_path, version):
    path = request.getfixturevalue(version)(tmp_path / "truth.mat", [None, None])
    truth = read_part_truth(path, "the archive")
    assert np.isnan(truth.centers).all() and truth.box_counts.tolist() == [0, 0]


def test_object_boxes(tmp_path, write_object_boxes):
    path = write_object_boxes(tmp_path / "data.mat", [[1, 2, 3, 4], [5, 6, 7, 8]])
    boxes = read_object_boxes(path, "the archive")
    np.testing.assert_array_equal(boxes, [[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize("version", ["write_truth_7_3", "write_truth_5"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_named(request, tmp_path, version, share):
    path = request.getfixturevalue(version)(tmp_path / "truth.mat", PARTS)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"truth.mat is damaged.*from the archive"):
        read_part_truth(path, "the archive")


@pytest.mark.parametrize("content", [b"", b"no MATLAB file at all", b"\0" * 600])
def test_other_files_are_named(tmp_path, content):
    path = tmp_path / "truth.mat"
    path.write_bytes(content)
    for read in (read_part_truth, read_object_boxes):
        with pytest.raises(ValueError, match="truth.mat is damaged or has another"):
            read(path, "the archive")


def test_another_structure_is_named(tmp_path):
    path = tmp_path / "truth.mat"
    with h5py.File(path, "w") as file:
        file["something"] = [1, 2]
    with pytest.raises(ValueError, match=r"truth.mat is damaged.*KeyError"):
        read_part_truth(path, "the archive")


def test_missing_file_says_where_it_comes_from(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="data.mat is missing; it comes from the"
    ):
        read_object_boxes(tmp_path / "data.mat", "the archive")
