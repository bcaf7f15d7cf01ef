"""Writes files that are complete whenever they are there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

SUFFIX = ".tmp"  # of a file that is being written


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Writes a file under a temporary name and renames it when it is on the disk.

    The caller sees to it that no other process writes the same file.

    Args:
        path: of the file; one that is there is replaced.
        write: writes the content.

    Raises:
        OSError: if it cannot be written, for instance because the disk is full; the
            message names the file.
    """
    draft = path.with_name(path.name + SUFFIX)
    try:
        with draft.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = f"{error.strerror or error}, while {path} was written"
            raise OSError(error.errno or errno.EIO, reason) from error
        raise


def write_text_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text so; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def write_array_atomically(path: Path, array: np.ndarray) -> None:
    """Writes a `.npy` file so; see `write_atomically`."""
    write_atomically(
        path, lambda file: np.save(_Writer(file), array, allow_pickle=False)
    )


class _Writer:
    """Hides from NumPy that a file is a real one.

    Into a real file NumPy writes past Python, and loses the end of an array without a
    word where the disk is full.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Writes bytes, or raises an `OSError`."""
        return self._file.write(data)
