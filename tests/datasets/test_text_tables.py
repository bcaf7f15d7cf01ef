"""Text tables that name the file and the line that is wrong."""

from __future__ import annotations

import re

import pytest

from keras_interp.datasets.text_tables import read_table


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
