"""Downloads that break, go on, and meet servers of all kinds."""

from __future__ import annotations

import dataclasses

import pytest

from keras_interp.datasets.preparation._download import download


def unknown(published):
    """The same file without anything that the publishers state."""
    return dataclasses.replace(published, size=None, sha256=None)


def test_whole_file(server, published, tmp_path):
    path = download(published, tmp_path / "downloads", pause=0)
    assert path == tmp_path / "downloads" / "birds.bin"
    assert path.read_bytes() == server.content
    assert [p.name for p in path.parent.iterdir()] == ["birds.bin"]
    assert download(published, path.parent) == path
    assert server.asked == [None]


def test_broken_connections_go_on_where_they_ended(server, published, tmp_path):
    server.break_after = [300_000, 200_000, None]
    path = download(published, tmp_path, pause=0)
    assert path.read_bytes() == server.content
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


@pytest.mark.parametrize("known", [True, False])
def test_the_next_run_goes_on(server, published, tmp_path, known):
    published = published if known else unknown(published)
    server.break_after = [700_000]
    server.statuses = [200, 503, 503, 503, 503]
    with pytest.raises(ConnectionError, match="503.*Run the command again"):
        download(published, tmp_path, pause=0)
    assert (tmp_path / "birds.bin.part").stat().st_size == 700_000
    assert not (tmp_path / "birds.bin").exists()
    path = download(published, tmp_path, pause=0)
    assert path.read_bytes() == server.content
    assert server.asked[-1] == "bytes=700000-"


def test_a_changed_file_is_not_glued_to_the_old_one(server, published, tmp_path):
    server.break_after = [700_000]
    server.statuses = [200, 503, 503, 503, 503]
    with pytest.raises(ConnectionError):
        download(unknown(published), tmp_path, pause=0)
    server.content, server.etag = server.content[::-1], '"version-2"'
    path = download(unknown(published), tmp_path, pause=0)
    assert path.read_bytes() == server.content


def test_nothing_known_of_the_file_starts_again(server, published, tmp_path):
    server.etag = None
    server.break_after = [700_000]
    path = download(unknown(published), tmp_path, pause=0)
    assert path.read_bytes() == server.content
    assert server.asked == [None, None]


def test_a_server_without_ranges_starts_again(server, published, tmp_path):
    server.with_ranges = False
    server.break_after = [500_000]
    path = download(published, tmp_path, pause=0)
    assert path.read_bytes() == server.content


def test_more_bytes_than_the_file_has_are_thrown_away(server, published, tmp_path):
    (tmp_path / "birds.bin.part").write_bytes(b"x" * (len(server.content) + 5))
    assert download(published, tmp_path, pause=0).read_bytes() == server.content


def test_a_complete_part_of_an_unknown_file(server, published, tmp_path):
    server.break_after = [700_000]
    server.statuses = [200, 503, 503, 503, 503]
    with pytest.raises(ConnectionError):
        download(unknown(published), tmp_path, pause=0)
    (tmp_path / "birds.bin.part").write_bytes(server.content)
    path = download(unknown(published), tmp_path, pause=0)
    assert path.read_bytes() == server.content


def test_another_size_than_stated_is_refused_before_the_bytes(
    server, published, tmp_path
):
    server.content = b"<html>confirm the download</html>"
    with pytest.raises(ValueError, match=r"offers 33 bytes.*state 1,024,000 for birds"):
        download(published, tmp_path, pause=0)
    assert not (tmp_path / "birds.bin").exists()


def test_a_missing_file_is_tried_once_and_then_elsewhere(server, published, tmp_path):
    server.statuses = [404]
    with pytest.raises(ConnectionError, match="404 Not Found.*--archive"):
        download(published, tmp_path, pause=0)
    assert len(server.asked) == 1
    server.statuses = [404]
    both = dataclasses.replace(published, urls=(server.url, server.url))
    assert download(both, tmp_path, pause=0).read_bytes() == server.content


def test_nobody_listens(published, tmp_path):
    nobody = dataclasses.replace(published, urls=("http://127.0.0.1:9/birds.bin",))
    with pytest.raises(ConnectionError, match="cannot download birds.bin"):
        download(nobody, tmp_path, pause=0)


def test_a_disk_without_room_is_named_before_the_bytes(server, published, tmp_path):
    huge = dataclasses.replace(published, size=None, sha256=None)
    server.content = _Endless()
    with pytest.raises(OSError, match="the download needs .* has .* left"):
        download(huge, tmp_path, pause=0)
    assert not (tmp_path / "birds.bin.part").exists()


class _Endless:
    """Content of a length that no disk has room for, of which nothing is sent."""

    def __len__(self) -> int:
        return 1 << 60

    def __getitem__(self, _: slice) -> _Endless:
        return self
