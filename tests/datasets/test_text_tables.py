"""Text tables that name the file and the line that is wrong."""

from __future__ import annotations

import re

import pytest

from keras_interp.datasets.text_tables import (
    finite_number,
    read_names,
    read_rows,
    read_table,
    whole_number,
    zero_or_one,
)


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
        (b"1 2.0\nx 3.0\n", "line 2: invalid literal"),
        (b"1 2.0 9\n", "line 1: could not convert"),
        (b"1 2.0\n2 \xff\xfe\n", "line 2: not UTF-8 text"),
    ],
)
def test_the_wrong_line_is_named(tmp_path, content, message):
    path = tmp_path / "table.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ", " + message):
        read_table(path, (int, float), "the archive")


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
        (finite_number, "nan"),
        (finite_number, "-inf"),
        (finite_number, "1e300"),
        (zero_or_one, "2"),
        (zero_or_one, "yes"),
    ],
)
def test_values_that_no_dataset_has(parse, text):
    with pytest.raises(
        ValueError, match="out of range|invalid literal|expected 0 or 1"
    ):
        parse(text)


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


def test_rows_in_the_order_of_the_pictures(tmp_path):
    path = tmp_path / "sizes.txt"
    path.write_text("7 1 2\n9 5 6\n8 3 4\n")
    columns = (whole_number, finite_number, finite_number)
    assert read_rows(path, columns, [9, 7], "x").tolist() == [[5, 6], [1, 2]]
    with pytest.raises(ValueError, match=r"sizes.txt: no line for the image ids \[1\]"):
        read_rows(path, columns, [1, 7], "x")
    path.write_text("7 1 2\n7 5 6\n")
    with pytest.raises(ValueError, match="sizes.txt: the image id 7 is listed twice"):
        read_rows(path, columns, [7], "x")
