"""Files that are complete whenever they are there, and who may write a folder."""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import filelock
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


@contextmanager
def folder_lock(folder: Path, purpose: str) -> Iterator[None]:
    """Lets one process at a time write a folder, until it has finished or was killed.

    Example:

    ```python
    with folder_lock(Path("datasets/cub"), "preparing cub"):
        ...  # writes datasets/cub
    ```

    Args:
        folder: the folder to be written; it need not be there, its parent must be.
        purpose: what the holder does, for the message to others.

    Raises:
        BlockingIOError: if another process holds the lock; the message names it.
    """
    path = folder.with_name(f".{folder.name}.lock")
    # Of a native lock, `filelock` does not tell who holds it.
    note = folder.with_name(f".{folder.name}.lock.json")
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise BlockingIOError(
            f"{folder} is being written by {_holder(note, path)}; wait for it or stop "
            "it"
        ) from error
    try:
        holder = {
            "process": os.getpid(),
            "computer": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "purpose": purpose,
        }
        write_text_atomically(note, json.dumps(holder))
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _holder(note: Path, path: Path) -> str:
    try:
        holder = json.loads(note.read_text(encoding="utf-8"))
        return (
            f"process {holder['process']} on {holder['computer']} "
            f"({holder['purpose']}, since {holder['since']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return f"another process, which holds {path}"
