"""Puts a finished folder in the place of another at one stroke."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def work_folder(target: Path) -> Path:
    """The temporary name, in the same folder and so on the same file system."""
    return target.with_name(f".{target.name}.new")


def clean_up(target: Path) -> None:
    """Removes what a killed process left beside `target`, or completes its work.

    Only for the holder of the folder's lock.
    """
    old = _old_folder(target)
    if old.exists() and not target.exists():
        # Killed between the two renames of `replace_folder`.
        old.rename(target)
    for leftover in (old, work_folder(target)):
        if leftover.exists():
            shutil.rmtree(leftover)


def replace_folder(target: Path) -> None:
    """Gives the finished `work_folder(target)` the name `target`.

    Whenever the process is killed, `target` is the old folder or the whole new one. A
    file system that cannot exchange two names leaves a moment between two renames
    where the old folder has another name; `clean_up` then puts it back.

    Args:
        target: the name wanted; what has it now is removed afterwards.
    """
    new = work_folder(target)
    if not target.exists():
        new.rename(target)
        return
    if _exchange(new, target):
        shutil.rmtree(new)
        return
    old = _old_folder(target)
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _old_folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _exchange(first: Path, second: Path) -> bool:
    """Exchanges two names; false where system or file system cannot."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    failed = rename(
        _AT_FDCWD,
        os.fsencode(first),
        _AT_FDCWD,
        os.fsencode(second),
        ctypes.c_uint(_RENAME_EXCHANGE),
    )
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, f"cannot exchange {first} and {second}", str(second))
