"""The bytes of an archive, unpacked no further than is reasonable."""

from __future__ import annotations

from typing import Protocol

_LARGEST_READ = 1 << 24
_CHUNK = 1 << 18


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
        while distance > 0 and (piece := self.read(min(distance, _CHUNK))):
            distance -= len(piece)
        return self.tell()

    def drain(self) -> None:
        """Reads to the end, where packed data have their own checksum."""
        while self.read(_CHUNK):
            pass

    def _count(self, piece: bytes) -> None:
        self._position += len(piece)
        self._last = piece[-1:]
        if self._position > self._allowed:
            raise ValueError(
                f"it unpacks to more than {self._allowed:,} bytes, far more than "
                "pictures and tables do"
            )
