"""Extracts archives of unknown content.

`tarfile` guards the paths and `zipfile` the sizes. Own code is what they lack: an end
for archives that swell, memory that does not grow with a header, the difference between
a damaged header and the end, and files without the archive's permissions.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from keras_interp.datasets._progress import Advance

_CHUNK = 1 << 20
_SKIP = 1 << 18
_LARGEST_READ = 1 << 24
_LARGEST_RATIO = 50  # photographs have 1, text has 5, an empty image 1000
_ALWAYS_ALLOWED = 1 << 28  # bytes, however small the archive is
_MOST_MEMBERS = 1_000_000
Place = Callable[[str], str | None]


def is_by_product(name: str) -> bool:
    """Whether a member is one that macOS adds to archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith("._") for part in parts)


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


class GuardedStream:
    """Reads forward, counts what comes out and stops an archive that swells.

    `tarfile` reads through it: everything that is unpacked passes here, headers and
    left-out members included.

    Args:
        stream: unpacked bytes.
        allowed: how many of them.
    """

    def __init__(self, stream: Readable, allowed: int) -> None:
        self._stream = stream
        self._allowed = allowed
        self._position = 0
        self._last = b""
        self._stepped_back = False
        self.last_read = b""

    def tell(self) -> int:
        """Number of bytes read, steps back subtracted."""
        return self._position - self._stepped_back

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer than `size` at the end only."""
        if not 0 <= size <= _LARGEST_READ:
            raise ValueError(f"it has a header of {size:,} bytes")
        pieces = [self._last] if self._stepped_back and size else []
        missing = size - len(pieces)
        self._stepped_back = self._stepped_back and not size
        while missing > 0 and (piece := self._stream.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
            self._count(piece)
        self.last_read = b"".join(pieces)
        return self.last_read

    def seek(self, position: int, _: int = 0) -> int:
        """Goes forward, or one byte back as `tarfile` does at the end of a member."""
        distance = position - self.tell()
        if distance == -1 and self._last and not self._stepped_back:
            self._stepped_back = True
        elif distance < 0:
            raise ValueError("it has a member of negative size")
        while distance > 0 and (piece := self.read(min(distance, _SKIP))):
            distance -= len(piece)
        return self.tell()

    def drain(self) -> None:
        """Reads to the end, where packed data have their own checksum."""
        while self.read(_SKIP):
            pass

    def _count(self, piece: bytes) -> None:
        self._position += len(piece)
        self._last = piece[-1:]
        if self._position > self._allowed:
            raise ValueError(
                f"it unpacks to more than {self._allowed:,} bytes, far more than "
                "images and tables do"
            )


class _Refusal(ValueError):
    """A member that must not be extracted."""


class _Damage(ValueError):
    """A member that cannot be read."""


class _CannotWrite(OSError):
    """A file that the disk does not take."""


def extract(
    archive: Path, folder: Path, place: Place, advance: Advance = lambda _: None
) -> int:
    """Extracts the wanted members of a `.tar`, `.tar.gz` or `.zip` file.

    Members are written as plain files: permissions and dates of the archive are not
    taken over.

    Args:
        archive: the file.
        folder: a folder that nobody else writes.
        place: where a member belongs in the folder, or None to leave it out.
        advance: called with the number of bytes of the archive that are dealt with.

    Returns:
        The number of files written.

    Raises:
        ValueError: if the archive is damaged or of another kind, or if a member, wanted
            or not, is a link or a device, has a path that is absolute or leaves the
            folder, is there twice, or unpacks to far more than the archive's size; the
            message names it. What was written until then is left to the caller.
        OSError: if a file cannot be written, for instance because the disk is full.
    """
    allowed = max(_ALWAYS_ALLOWED, _LARGEST_RATIO * archive.stat().st_size)
    kind = _kind(archive)
    members = _Members(archive, folder, place)
    try:
        if kind == "zip":
            _extract_zip(archive, members, allowed, advance)
        else:
            with archive.open("rb") as file:
                counted = _Counted(file, advance)
                stream = gzip.open(counted) if kind == "gzip" else counted  # type: ignore[call-overload]
                _extract_tar(stream, members, allowed)
    except (_Refusal, _CannotWrite, MemoryError):
        raise
    except Exception as error:
        # Of a damaged archive the libraries raise a dozen kinds of errors.
        after = f" after {members.name!r}" if members.name else ""
        raise ValueError(
            f"{archive} is damaged or unsafe{after}: {error or type(error).__name__}; "
            "download it again"
        ) from error
    return members.written


class _Members:
    """Checks every member and writes the wanted ones."""

    def __init__(self, archive: Path, folder: Path, place: Place) -> None:
        self.archive = archive
        self.folder = folder
        self.place = place
        self.name = ""
        self.seen = 0
        self.written = 0

    def target(self, info: tarfile.TarInfo) -> Path | None:
        """Where to write a member; None where nothing is to be written.

        Args:
            info: the header of a member, or one made of what a zip file says of it.
        """
        self.name = info.name
        self.seen += 1
        if self.seen > _MOST_MEMBERS:
            raise self.refusal(f"there are more than {_MOST_MEMBERS:,} members")
        path = self._inside(info)
        if info.isdir() or is_by_product(path):
            return None
        if not info.isreg() or info.issparse():
            raise self.refusal("it is neither a plain file nor a folder")
        placed = self.place(path)
        if placed is None:
            return None
        return self.folder / self._inside(tarfile.TarInfo(placed))

    def _inside(self, info: tarfile.TarInfo) -> str:
        """The path of a member in the folder, as the guard of `tarfile` leaves it."""
        try:
            name = tarfile.data_filter(info, os.fspath(self.folder)).name
        except tarfile.FilterError as error:
            raise self.refusal(str(error)) from error
        return PurePosixPath(name).as_posix()

    def write(self, target: Path, source: Readable, allowed: int) -> int:
        """Writes a file and gives its number of bytes."""
        size = 0
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as output:
                while piece := _read(source):
                    size += len(piece)
                    if size > allowed:
                        raise self.refusal("it unpacks to far more than its archive")
                    output.write(piece)
        except (FileExistsError, NotADirectoryError) as error:
            raise self.refusal("another member has the same path") from error
        except OSError as error:
            raise _CannotWrite(
                error.errno,
                f"{error.strerror}, while {self.name!r} of {self.archive} was written "
                f"to {target}",
            ) from error
        self.written += 1
        return size

    def refusal(self, reason: str) -> _Refusal:
        return _Refusal(f"{self.archive}: refused the member {self.name!r}: {reason}")


def _read(source: Readable) -> bytes:
    try:
        return source.read(_CHUNK)
    except MemoryError:
        raise
    except Exception as error:
        # Among them are an OSError that is none of the disk written to.
        raise _Damage(str(error) or type(error).__name__) from error


def _kind(archive: Path) -> str:
    with archive.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start[257:262] == b"ustar":
        return "tar"
    if start.lstrip()[:1] == b"<":
        raise ValueError(
            f"{archive} is a web page, not an archive; open its address in a browser "
            "and save what the page offers"
        )
    raise ValueError(f"{archive} is no .tar, .tar.gz or .zip file; download it again")


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file = file
        self._advance = advance

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self._advance(len(piece))
        return piece


def _extract_tar(stream: Readable, members: _Members, allowed: int) -> None:
    guarded = GuardedStream(stream, allowed)
    with tarfile.open(fileobj=guarded, mode="r:") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            # The list of all members would grow with the archive.
            tar.members.clear()
            _extract_tar_member(tar, member, members, allowed)
    # `tarfile` takes a damaged header for the end, too.
    if guarded.last_read.strip(b"\0"):
        raise tarfile.ReadError("what follows is not a header of a member")
    if len(guarded.last_read) != tarfile.BLOCKSIZE:
        raise tarfile.ReadError("the end is missing")
    guarded.drain()


def _extract_tar_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, members: _Members, allowed: int
) -> None:
    target = members.target(member)
    if target is None:
        return
    source = tar.extractfile(member)
    assert source is not None
    if members.write(target, source, allowed) != member.size:
        raise tarfile.ReadError("the end is missing")


def _extract_zip(
    archive: Path, members: _Members, allowed: int, advance: Advance
) -> None:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            advance(info.compress_size)
            target = members.target(_as_tar_header(info))
            if target is None:
                continue
            with file.open(info) as source:
                allowed -= members.write(target, source, allowed)


def _as_tar_header(info: zipfile.ZipInfo) -> tarfile.TarInfo:
    """A header with name and kind of a member of a zip file.

    `zipfile` has no filter: it would write a link as a file with the address in it.
    """
    header = tarfile.TarInfo(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        header.type = tarfile.DIRTYPE
    elif kind not in (0, stat.S_IFREG):
        header.type = tarfile.CHRTYPE
    return header
