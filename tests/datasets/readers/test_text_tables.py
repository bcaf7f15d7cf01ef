"""Text tables that name the file and the line that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_interp.datasets import load_cub, load_pascal_part
from keras_interp.datasets.readers._text_tables import (
    finite_number,
    read_names,
    read_rows,
    read_table,
    whole_number,
    zero_or_one,
)
from keras_interp.datasets.readers.cub_annotations import read_cub_annotations


def test_columns_with_spaces_in_the_last(tmp_path):
    path = tmp_path / "parts.txt"
    path.write_bytes("\ufeff1 left eye\r\n\r\n2 Flügel \n".encode())
    assert read_table(path, (int, str.strip), "x") == [[1, 2], ["left eye", "Flügel"]]


def test_an_empty_file_has_empty_columns(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("\n")
    assert read_table(path, (int, float), "x") == [[], []]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2.0\n\n3\n", "line 3: expected 2 columns, got 1: '3'"),
        (b"1 2.0\nx 3.0\n", "line 2: expected a whole number, got 'x'"),
        (b"1 2.0 9\n", "line 1: expected a finite number, got '2.0 9'"),
        (b"1 2.0\n2 \xff\xfe\n", "line 2: not UTF-8 text"),
    ],
)
def test_the_wrong_line_is_named(tmp_path, content, message):
    path = tmp_path / "table.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ", " + message):
        read_table(path, (whole_number, finite_number), "the archive")


def test_a_missing_file_says_where_it_comes_from(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="table.txt is missing; it comes with the"
    ):
        read_table(tmp_path / "table.txt", (int,), "the archive")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (whole_number, "9" * 400),
        (whole_number, "1.5"),
        # Python's own `int` and `float` take these.
        (whole_number, "1_0"),
        (whole_number, "\u0663"),
        (finite_number, "1_0.5"),
        (finite_number, "infinity"),
        (zero_or_one, "0_1"),
        (zero_or_one, "01"),
        (finite_number, "nan"),
        (finite_number, "-inf"),
        (finite_number, "1e300"),
        (zero_or_one, "2"),
        (zero_or_one, "yes"),
    ],
)
def test_values_that_no_dataset_has(parse, text):
    with pytest.raises(
        ValueError,
        match="out of range|expected a (whole|finite) number|expected 0 or 1",
    ):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"), [("-3", -3), ("+7", 7), ("2.", 2), (".5", 0.5), ("1e2", 100)]
)
def test_values_as_they_are_published(text, value):
    parse = whole_number if text.strip("+-").isdigit() else finite_number
    assert parse(text) == value


def test_names_by_id(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("3 Wren\n1 Gull of the sea\n")
    assert read_names(path, "x") == {3: "Wren", 1: "Gull of the sea"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 a\n1 b\n", "1 is listed twice"),
        ("1 a\n2 a\n", "'a' is listed twice"),
        ("\n", "is empty; get it again from the archive"),
    ],
)
def test_names_are_all_different(tmp_path, content, message):
    path = tmp_path / "classes.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"classes.txt.*{message}"):
        read_names(path, "the archive")


def test_rows_in_the_order_of_the_images(tmp_path):
    path = tmp_path / "sizes.txt"
    path.write_text("7 1 2\n9 5 6\n8 3 4\n")
    columns = (whole_number, finite_number, finite_number)
    assert read_rows(path, columns, [9, 7], "x").tolist() == [[5, 6], [1, 2]]
    with pytest.raises(ValueError, match=r"sizes.txt: no line for the image ids \[1\]"):
        read_rows(path, columns, [1, 7], "x")
    path.write_text("7 1 2\n7 5 6\n")
    with pytest.raises(ValueError, match="sizes.txt: the image id 7 is listed twice"):
        read_rows(path, columns, [7], "x")


TABLES = [
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "train_test_split.txt",
    "bounding_boxes.txt",
    "parts/parts.txt",
    "parts/part_locs.txt",
]
# What a careless edit, another program or another country's computer puts in.
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"",
            b" ",
            b"\n",
            b"\r\n",
            b"\t",
            b"\0",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"nan",
            b"-1",
            b"1e400",
            b"9" * 400,
            b"12",
            b"../",
            b"/",
            b".",
            b"0 0 0 0 0 0\n",
            "\u2028".encode(),
            "\u0663".encode(),
        ]
    ),
)
CUTS = st.tuples(st.integers(0, 160), st.integers(0, 60), PIECES)
# The folder is the same for all examples; only the damaged file is written again.
many = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def damage(content: bytes, cut: tuple[int, int, bytes]) -> bytes:
    """Puts a piece in the place of some bytes."""
    start, length, piece = cut
    start = min(start, len(content))
    return content[:start] + piece + content[start + length :]


def reads_or_names_a_file(read, names: list[str]) -> None:
    try:
        read()
    except (ValueError, FileNotFoundError) as error:
        assert any(name in str(error) for name in names), str(error)


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_cub(cub_root, name):
    path = cub_root / name
    content = path.read_bytes()
    files = [Path(table).name for table in TABLES] + [".jpg"]

    @many
    @given(cut=CUTS)
    def check(cut):
        path.write_bytes(damage(content, cut))
        reads_or_names_a_file(lambda: load_cub(cub_root, size=4), files)

    check()


def test_attributes_of_cub(cub_root):
    (cub_root / "attributes").mkdir()
    names = cub_root / "attributes" / "attributes.txt"
    labels = cub_root / "attributes" / "image_attribute_labels.txt"
    contents = {names: b"1 blue\n2 red\n", labels: b"10 1 1 4 2.5\n11 2 0 1 3.25\n"}
    files = [path.name for path in contents]

    @many
    @given(cut=CUTS, damaged=st.sampled_from(list(contents)))
    def check(cut, damaged):
        for path, content in contents.items():
            path.write_bytes(damage(content, cut) if path == damaged else content)
        reads_or_names_a_file(lambda: read_cub_annotations(cub_root, True), files)

    check()


def test_sentences(cub_root):
    path = cub_root / "text_c10" / "001.Gull" / "a.txt"
    path.parent.mkdir(parents=True)

    @many
    @given(content=st.binary(max_size=60))
    def check(content):
        path.write_bytes(content)
        reads_or_names_a_file(
            lambda: load_cub(cub_root, size=4, captions=True), ["a.txt"]
        )

    check()


def test_lists_of_pascal_voc(pascal_root):
    lists = pascal_root / "VOCdevkit" / "VOC2010" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2008_a\n")

    @settings(many, max_examples=25)
    @given(cut=CUTS)
    def check(cut):
        (lists / "train.txt").write_bytes(damage(b"2008_c\n2008_d\n", cut))
        reads_or_names_a_file(
            lambda: load_pascal_part(
                pascal_root, size=4, split_by="voc", part_masks=False
            ),
            ["train.txt"],
        )

    check()
