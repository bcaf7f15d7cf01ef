"""Reads the small text tables of published datasets, naming file and line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


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
