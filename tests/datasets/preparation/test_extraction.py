"""Archives that were made to do harm, and archives that are broken."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.datasets.preparation import _extraction
from keras_interp.datasets.preparation._extraction import extract


def everything(name: str) -> str:
    return name


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def files_below(folder) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


GOOD = [("a/b.txt", b"one"), ("./a/c/d.bin", bytes(1000)), ("e", b"")]
WANTED = {"a/b.txt": b"one", "a/c/d.bin": bytes(1000), "e": b""}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar(tmp_path, out, make_tar, mode, form, monkeypatch):
    monkeypatch.setattr(tarfile.TarFile, "format", form)
    long = "folder/" + "n" * 180
    members = [*GOOD, (long, b"long name"), ("exact", bytes(1024))]
    archive = make_tar(tmp_path / "good.tar", members, mode)
    assert extract(archive, out, everything) == 5
    assert files_below(out) == WANTED | {long: b"long name", "exact": bytes(1024)}


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(tmp_path, out, packing):
    with zipfile.ZipFile(tmp_path / "good.zip", "w", packing) as file:
        file.mkdir("a")
        for name, content in GOOD:
            file.writestr(name, content)
    assert extract(tmp_path / "good.zip", out, everything) == 3
    assert files_below(out) == WANTED


def test_members_are_placed_or_left_out(tmp_path, out, make_tar):
    members = [("keep/x", b"1"), ("drop/x", b"2"), ("keep/._x", b"3")]
    archive = make_tar(tmp_path / "some.tgz", members)

    def place(name):
        return f"here/{PurePosixPath(name).name}" if "keep" in name else None

    assert extract(archive, out, place) == 1
    assert files_below(out) == {"here/x": b"1"}


def test_permissions_are_not_taken_over(tmp_path, out, make_tar):
    info = tarfile.TarInfo("run")
    info.mode, info.size = 0o6777, 2
    extract(make_tar(tmp_path / "x.tar", [(info, b"ab")], "w"), out, everything)
    assert (out / "run").stat().st_mode & 0o7111 == 0


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("name", ["a/../../evil", "../evil", "..", "a/../.."])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_paths_that_leave_the_folder(tmp_path, out, make_tar, name, kind):
    archive = tmp_path / f"evil.{kind}"
    if kind == "tar":
        make_tar(archive, [(name, b"x")], "w")
    else:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, b"x")
    # The same holds for members that nobody wants.
    for place in (everything, lambda name: None):
        with pytest.raises(ValueError, match="outside the destination") as caught:
            extract(archive, out, place)
        assert str(archive) in str(caught.value)
        assert f"refused the member {name!r}" in str(caught.value)
    assert files_below(out) == {} and not (tmp_path / "evil").exists()


def test_a_place_that_leaves_the_folder(tmp_path, out, make_tar):
    """What is cut off in front of a path may be what kept it inside."""
    archive = make_tar(tmp_path / "evil.tgz", [("a/b/../../evil", b"x")])
    with pytest.raises(ValueError, match="outside the destination"):
        extract(archive, out, lambda name: "../evil")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["/etc/evil", "C:/evil", "a\\..\\evil", "a\nb", "//x"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_other_strange_names_stay_in_the_folder(tmp_path, out, make_tar, name, kind):
    archive = tmp_path / f"evil.{kind}"
    if kind == "tar":
        make_tar(archive, [(name, b"x")], "w")
    else:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, b"x")
    try:
        extract(archive, out, everything)
    except ValueError as error:  # as on Windows, where a drive is no folder
        assert "refused the member" in str(error)
    else:
        assert list(files_below(out).values()) == [b"x"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, "out"]


SPECIAL = {
    "symbolic link": (special("l", tarfile.SYMTYPE, "/etc"), "is an? (absolute )?link"),
    "hard link": (special("l", tarfile.LNKTYPE, "x"), "it is neither"),
    "device": (special("l", tarfile.BLKTYPE), "is a special file"),
    "terminal": (special("l", tarfile.CHRTYPE), "is a special file"),
    "pipe": (special("l", tarfile.FIFOTYPE), "is a special file"),
}


@pytest.mark.parametrize("info, reason", SPECIAL.values(), ids=SPECIAL)
def test_links_and_devices_in_tar(tmp_path, out, make_tar, info, reason):
    archive = make_tar(tmp_path / "evil.tgz", [("x", b"1"), (info, b"")])
    with pytest.raises(ValueError, match=f"refused the member 'l': .*{reason}"):
        extract(archive, out, everything)


def test_writing_through_a_link_is_refused_at_the_link(tmp_path, out, make_tar):
    members = [(special("l", tarfile.SYMTYPE, ".."), b""), ("l/evil", b"x")]
    with pytest.raises(ValueError, match="refused the member 'l'"):
        extract(make_tar(tmp_path / "evil.tgz", members), out, everything)
    assert not (tmp_path / "evil").exists()


def test_links_and_devices_in_zip(tmp_path, out):
    for kind in (stat.S_IFLNK, stat.S_IFIFO):
        info = zipfile.ZipInfo("l")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
            file.writestr(info, "/etc")
        with pytest.raises(ValueError, match="refused the member 'l': .*special file"):
            extract(tmp_path / "evil.zip", out, everything)
    assert files_below(out) == {}


@pytest.mark.parametrize("names", [("x", "x"), ("x", "x/y"), ("x/y", "x")])
def test_two_members_of_one_path(tmp_path, out, make_tar, names):
    archive = make_tar(tmp_path / "evil.tgz", [(name, b"1") for name in names])
    with pytest.raises(ValueError, match=f"{names[1]}': another member has the same"):
        extract(archive, out, everything)


@pytest.fixture
def small_limits(monkeypatch):
    """Bombs of some kilobytes instead of gigabytes."""
    monkeypatch.setattr(_extraction, "_ALWAYS_ALLOWED", 100_000)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_bomb_in_tar(tmp_path, out, make_tar, small_limits, wanted):
    archive = make_tar(tmp_path / "bomb.tgz", [("a", b"1"), ("zeros", bytes(10**7))])
    assert archive.stat().st_size < 20_000
    with pytest.raises(ValueError, match="bomb.tgz.*('a'|'zeros')") as caught:
        extract(archive, out, everything if wanted else lambda name: None)
    assert "far more than" in str(caught.value)
    written = sum(len(content) for content in files_below(out).values())
    assert written < 2_000_000


def test_a_bomb_in_zip(tmp_path, out, small_limits):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(20):
            file.writestr(f"zeros{number}", bytes(90_000))
    with pytest.raises(ValueError, match="refused the member 'zeros2': .*far more"):
        extract(tmp_path / "bomb.zip", out, everything)


def test_a_header_that_is_a_bomb(tmp_path, out):
    header = special("pax", tarfile.XHDTYPE)
    header.size = 1 << 32
    with gzip.open(tmp_path / "bomb.tgz", "wb") as file:
        file.write(header.tobuf() + bytes(10**6))
    with pytest.raises(ValueError, match="a header of 4,294,967,296 bytes"):
        extract(tmp_path / "bomb.tgz", out, everything)


def test_a_sparse_file_is_a_bomb(tmp_path, out):
    info = special("sparse", tarfile.GNUTYPE_SPARSE)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00000000000\x0000000000000\x00"
    header[483:495] = b"77777777777\x00"
    header[148:156] = b"        "
    header[148:156] = b"%06o\x00 " % sum(header)
    (tmp_path / "sparse.tar").write_bytes(bytes(header) + bytes(1024))
    with pytest.raises(ValueError, match="'sparse': it is neither a plain file"):
        extract(tmp_path / "sparse.tar", out, everything)


def test_sizes_that_lie(tmp_path, out):
    info = tarfile.TarInfo("short")
    info.size = 5000
    (tmp_path / "lie.tar").write_bytes(info.tobuf() + b"only this")
    with pytest.raises(ValueError, match="lie.tar is damaged or unsafe after 'short'"):
        extract(tmp_path / "lie.tar", out, everything)
    with zipfile.ZipFile(tmp_path / "lie.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("more", bytes(10_000))
    packed = bytearray((tmp_path / "lie.zip").read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = packed.index(signature) + offset
        assert struct.unpack("<I", packed[place : place + 4]) == (10_000,)
        packed[place : place + 4] = struct.pack("<I", 10)
    (tmp_path / "lie.zip").write_bytes(packed)
    with pytest.raises(ValueError, match="lie.zip is damaged or unsafe after 'more'"):
        extract(tmp_path / "lie.zip", out, everything)


def test_a_negative_size_does_not_go_round_for_ever(tmp_path, out):
    info = tarfile.TarInfo("back")
    header = bytearray(info.tobuf())
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -1024)
    header[148:156] = b"        "
    header[148:156] = b"%06o\x00 " % sum(header)
    (tmp_path / "back.tar").write_bytes(bytes(header) + bytes(2048))
    with pytest.raises(ValueError, match="back.tar"):
        extract(tmp_path / "back.tar", out, lambda name: None)


CUT = [0.02, 0.3, 0.6, 0.95]


@pytest.mark.parametrize("share", CUT)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_archives_that_are_cut_off(tmp_path, out, make_tar, rng, share, mode):
    members = [(f"{n}", rng.bytes(3000)) for n in range(5)]
    whole = make_tar(tmp_path / "x.tar", members, mode)
    data = whole.read_bytes().rstrip(b"\0")
    whole.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="x.tar is (damaged|no )"):
        extract(whole, out, everything)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_cut_between_members_is_seen_too(tmp_path, out, make_tar, rng, mode):
    members = [(f"{n}", rng.bytes(1024)) for n in range(5)]
    whole = make_tar(tmp_path / "x.tar", members, "w").read_bytes()[: 3 * 1536]
    (tmp_path / "x.tar").write_bytes(gzip.compress(whole) if ":" in mode else whole)
    with pytest.raises(ValueError, match="after '2': the end is missing"):
        extract(tmp_path / "x.tar", out, everything)


def test_a_changed_byte(tmp_path, out, make_tar, rng):
    archive = make_tar(tmp_path / "x.tgz", [("a", rng.bytes(50_000))])
    data = bytearray(archive.read_bytes())
    data[25_000] ^= 1
    archive.write_bytes(data)
    with pytest.raises(ValueError, match="x.tgz is damaged"):
        extract(archive, out, everything)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("b", rng.bytes(50_000))
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[25_000] ^= 1
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ValueError, match="x.zip is damaged or unsafe after 'b'"):
        extract(tmp_path / "x.zip", out, everything)


def test_files_that_are_no_archives(tmp_path, out):
    page = tmp_path / "cub.tgz"
    page.write_text("\n<!DOCTYPE html><html>Google Drive - Virus scan warning</html>")
    with pytest.raises(ValueError, match="cub.tgz is a web page, not an archive"):
        extract(page, out, everything)
    for content in (b"", b"hello", bytes(5000)):
        page.write_bytes(content)
        with pytest.raises(ValueError, match="cub.tgz is no .tar, .tar.gz or .zip"):
            extract(page, out, everything)


@given(data=st.data())
def test_random_damage_never_does_anything_else_than_a_value_error(
    data, tmp_path_factory
):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        for name in ("a", "b/c"):
            info = tarfile.TarInfo(name)
            info.size = 700
            file.addfile(info, io.BytesIO(bytes(range(256)) * 3))
    content = bytearray(tar.getvalue()[:4096])
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=20)):
        content[place] = value
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "x.tar").write_bytes(content)
    (folder / "out").mkdir()
    try:
        extract(folder / "x.tar", folder / "out", everything)
    except ValueError as error:
        assert "x.tar" in str(error)
    assert {path.name for path in folder.iterdir()} == {"x.tar", "out"}


@given(data=st.data())
def test_a_damaged_zip_is_named_whatever_its_damage(data, tmp_path_factory):
    """OSError, IndexError, NotImplementedError, BadZipFile: one error for the user."""
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("a", "b/c"):
            file.writestr(name, bytes(range(256)) * 3)
    content = bytearray(path.read_bytes())
    places = st.integers(4, len(content) - 1)
    changes = st.tuples(places, st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=8)):
        content[place] = value
    path.write_bytes(content[: data.draw(st.one_of(st.none(), places))])
    (folder / "out").mkdir()
    try:
        extract(path, folder / "out", everything)
    except ValueError as error:
        assert "x.zip" in str(error)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (6, 0x40),  # the version needed: NotImplementedError
        (8, 0x01),  # encrypted: RuntimeError
        (10, 0x63),  # a way of packing that nobody knows: NotImplementedError
        (45, 0x7F),  # where the member begins, far behind the end
    ],
)
def test_damage_of_a_zip_that_gave_other_errors(tmp_path, out, offset, value):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", b"content")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(content)
    with pytest.raises(ValueError, match="x.zip is damaged or unsafe"):
        extract(path, out, everything)
