"""Downloads an archive and goes on where a broken download ended.

`pooch`, which fetches the small files of weights, starts a broken download from its
beginning and learns at the end that the server sent a page in place of a gigabyte. So
this is own code: it completes what a kill left behind, where the server says that its
file is still the same, and compares size and free space before the first byte.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from io import RawIOBase
from pathlib import Path

from keras_interp.datasets._progress import announce, bytes_bar
from keras_interp.datasets._safe_files import write_text_atomically
from keras_interp.datasets.preparation.entries import PublishedFile

_CHUNK = 1 << 18
_TRIES_WITHOUT_PROGRESS = 4
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_RANGE_NOT_SATISFIABLE = 416


def download(
    file: PublishedFile, folder: Path, *, timeout: float = 60.0, pause: float = 1.0
) -> Path:
    """Downloads an archive into a folder.

    What a broken download left is kept in `<filename>.part` and completed by the next
    call, where the server can start in the middle and the checksum is known or the
    server says that its file has not changed. The content is not checked here.

    Args:
        file: with its addresses.
        folder: where to put it; made where it is missing.
        timeout: longest silence of the server in seconds.
        pause: seconds before the first new try, doubled before each further one.

    Returns:
        The path of the archive.

    Raises:
        ConnectionError: if no address gives the whole file.
        ValueError: if a server offers another size than the publishers state.
        OSError: if the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / file.filename
    if complete.is_file():
        return complete
    failures = []
    for url in file.urls:
        announce(f"Downloading {url}")
        partial = _PartialFile(file, folder, url)
        try:
            _fetch(partial, timeout, pause)
        except ConnectionError as error:
            failures.append(str(error))
            continue
        partial.finish(complete)
        return complete
    raise ConnectionError(
        f"cannot download {file.filename}: {'; '.join(failures)}. Run the command "
        "again to go on from there, or download it in a browser and pass it with "
        "--archive."
    )


class _PartialFile:
    """The bytes so far, and what the server said about the file they belong to."""

    def __init__(self, file: PublishedFile, folder: Path, url: str) -> None:
        self.file = file
        self.url = url
        self.path = folder / f"{file.filename}.part"
        self.state_path = folder / f"{file.filename}.part.json"
        self.expected = file.size

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def start_again(self) -> None:
        self.path.unlink(missing_ok=True)
        self.state_path.unlink(missing_ok=True)

    def request_headers(self) -> dict[str, str]:
        """Asks for the missing bytes where they surely belong to the same file."""
        if self.expected is not None and self.size() > self.expected:
            self.start_again()
        if not self.size():
            return {}
        state = self._state()
        wanted = {"Range": f"bytes={self.size()}-"}
        if state.get("url") == self.url and state.get("validator"):
            return wanted | {"If-Range": state["validator"]}
        if self.file.sha256 is not None:
            return wanted
        self.start_again()
        return {}

    def accept(self, response: http.client.HTTPResponse) -> None:
        """Makes the file ready for the bytes of an answer."""
        start, total = _span(response)
        if start != self.size():
            # An answer with the whole file, or with something that nobody asked for.
            self.start_again()
            if start:
                raise ConnectionError(f"{self.url} answers with another range")
        if None not in (total, self.file.size) and total != self.file.size:
            raise ValueError(
                f"{self.url} offers {total:,} bytes; the publishers state "
                f"{self.file.size:,} for {self.file.filename}. It may be a page that "
                "asks for something: open the address in a browser."
            )
        self.expected = self.file.size if total is None else total
        _check_space(self.path.parent, self.expected, self.size())
        validator = response.headers.get("ETag") or ""
        if not validator or validator.startswith("W/"):
            validator = response.headers.get("Last-Modified") or ""
        state = {"url": self.url, "validator": validator}
        write_text_atomically(self.state_path, json.dumps(state))

    def append(self, response: http.client.HTTPResponse) -> None:
        """Writes the bytes of an answer as they come."""
        left = None if self.expected is None else self.expected - self.size()
        description = f"Downloading {self.file.filename}"
        with (
            self.path.open("ab", buffering=0) as output,
            bytes_bar(description, self.expected, self.size()) as advance,
        ):
            while left is None or left > 0:
                piece = response.read(_CHUNK if left is None else min(_CHUNK, left))
                if not piece:
                    break
                _write(output, piece, self.path)
                advance(len(piece))
                left = None if left is None else left - len(piece)
        if left:
            raise ConnectionError(f"{self.url} broke off, {left:,} bytes are missing")

    def finish(self, complete: Path) -> None:
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        self.path.replace(complete)
        self.state_path.unlink(missing_ok=True)

    def _state(self) -> dict[str, str]:
        try:
            return json.loads(self.state_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}


def _fetch(partial: _PartialFile, timeout: float, pause: float) -> None:
    """Tries until the file is complete or a number of tries bring nothing."""
    tries = 0
    while True:
        before = partial.size()
        try:
            _try_once(partial, timeout)
            return
        except urllib.error.HTTPError as error:
            problem = f"{partial.url} answers {error.code} {error.reason}"
            if error.code == _RANGE_NOT_SATISFIABLE:
                partial.start_again()
            elif error.code not in _TRY_AGAIN:
                raise ConnectionError(problem) from error
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            ssl.SSLError,
            ConnectionError,
            TimeoutError,
        ) as error:
            problem = f"{partial.url}: {getattr(error, 'reason', None) or error}"
        tries = 0 if partial.size() > before else tries + 1
        if tries >= _TRIES_WITHOUT_PROGRESS:
            raise ConnectionError(problem)
        time.sleep(pause * 2**tries)


def _try_once(partial: _PartialFile, timeout: float) -> None:
    from keras_interp import __version__

    if partial.expected is not None and partial.size() == partial.expected:
        return
    headers = {
        "User-Agent": f"keras_interp/{__version__}",
        "Accept-Encoding": "identity",
        **partial.request_headers(),
    }
    request = urllib.request.Request(partial.url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        partial.accept(response)
        partial.append(response)


def _span(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """First byte of an answer, and the length of the whole file where it is said."""
    length = response.headers.get("Content-Length")
    if response.status != http.client.PARTIAL_CONTENT:
        return 0, int(length) if length else None
    given = response.headers.get("Content-Range") or ""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", given)
    if match is None:
        raise ConnectionError(f"the server answers with the range {given!r}")
    total = None if match[3] == "*" else int(match[3])
    return int(match[1]), total


def _write(output: RawIOBase, piece: bytes, path: Path) -> None:
    left = memoryview(piece)
    try:
        while left:
            left = left[output.write(left) :]
    except OSError as error:
        raise OSError(
            error.errno, f"{error.strerror}, while {path} was written"
        ) from error


def _check_space(folder: Path, total: int | None, there: int) -> None:
    free = shutil.disk_usage(folder).free
    if total is not None and total - there > free:
        raise OSError(
            errno.ENOSPC,
            f"the download needs {total - there:,} bytes, {folder} has {free:,} left",
        )
