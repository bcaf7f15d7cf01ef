"""Lets one process at a time write a folder."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self


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
