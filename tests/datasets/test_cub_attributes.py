"""The attributes of CUB-200-2011, which come with the archive in two places."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.datasets.cub_annotations import read_cub_annotations

NAMES = "1 has_bill_shape::curved_(up_or_down)\n2 has_wing_color::blue\n"
# Image 12 comes first, 99 is not in images.txt, the last line has two more columns.
LABELS = """12 1 1 4 2.5
12 2 0 3 1.0
10 1 0 1 7.25
99 1 1 4 1.0
11 2 1 2 1.0
10 2 1 3 0 1.509 4
"""


@pytest.fixture
def with_attributes(cub_root):
    (cub_root / "attributes").mkdir()
    (cub_root / "attributes" / "image_attribute_labels.txt").write_text(LABELS)
    (cub_root.parent / "attributes.txt").write_text(NAMES)
    return cub_root


def test_attributes_and_certainties(with_attributes):
    attributes = read_cub_annotations(with_attributes, attributes=True).attributes
    assert attributes.names == [
        "has_bill_shape::curved_(up_or_down)",
        "has_wing_color::blue",
    ]
    # Rows in the order of images.txt: 10, 11, 12.
    assert attributes.present.tolist() == [[False, True], [False, True], [True, False]]
    assert attributes.certainties.tolist() == [[1, 3], [0, 2], [4, 3]]
    assert attributes.certainties.dtype == np.uint8


def test_they_are_optional_and_read_on_request(with_attributes):
    assert read_cub_annotations(with_attributes).attributes is None
    (with_attributes / "attributes" / "image_attribute_labels.txt").unlink()
    assert read_cub_annotations(with_attributes, attributes=True).attributes is None


@pytest.mark.parametrize("place", ["attributes", "."])
def test_their_names_may_be_in_the_folder(with_attributes, place):
    source = with_attributes.parent / "attributes.txt"
    source.rename(with_attributes / place / "attributes.txt")
    attributes = read_cub_annotations(with_attributes, attributes=True).attributes
    assert len(attributes.names) == 2


def test_names_that_are_missing(with_attributes):
    (with_attributes.parent / "attributes.txt").unlink()
    with pytest.raises(FileNotFoundError, match="attributes.txt is missing"):
        read_cub_annotations(with_attributes, attributes=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"12 2 0 3 1.0", b"12 2 0", "line 2: expected 4 columns .*certainty.*got 3"),
        (b"10 1 0", b"10 one 0", "line 3: invalid literal"),
        (b"10 1 0", b"10 \xff 0", "line 3: not UTF-8"),
        (b"10 1 0", b"10 5 0", "attribute id 5 is not in attributes.txt"),
        (b"10 1 0", b"10 1 2", "the third column, is present, must be 0 or 1"),
        (b"10 1 0 1", b"10 1 0 5", "the fourth column, certainty, must be 0 to 4"),
    ],
)
def test_damaged_lines_are_named(with_attributes, old, new, message):
    path = with_attributes / "attributes" / "image_attribute_labels.txt"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match=f"image_attribute_labels.txt.*{message}"):
        read_cub_annotations(with_attributes, attributes=True)


def test_an_empty_file_says_nothing_about_any_picture(with_attributes):
    (with_attributes / "attributes" / "image_attribute_labels.txt").write_text("")
    attributes = read_cub_annotations(with_attributes, attributes=True).attributes
    assert not attributes.certainties.any()
