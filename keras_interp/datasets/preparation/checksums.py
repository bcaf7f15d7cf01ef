"""Compares an archive with what its publishers, or its first use, say of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from keras_interp.datasets.atomic_files import write_text_atomically
from keras_interp.datasets.preparation.dataset_entry import PublishedFile

_CHUNK = 1 << 20


def sha256_of(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """The SHA-256 of a file as 64 hexadecimal digits.

    Args:
        path: the file.
        advance: called with the number of bytes after each piece.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            if advance is not None:
                advance(len(piece))
    return digest.hexdigest()


class RecordedChecksums:
    """Checksums of archives whose publishers state none, as they were first used.

    They are kept in a file beside the prepared folder, so that a later download that
    differs is noticed.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".{target.name}.checksums.json")

    def get(self, filename: str) -> str | None:
        """The checksum of the first use, if there was one."""
        return self._read().get(filename)

    def add(self, filename: str, sha256: str) -> None:
        """Records a first use."""
        text = json.dumps(self._read() | {filename: sha256}, indent=2) + "\n"
        write_text_atomically(self.path, text)

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(
                f"{self.path} is damaged ({error}); delete it, and the next use of "
                "each archive counts as the first"
            ) from error
        return known


def check_archive(
    path: Path,
    file: PublishedFile,
    recorded: RecordedChecksums,
    advance: Callable[[int], None] | None = None,
) -> str:
    """Compares size and checksum of an archive.

    Args:
        path: the archive.
        file: what it should be.
        recorded: checksums of earlier uses.
        advance: called with the number of bytes after each piece.

    Returns:
        Its SHA-256.

    Raises:
        ValueError: if size or checksum differ from those published, or the checksum
            from that of the first use.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise ValueError(
            f"{path} has {size:,} bytes; the publishers state {file.size:,} for "
            f"{file.filename}. Download it again."
        )
    found = sha256_of(path, advance)
    if file.sha256 is not None and found != file.sha256:
        raise ValueError(
            f"{path} is not the published {file.filename}: expected the SHA-256 "
            f"{file.sha256}, got {found}. Download it again."
        )
    first = None if file.sha256 is not None else recorded.get(file.filename)
    if first is not None and found != first:
        raise ValueError(
            f"{path} differs from the {file.filename} that was used first: expected "
            f"the SHA-256 {first}, got {found}. Download it again; if there is a new "
            f"version that you trust, delete {recorded.path}."
        )
    return found
