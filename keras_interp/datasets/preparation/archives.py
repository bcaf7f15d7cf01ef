"""Brings together the archives that a dataset is prepared from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from keras_interp.datasets.preparation.checksums import (
    RecordedChecksums,
    check_archive,
)
from keras_interp.datasets.preparation.dataset_entry import DatasetEntry, PublishedFile
from keras_interp.datasets.preparation.download import download
from keras_interp.datasets.preparation.progress import announce, bytes_bar


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
