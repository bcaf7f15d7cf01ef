"""Files that are complete whenever they are there, and who may write a folder."""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

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


class FolderLock:
    """A lock beside a folder that its holder's death releases.

    The operating system holds the lock for as long as the process lives, so a lock
    file that a killed process left behind does not keep anybody out.

    Example:

    ```python
    with FolderLock(Path("datasets/cub"), "prepare cub"):
        ...  # writes datasets/cub
    ```

    Args:
        folder: the folder to be written; it need not be there, its parent must be.
        purpose: what the holder does, for the message to others.

    Raises:
        BlockingIOError: on entering, if another process holds the lock; the message
            names it.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        self.folder = folder
        self.path = folder.with_name(f".{folder.name}.lock")
        self.purpose = purpose
        self._handle = -1

    def __enter__(self) -> Self:
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if not _lock(handle):
                    raise BlockingIOError(self._held())
                if _is_file_at(handle, self.path):
                    break
            except BaseException:
                os.close(handle)
                raise
            # The last holder removed the file while we waited for its lock.
            os.close(handle)
        self._handle = handle
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(self._holder()).encode())
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if sys.platform == "win32":  # where an open file cannot be removed
            os.close(self._handle)
            self.path.unlink(missing_ok=True)
        else:
            self.path.unlink(missing_ok=True)
            os.close(self._handle)

    def _holder(self) -> dict[str, str | int]:
        return {
            "process": os.getpid(),
            "computer": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "purpose": self.purpose,
        }

    def _held(self) -> str:
        try:
            holder = json.loads(self.path.read_text(encoding="utf-8"))
            who = (
                f"process {holder['process']} on {holder['computer']} "
                f"({holder['purpose']}, since {holder['since']})"
            )
        except (OSError, ValueError, KeyError, TypeError):
            who = f"another process, which holds {self.path}"
        return f"{self.folder} is being written by {who}; wait for it or stop it"


def _is_file_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    # Far behind the text, which others must be able to read.
    _LOCKED_BYTE = 1 << 20

    def _lock(handle: int) -> bool:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(handle, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
