"""Names in an archive that are safe to use as paths."""

from __future__ import annotations

import re
from pathlib import PurePosixPath


def safe_name(name: str) -> str:
    """The path of a member with slashes and without `.` in it.

    Args:
        name: as the archive has it.

    Returns:
        A relative path; `""` for the folder itself.

    Raises:
        ValueError: if the path is absolute, leaves the folder or has characters that
            no name should have; the message says which, without the name.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or re.match(r"[A-Za-z]:", name):
        raise ValueError("its path is absolute")
    if ".." in path.parts:
        raise ValueError("its path leaves the folder")
    if re.search(r"[\x00-\x1f\x7f]", name):
        raise ValueError("its name has control characters")
    return "" if path == PurePosixPath(".") else path.as_posix()


def is_by_product(name: str) -> bool:
    """Whether a member is one that macOS adds to archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith("._") for part in parts)
