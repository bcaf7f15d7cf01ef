"""Brings together the archives that a dataset is prepared from, and checks them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from keras_interp.datasets._progress import announce, bytes_bar
from keras_interp.datasets._safe_files import write_text_atomically
from keras_interp.datasets.preparation._download import download
from keras_interp.datasets.preparation.entries import DatasetEntry, PublishedFile

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


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive on this machine whose checksum was compared.

    Args:
        file: what it is.
        path: where it is.
        sha256: of its bytes.
        downloaded: whether it was downloaded here, and so need not be kept.
    """

    file: PublishedFile
    path: Path
    sha256: str
    downloaded: bool

    def record(self, recorded: RecordedChecksums) -> None:
        """Keeps the checksum where the publishers state none."""
        if self.file.sha256 is None and recorded.get(self.file.filename) is None:
            recorded.add(self.file.filename, self.sha256)

    def discard_download(self) -> None:
        """Removes what was downloaded; other files stay with their owner."""
        if self.downloaded:
            self.path.unlink()
            if not any(self.path.parent.iterdir()):
                self.path.parent.rmdir()


def gather_archives(
    entry: DatasetEntry,
    target: Path,
    handed_over: list[Path],
    recorded: RecordedChecksums,
) -> list[Archive]:
    """Finds or downloads the archives that are still to be extracted.

    Args:
        entry: the dataset.
        target: the prepared folder, which may have some of the files already.
        handed_over: archives that the user downloaded.
        recorded: checksums of earlier uses.

    Returns:
        The archives handed over, and downloads of those that are missing.

    Raises:
        FileNotFoundError: if an archive handed over is missing or one has to be
            downloaded by hand.
        ValueError: if an archive is not the published one.
        ConnectionError: if a download fails.
    """
    matched = _match(entry, handed_over)
    missing = [
        file
        for file in entry.files
        if file not in matched and not file.optional and not file.is_in(target)
    ]
    by_hand = [file for file in missing if not file.urls]
    if by_hand:
        raise FileNotFoundError(_instructions(entry, by_hand))
    archives = [
        _checked(file, path, recorded, downloaded=False)
        for file, path in matched.items()
    ]
    folder = target.with_name(f".{target.name}.downloads")
    return archives + [_downloaded(file, folder, recorded) for file in missing]


def _match(entry: DatasetEntry, paths: list[Path]) -> dict[PublishedFile, Path]:
    """Which archive is which: by name, or by what is not taken where one is left."""
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no archive {path}")
    matched: dict[PublishedFile, Path] = {}
    unnamed = []
    for path in paths:
        file = next((f for f in entry.files if _is_named(path, f)), None)
        if file is None or file in matched:
            unnamed.append(path)
        else:
            matched[file] = path
    for path in unnamed:
        size = path.stat().st_size
        left = [f for f in entry.files if f not in matched]
        same_size = [f for f in left if f.size == size]
        fitting = same_size or left
        if len(fitting) != 1:
            names = " and ".join(f.filename for f in entry.files)
            raise ValueError(
                f"cannot tell which archive of {entry.name} {path} is: it is "
                f"published as {names}; give it the name of the right one"
            )
        matched[fitting[0]] = path
    return matched


def _is_named(path: Path, file: PublishedFile) -> bool:
    """Whether a name is the published one, or a browser's `name (1).tgz` of it."""
    stem, _, ending = file.filename.partition(".")
    return path.name.startswith(stem) and path.name.endswith(ending)


def _instructions(entry: DatasetEntry, files: list[PublishedFile]) -> str:
    steps = "\n".join(
        f"- {file.filename} ({file.holds}): {file.instructions}" for file in files
    )
    options = " ".join(f"--archive {file.filename}" for file in files)
    return (
        f"{entry.name} has archives that you must download yourself "
        f"({entry.licence}):\n{steps}\nThen run: keras-interp data prepare "
        f"{entry.name} {options}\nIf you have the files extracted already: "
        f"keras-interp data prepare {entry.name} --root FOLDER"
    )


def _checked(
    file: PublishedFile, path: Path, recorded: RecordedChecksums, *, downloaded: bool
) -> Archive:
    with bytes_bar(f"Checking {path.name}", path.stat().st_size) as advance:
        sha256 = check_archive(path, file, recorded, advance)
    if file.sha256 is None:
        known = recorded.get(file.filename) is not None
        announce(
            f"{file.filename}: the publishers state no checksum. SHA-256 {sha256}, "
            + ("as at its first use" if known else "trusted on this first use")
        )
    return Archive(file, path, sha256, downloaded)


def _downloaded(
    file: PublishedFile, folder: Path, recorded: RecordedChecksums
) -> Archive:
    path = download(file, folder)
    try:
        return _checked(file, path, recorded, downloaded=True)
    except ValueError:
        # The next run must not find it and stop here again.
        path.unlink()
        raise
