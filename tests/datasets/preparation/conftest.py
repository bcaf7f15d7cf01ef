"""Archives, a server that breaks off, and a dataset small enough to prepare often."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keras_interp.datasets.preparation.entries import DatasetEntry, PublishedFile


@pytest.fixture
def make_tar() -> Callable[..., Path]:
    """Writes a tar file of (name or TarInfo, bytes) pairs."""

    def make(path: Path, members, mode: str = "w:gz") -> Path:
        with tarfile.open(path, mode) as tar:
            for member, content in members:
                info = member
                if isinstance(member, str):
                    info = tarfile.TarInfo(member)
                    info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path

    return make


@pytest.fixture
def cub_archive(cub_root, make_tar, tmp_path) -> Path:
    """The small CUB-200-2011 as it is published: one folder and a file beside it."""
    members = [
        (f"CUB_200_2011/{path.relative_to(cub_root).as_posix()}", path.read_bytes())
        for path in sorted(cub_root.rglob("*"))
        if path.is_file()
    ]
    members += [("attributes.txt", b"1 has_bill_shape::curved\n")]
    members += [("CUB_200_2011/._images.txt", b"of macOS")]
    (tmp_path / "downloads").mkdir()
    return make_tar(tmp_path / "downloads" / "CUB_200_2011.tgz", members)


@pytest.fixture
def sentences_archive(tmp_path, make_tar) -> Path:
    members = [
        ("cvpr2016_cub/text_c10/001.Gull/a.txt", b"a white gull\n"),
        ("cvpr2016_cub/text_c10/001.Gull.t7", b"left out"),
    ]
    return make_tar(tmp_path / "cvpr2016_cub.tar.gz", members)


@pytest.fixture
def cub_entry(cub_archive) -> DatasetEntry:
    """The catalogue's entry with size and checksum of the small archive."""
    from keras_interp.datasets import catalogue

    entry = catalogue()["cub"]
    birds = dataclasses.replace(
        entry.files[0],
        urls=(),
        size=cub_archive.stat().st_size,
        sha256=hashlib.sha256(cub_archive.read_bytes()).hexdigest(),
    )
    return dataclasses.replace(entry, files=(birds, *entry.files[1:]))


@dataclasses.dataclass
class Server:
    """What the server of a test does, and what it was asked.

    `break_after` holds for each of the next requests the number of bytes after which
    the connection ends; None lets it go on to the end.
    """

    content: bytes
    url: str = ""
    etag: str | None = '"version-1"'
    with_ranges: bool = True
    break_after: list[int | None] = dataclasses.field(default_factory=list)
    statuses: list[int] = dataclasses.field(default_factory=list)
    asked: list[str | None] = dataclasses.field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """A real server on this machine with `Range`, `If-Range` and broken connections."""
    state = Server(content=bytes(range(256)) * 4000)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            status = state.statuses.pop(0) if state.statuses else 200
            if status != 200:
                self.send_error(status)
                return
            start = self.first_byte(wanted)
            if start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if start:
                last = len(state.content) - 1
                span = f"bytes {start}-{last}/{len(state.content)}"
                self.send_header("Content-Range", span)
            if state.etag is not None:
                self.send_header("ETag", state.etag)
            self.end_headers()
            end = state.break_after.pop(0) if state.break_after else None
            self.wfile.write(body[:end])

        def first_byte(self, wanted: str | None) -> int:
            same = self.headers.get("If-Range") in (None, state.etag)
            if wanted is None or not state.with_ranges or not same:
                return 0
            match = re.fullmatch(r"bytes=(\d+)-", wanted)
            assert match is not None
            return int(match[1])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.url = f"http://127.0.0.1:{running.server_address[1]}/birds.bin"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield state
        running.shutdown()


@pytest.fixture
def published(server) -> PublishedFile:
    """The file on the server, whose publishers state size and checksum."""
    return PublishedFile(
        filename="birds.bin",
        holds="bytes",
        fills=("birds",),
        members=((r"(birds/.+)", r"\1"),),
        urls=(server.url,),
        size=len(server.content),
        sha256=hashlib.sha256(server.content).hexdigest(),
    )
