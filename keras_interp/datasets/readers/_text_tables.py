"""Reads the small text tables of published datasets, naming file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = 10**9
# Python itself takes "1_0" and digits of other scripts for numbers, too.
_WHOLE = re.compile(r"[+-]?[0-9]+")
_FINITE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def whole_number(text: str) -> int:
    """A column of whole numbers; those that no dataset has are refused."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"expected a whole number, got {text!r}")
    value = int(text)
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is out of range")
    return value


def finite_number(text: str) -> float:
    """A column of finite numbers."""
    if not _FINITE.fullmatch(text):
        raise ValueError(f"expected a finite number, got {text!r}")
    value = float(text)
    if abs(value) > _LARGEST:
        raise ValueError(f"{text!r} is out of range")
    return value


def zero_or_one(text: str) -> int:
    """A column of flags."""
    if text not in ("0", "1"):
        raise ValueError(f"expected 0 or 1, got {text!r}")
    return int(text)


def read_text(path: Path, origin: str) -> str:
    """Reads a UTF-8 text file.

    Args:
        path: the file.
        origin: where a user gets the file, for the message when it is missing.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing; it comes with {origin}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: not UTF-8 text ({error.reason}); is this the "
            "published file?"
        ) from error


def read_table(
    path: Path, columns: Sequence[Callable[[str], Any]], origin: str
) -> list[list[Any]]:
    """Reads rows of columns with spaces between; the last column may contain spaces.

    Args:
        path: the file.
        columns: one function for each column that turns its text into a value.
        origin: where a user gets the file.

    Returns:
        One list for each column.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if the text is not UTF-8, or a line lacks a column or has a wrong
            value; the message names the file and the line.
    """
    rows = []
    for number, line in enumerate(read_text(path, origin).split("\n"), start=1):
        fields = line.split(maxsplit=len(columns) - 1)
        if not fields:
            continue
        if len(fields) != len(columns):
            raise ValueError(
                f"{path}, line {number}: expected {len(columns)} columns, got "
                f"{len(fields)}: {line.strip()!r}"
            )
        try:
            rows.append(
                [parse(field) for parse, field in zip(columns, fields, strict=True)]
            )
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]


def read_names(path: Path, origin: str) -> dict[int, str]:
    """Reads a table of ids and names, where neither may occur twice.

    Args:
        path: the file.
        origin: where a user gets it.

    Returns:
        The names by id, in the order of the file.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if it is damaged or lists nothing; the message names it.
    """
    ids, names = read_table(path, (whole_number, str.strip), origin)
    if not ids:
        raise ValueError(f"{path} is empty; get it again from {origin}")
    for column in (ids, names):
        repeated = find_repeated(column)
        if repeated is not None:
            raise ValueError(f"{path}: {repeated!r} is listed twice")
    return dict(zip(ids, names, strict=True))


def read_rows(
    path: Path,
    columns: Sequence[Callable[[str], Any]],
    ids: Sequence[int],
    origin: str,
) -> np.ndarray:
    """Reads a table whose first column is the id of an image, in the order of `ids`.

    Args:
        path: the file.
        columns: one function for each column, the id's first.
        ids: the N ids of `images.txt`; lines with others are left out.
        origin: where a user gets the file.

    Returns:
        float64 array `(N, len(columns) - 1)`.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if it is damaged, lacks an id or has one twice; the message names
            the file.
    """
    keys, *values = read_table(path, columns, origin)
    row_of = {key: row for row, key in enumerate(keys)}
    repeated = find_repeated(keys)
    if repeated is not None:
        raise ValueError(f"{path}: the image id {repeated} is listed twice")
    missing = [image_id for image_id in ids if image_id not in row_of]
    if missing:
        raise ValueError(
            f"{path}: no line for the image ids {missing[:5]} of images.txt"
        )
    rows = [row_of[image_id] for image_id in ids]
    return np.array(values, np.float64).T.reshape(-1, len(values))[rows]


def find_repeated(values: Sequence[Any]) -> Any:
    """The first value that has been there before; None where all are different."""
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
