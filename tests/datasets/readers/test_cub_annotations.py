"""The attributes of CUB-200-2011, which come with the archive in two places."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from keras_interp.datasets import load_cub
from keras_interp.datasets.readers.cub_annotations import (
    find_captions_folder,
    read_cub_annotations,
    read_cub_captions,
    read_sentences,
)

NAMES = "1 has_bill_shape::curved_(up_or_down)\n2 has_wing_color::blue\n"
# Image 12 comes first, 99 is not in images.txt, the last line has two more columns.
LABELS = """12 1 1 4 2.5
12 2 0 3 1.0
10 1 0 1 7.25
99 1 1 4 1.0
11 1 0 1 1.0
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
    assert attributes.certainties.tolist() == [[1, 3], [1, 2], [4, 3]]
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
        (b"10 1 0", b"10 one 0", "line 3: expected a whole number"),
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


@pytest.mark.parametrize("lines", [0, 1, 5])
def test_a_file_of_attributes_that_was_cut_off_is_named(with_attributes, lines):
    path = with_attributes / "attributes" / "image_attribute_labels.txt"
    path.write_text("".join(LABELS.splitlines(keepends=True)[:lines]))
    with pytest.raises(
        ValueError,
        match=r"every image and attribute in .*labels.txt. Received: \d of 6, .*cut",
    ):
        read_cub_annotations(with_attributes, attributes=True)


@pytest.mark.parametrize("lines", [0, 1, 5])
def test_a_file_of_parts_that_was_cut_off_is_named(cub_root, lines):
    path = cub_root / "parts" / "part_locs.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    first = ["image 10 and part 1", "image 10 and part 2", "image 12 and part 2"]
    with pytest.raises(ValueError, match="part_locs.txt") as caught:
        read_cub_annotations(cub_root)
    assert f"Received: {lines} of 6" in str(caught.value)
    assert first[{0: 0, 1: 1, 5: 2}[lines]] in str(caught.value)


IDS = ["001.Gull/a", "001.Gull/b", "003.Wren/c"]


def write(folder, sentences):
    for name, text in sentences.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


@pytest.fixture
def text_c10(cub_root):
    """Sentences beside CUB_200_2011, for two of three birds and for one unknown."""
    return write(
        cub_root.parent / "text_c10",
        {
            "001.Gull/a": "a white bird.\r\n\r\n it has a red beak \n",
            "003.Wren/c": "a small bird.",
            "009.Emu/z": "a large bird.",
        },
    )


def test_sentences_join_by_name(text_c10):
    captions = read_cub_captions(text_c10, IDS)
    assert captions.sentences == {
        "001.Gull/a": ["a white bird.", "it has a red beak"],
        "003.Wren/c": ["a small bird."],
    }
    assert captions.without_sentences == ["001.Gull/b"]
    assert captions.without_image == ["009.Emu/z"]
    assert captions.summary.endswith(
        "sentences for 2 images; left out 1 images without sentences and 1 files "
        "of sentences without an image"
    )


def test_images_that_were_not_asked_for_are_known(text_c10):
    captions = read_cub_captions(text_c10, IDS[2:], known_ids=[*IDS, "009.Emu/z"])
    assert list(captions.sentences) == ["003.Wren/c"]
    assert captions.without_sentences == captions.without_image == []


def test_load_gives_them_in_the_order_of_the_images(cub_root, text_c10, caplog):
    dataset = load_cub(cub_root, captions=True)
    assert dataset.ids.tolist() == ["001.Gull/a", "003.Wren/c"]
    assert dataset.captions == [
        ["a white bird.", "it has a red beak"],
        ["a small bird."],
    ]
    assert "left out 1 images without sentences and 1 files" in caplog.text
    mirrored = load_cub(cub_root, "train", captions=True, mirror=True)
    assert mirrored.captions == dataset.captions * 2


def test_nothing_is_logged_where_all_join(cub_root, text_c10, caplog):
    (text_c10 / "009.Emu" / "z.txt").unlink()
    write(text_c10, {"001.Gull/b": "a bird."})
    with caplog.at_level(logging.DEBUG, logger="keras_interp"):
        assert len(load_cub(cub_root, captions=True)) == 3
    assert not caplog.records


def test_classes_without_sentences_go_unless_named(cub_root, text_c10):
    (text_c10 / "003.Wren" / "c.txt").unlink()
    assert load_cub(cub_root, captions=True).class_names == ["001.Gull"]
    both = load_cub(cub_root, captions=True, categories=["Gull", "Wren"])
    assert both.class_names == ["001.Gull", "003.Wren"] and len(both) == 1
    with pytest.raises(ValueError, match="text_c10 has no sentences for any of the 1"):
        load_cub(cub_root, captions=True, categories=["Wren"])


def test_where_the_folder_is_looked_for(cub_root, text_c10, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    assert find_captions_folder(cub_root) == text_c10
    for place in (cub_root, tmp_path / "far" / "cvpr2016_cub"):
        place.mkdir(parents=True, exist_ok=True)
        text_c10 = text_c10.rename(place / "text_c10")
        given = None if place == cub_root else place.parent
        assert find_captions_folder(cub_root, given) == text_c10
    assert find_captions_folder(cub_root, text_c10) == text_c10
    with pytest.raises(FileNotFoundError, match="no folder text_c10 in.*cub_captions"):
        find_captions_folder(cub_root)
    prepared = tmp_path / "home" / "cub_captions" / "text_c10"
    prepared.parent.mkdir(parents=True)
    text_c10.rename(prepared)
    assert find_captions_folder(cub_root) == prepared
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path / "home"))
    assert find_captions_folder(cub_root) == prepared


@pytest.mark.parametrize("content", [b"", b"\n \n\t\r\n"])
def test_an_empty_file_is_an_error(text_c10, content):
    (text_c10 / "003.Wren" / "c.txt").write_bytes(content)
    with pytest.raises(
        ValueError, match="c.txt is empty: expected one sentence a line"
    ):
        read_cub_captions(text_c10, IDS)


def test_other_text_than_utf8_is_an_error(text_c10):
    (text_c10 / "003.Wren" / "c.txt").write_bytes(b"a bird\na bl\xe9 bird\n")
    with pytest.raises(ValueError, match="c.txt, line 2: not UTF-8"):
        read_cub_captions(text_c10, IDS)


def test_spaces_that_the_archive_lost_are_spaces(tmp_path):
    """Five files of the published archive have two U+FFFD for every space."""
    path = tmp_path / "a.txt"
    path.write_text("this\ufffd\ufffdbird\ufffdhas a beak.\ufffd\n", encoding="utf-8")
    assert read_sentences(path) == ["this bird has a beak."]


def test_a_folder_that_is_missing(tmp_path, cub_root):
    with pytest.raises(
        FileNotFoundError, match="absent is not a folder; it comes with"
    ):
        read_cub_captions(tmp_path / "absent", IDS)
    with pytest.raises(FileNotFoundError, match="no folder text_c10 in .*absent; give"):
        load_cub(cub_root, captions=True, captions_root=tmp_path / "absent")
