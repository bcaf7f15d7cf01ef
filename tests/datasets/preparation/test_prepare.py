"""The folder is the old or the new one, also where names cannot be exchanged."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keras_interp.datasets import load, prepare
from keras_interp.datasets.preparation import _prepare as module
from keras_interp.datasets.preparation._prepare import (
    RECORD,
    clean_up,
    prepare_entry,
    replace_folder,
    work_folder,
)


@pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
def target(request, tmp_path, monkeypatch) -> Path:
    """An old folder with a new one ready, on two kinds of file systems."""
    if not request.param:
        monkeypatch.setattr(module, "_exchange", lambda first, second: False)
    for folder, text in (
        (tmp_path / "cub", "old"),
        (work_folder(tmp_path / "cub"), ""),
    ):
        folder.mkdir()
        (folder / "file").write_text(text or "new")
    return tmp_path / "cub"


def file_names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_replace(target):
    replace_folder(target)
    assert (target / "file").read_text() == "new"
    assert file_names(target) == ["cub"]


def test_the_first_time(target):
    (target / "file").unlink()
    target.rmdir()
    replace_folder(target)
    assert (target / "file").read_text() == "new"
    assert file_names(target) == ["cub"]


def test_nothing_new_leaves_the_old(target):
    (work_folder(target) / "file").unlink()
    work_folder(target).rmdir()
    with pytest.raises(OSError):
        replace_folder(target)
    assert (target / "file").read_text() == "old"
    assert file_names(target) == ["cub"]


def test_a_half_written_folder_is_removed(target):
    clean_up(target)
    assert (target / "file").read_text() == "old"
    assert file_names(target) == ["cub"]


def test_killed_between_two_renames(target):
    target.rename(target.with_name(".cub.old"))
    clean_up(target)
    assert (target / "file").read_text() == "old"
    assert file_names(target) == ["cub"]


def test_killed_before_the_old_folder_was_removed(target):
    target.rename(target.with_name(".cub.old"))
    work_folder(target).rename(target)
    clean_up(target)
    assert (target / "file").read_text() == "new"
    assert file_names(target) == ["cub"]


def test_links_are_removed_and_what_they_lead_to_is_not(target, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "image").write_text("mine")
    (target / "images").symlink_to(precious)
    replace_folder(target)
    assert (precious / "image").read_text() == "mine"


def names(folder: Path) -> list[str]:
    # The empty file of the lock stays, see `folder_lock`.
    return sorted(p.name for p in folder.iterdir() if p.name != ".cub.lock")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty folder for prepared datasets; nothing else is found."""
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    return tmp_path / "home"


class TestArchives:
    def test_load_finds_what_was_prepared(self, home, cub_entry, cub_archive, cub_root):
        folder = prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        assert folder == home / "cub"
        np.testing.assert_array_equal(load("cub").images, load("cub", cub_root).images)
        assert names(home) == ["cub"] and names(folder) == ["CUB_200_2011", RECORD]
        assert (folder / "CUB_200_2011" / "attributes.txt").is_file()
        assert not list(folder.rglob("._*"))
        record = json.loads((folder / RECORD).read_text())
        assert record["sha256"] == {"CUB_200_2011.tgz": cub_entry.files[0].sha256}
        assert cub_archive.is_file()

    def test_an_archive_may_have_any_name(self, home, cub_entry, cub_archive):
        renamed = cub_archive.rename(cub_archive.with_name("birds (1).download"))
        prepare_entry(cub_entry, home / "cub", root=renamed)
        assert len(load("cub")) == 3

    def test_sentences_are_added_to_images(
        self, home, cub_entry, cub_archive, sentences_archive, capsys
    ):
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        image = home / "cub" / "CUB_200_2011" / "images" / "001.Gull" / "a.jpg"
        before = image.stat().st_ino
        prepare_entry(cub_entry, home / "cub", archives=[sentences_archive])
        assert names(home / "cub") == ["CUB_200_2011", RECORD, "text_c10"]
        assert image.stat().st_ino == before
        assert load("cub", categories=["Gull"]).image_size == (20, 40)
        assert "state no checksum. SHA-256" in capsys.readouterr().out
        record = json.loads((home / "cub" / RECORD).read_text())
        assert set(record["sha256"]) == {"CUB_200_2011.tgz", "cvpr2016_cub.tar.gz"}

    def test_both_archives_at_once(
        self, home, cub_entry, cub_archive, sentences_archive
    ):
        archives = [sentences_archive, cub_archive]
        prepare_entry(cub_entry, home / "cub", archives=archives)
        assert names(home / "cub") == ["CUB_200_2011", RECORD, "text_c10"]

    def test_a_second_time_is_nothing_to_do(self, home, cub_entry, cub_archive, capsys):
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        inode = (home / "cub").stat().st_ino
        prepare_entry(cub_entry, home / "cub")
        assert "is prepared already" in capsys.readouterr().out
        assert (home / "cub").stat().st_ino == inode

    def test_a_new_archive_replaces_the_old_folder(self, home, cub_entry, cub_archive):
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        (home / "cub" / "CUB_200_2011" / "images.txt").write_text("damaged")
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        assert len(load("cub")) == 3
        assert names(home) == ["cub"]


class TestFirstUse:
    """Archives whose publishers state no checksum."""

    def test_a_different_archive_later_is_refused(
        self, home, cub_entry, cub_archive, sentences_archive, make_tar, capsys
    ):
        both = [cub_archive, sentences_archive]
        prepare_entry(cub_entry, home / "cub", archives=both)
        assert "trusted on this first use" in capsys.readouterr().out
        make_tar(sentences_archive, [("text_c10/001.Gull/a.txt", b"other words\n")])
        shutil.rmtree(home / "cub")
        with pytest.raises(ValueError, match="differs from the .* used first") as error:
            prepare_entry(cub_entry, home / "cub", archives=both)
        (home / ".cub.checksums.json").unlink()
        assert str(home / ".cub.checksums.json") in str(error.value)
        prepare_entry(cub_entry, home / "cub", archives=both)

    def test_what_could_not_be_used_is_not_trusted(
        self, home, cub_entry, cub_archive, sentences_archive
    ):
        right = sentences_archive.read_bytes()
        sentences_archive.write_text("<html>Virus scan warning</html>")
        both = [cub_archive, sentences_archive]
        with pytest.raises(ValueError, match="is a web page"):
            prepare_entry(cub_entry, home / "cub", archives=both)
        sentences_archive.write_bytes(right)
        prepare_entry(cub_entry, home / "cub", archives=both)


class TestDownloads:
    @pytest.fixture
    def online(self, cub_entry, cub_archive, server):
        server.content = cub_archive.read_bytes()
        cub_archive.unlink()
        birds = dataclasses.replace(cub_entry.files[0], urls=(server.url,))
        return dataclasses.replace(cub_entry, files=(birds, *cub_entry.files[1:]))

    def test_downloads_and_tidies_up(self, home, online, server):
        server.break_after = [1000]
        prepare_entry(online, home / "cub")
        assert len(load("cub")) == 3
        assert names(home) == ["cub"]
        assert server.asked == [None, "bytes=1000-"]

    def test_a_wrong_checksum_is_thrown_away(self, home, online, server):
        right = server.content
        server.content = right[:-1] + b"x"
        with pytest.raises(ValueError, match="expected the SHA-256 .* got "):
            prepare_entry(online, home / "cub")
        assert not (home / "cub").exists()
        server.content = right
        prepare_entry(online, home / "cub")
        assert len(load("cub")) == 3


class TestFolders:
    def test_an_extracted_folder_is_linked(self, home, cub_entry, cub_root):
        before = snapshot(cub_root)
        prepare_entry(cub_entry, home / "cub", root=cub_root)
        assert (home / "cub" / "CUB_200_2011").is_symlink()
        assert len(load("cub")) == 3
        assert snapshot(cub_root) == before

    def test_the_folder_around_it(self, home, cub_entry, cub_root, tmp_path):
        (tmp_path / "birds" / "text_c10").mkdir(parents=True)
        cub_root.rename(tmp_path / "birds" / "CUB_200_2011")
        prepare_entry(cub_entry, home / "cub", root=tmp_path / "birds")
        assert names(home / "cub") == ["CUB_200_2011", RECORD, "text_c10"]
        assert len(load("cub")) == 3

    def test_a_folder_of_another_name(self, home, cub_entry, cub_root):
        folder = cub_root.rename(cub_root.with_name("my birds"))
        prepare_entry(cub_entry, home / "cub", root=folder)
        assert len(load("cub")) == 3

    def test_sentences_are_added_to_a_linked_folder(
        self, home, cub_entry, cub_root, sentences_archive
    ):
        prepare_entry(cub_entry, home / "cub", root=cub_root)
        prepare_entry(cub_entry, home / "cub", archives=[sentences_archive])
        assert (home / "cub" / "CUB_200_2011").is_symlink()
        assert names(home / "cub") == ["CUB_200_2011", RECORD, "text_c10"]
        assert len(load("cub")) == 3

    def test_preparing_again_leaves_the_extracted_folder_alone(
        self, home, cub_entry, cub_root, cub_archive
    ):
        before = snapshot(cub_root)
        prepare_entry(cub_entry, home / "cub", root=cub_root)
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        assert not (home / "cub" / "CUB_200_2011").is_symlink()
        assert snapshot(cub_root) == before

    def test_a_damaged_folder_is_named_and_not_linked(self, home, cub_entry, cub_root):
        (cub_root / "bounding_boxes.txt").write_text("10 1.0 2.0\n")
        with pytest.raises(ValueError, match="not a whole cub.*bounding_boxes.txt, li"):
            prepare_entry(cub_entry, home / "cub", root=cub_root)
        assert names(home) == []

    def test_real_animals(self, real_data, home):
        prepare("animal_part", root=real_data / "animal_part")
        animals = load("animal_part", categories=["dog"], max_images_per_category=5)
        assert len(animals.take_split("train")) > 0


class TestBadInput:
    def test_drawn_sets_need_no_files(self, home):
        with pytest.raises(ValueError, match=r"needs no files: call .*load\("):
            prepare("synthetic_parts")

    def test_unknown_names(self, home):
        with pytest.raises(ValueError, match="'cubs'; known: "):
            prepare("cubs")
        with pytest.raises(ValueError, match="is a recipe .*: prepare 'cub', or add"):
            prepare("cub_parts")

    def test_archives_to_be_downloaded_by_hand(self, home):
        with pytest.raises(FileNotFoundError) as caught:
            prepare("animal_part")
        text = str(caught.value)
        assert "https://github.com/zqs1022/detanimalpart" in text
        assert "--archive detanimalpart-master.zip --archive interpretableCNN-" in text

    def test_missing_files(self, home, tmp_path):
        with pytest.raises(FileNotFoundError, match="no archive .*none.tgz"):
            prepare("cub", archives=[tmp_path / "none.tgz"])
        with pytest.raises(FileNotFoundError, match="neither a folder nor an archive"):
            prepare("cub", root=tmp_path / "none")

    def test_folder_and_archives(self, home, tmp_path):
        with pytest.raises(ValueError, match="not both"):
            prepare("cub", root=tmp_path, archives=["x.tgz"])

    def test_an_archive_that_is_none_of_these(self, home, tmp_path):
        (tmp_path / "segmentations.tgz").write_bytes(b"x")
        with pytest.raises(ValueError, match="cannot tell which archive of cub"):
            prepare("cub", archives=[tmp_path / "segmentations.tgz"])

    def test_an_archive_that_is_cut_off(self, home, tmp_path):
        (tmp_path / "CUB_200_2011.tgz").write_bytes(b"x")
        with pytest.raises(ValueError, match="has 1 bytes; .* state 1,150,585,339"):
            prepare("cub", archives=[tmp_path / "CUB_200_2011.tgz"])

    def test_an_archive_of_other_things(self, home, tmp_path, make_tar, cub_entry):
        archive = make_tar(tmp_path / "cvpr2016_cub.tar.gz", [("flowers/a.txt", b"x")])
        birds = dataclasses.replace(cub_entry.files[1], optional=False)
        entry = dataclasses.replace(cub_entry, files=(birds,))
        with pytest.raises(ValueError, match="does not hold what .*text_c10"):
            prepare_entry(entry, home / "cub", archives=[archive])
        assert names(home) == []

    def test_a_folder_of_somebody_else_is_not_replaced(
        self, home, cub_entry, cub_archive
    ):
        (home / "cub").mkdir(parents=True)
        (home / "cub" / "thesis.txt").write_text("years of work")
        with pytest.raises(ValueError, match="was not prepared by keras_interp"):
            prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        assert snapshot(home / "cub") == {"thesis.txt": b"years of work"}

    def test_a_folder_of_another_dataset(self, home, cub_entry, cub_archive):
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        other = dataclasses.replace(cub_entry, name="pascal_part")
        with pytest.raises(ValueError, match="holds 'cub'; choose another"):
            prepare_entry(other, home / "cub", archives=[cub_archive])
        (home / "cub" / RECORD).write_text("{")
        with pytest.raises(ValueError, match="prepared.json is damaged"):
            prepare_entry(cub_entry, home / "cub", archives=[cub_archive])

    def test_folders_in_one_another(self, cub_entry, cub_root):
        with pytest.raises(ValueError, match="must not lie in one another"):
            prepare_entry(cub_entry, cub_root / "prepared", root=cub_root)

    def test_an_empty_folder_may_be_there(self, home, cub_entry, cub_archive):
        (home / "cub").mkdir(parents=True)
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        assert len(load("cub")) == 3


PREPARE = """
import sys, time, dataclasses, hashlib, pathlib
from keras_interp.datasets import catalogue
from keras_interp.datasets.preparation import _extraction
from keras_interp.datasets.preparation._prepare import prepare_entry
archive, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
entry = catalogue()["cub"]
birds = dataclasses.replace(
    entry.files[0], size=None, sha256=hashlib.sha256(archive.read_bytes()).hexdigest())
entry = dataclasses.replace(entry, files=(birds, entry.files[1]))
exec(sys.argv[3])
prepare_entry(entry, target, archives=[archive])
"""
SLOW = """
write = _extraction._Members.write
def slowly(*arguments):
    print("writing", flush=True)
    time.sleep(0.2)
    return write(*arguments)
_extraction._Members.write = slowly
"""
LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
"""


def start(archive: Path, target: Path, prelude: str) -> subprocess.Popen:
    # The backend that is imported quickest.
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(archive), str(target), prelude],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "numpy"},
    )


def start_and_wait_for_writing(archive: Path, target: Path) -> subprocess.Popen:
    process = start(archive, target, SLOW)
    assert process.stdout is not None
    while (line := process.stdout.readline()) and line != "writing\n":
        pass
    assert line, process.communicate()[1]
    return process


class TestProcesses:
    """Real processes that are killed, meet each other, or run out of disk."""

    @pytest.mark.parametrize("first", [True, False])
    def test_killed_while_extracting(
        self, home, cub_entry, cub_archive, sentences_archive, first
    ):
        home.mkdir()
        if not first:
            prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        before = snapshot(home / "cub")
        process = start_and_wait_for_writing(cub_archive, home / "cub")
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert ".cub.new" in names(home) and ".cub.lock.json" in names(home)
        assert snapshot(home / "cub") == before
        assert (home / "cub").exists() != first
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        assert names(home) == ["cub"]
        assert len(load("cub")) == 3

    def test_two_at_once(self, home, cub_entry, cub_archive):
        home.mkdir()
        process = start_and_wait_for_writing(cub_archive, home / "cub")
        with pytest.raises(BlockingIOError, match=f"process {process.pid} on"):
            prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert names(home) == ["cub"] and len(load("cub")) == 3

    def test_writing_fails(self, home, cub_entry, cub_archive):
        home.mkdir()
        prepare_entry(cub_entry, home / "cub", archives=[cub_archive])
        before = snapshot(home / "cub")
        process = start(cub_archive, home / "cub", LIMIT)
        _, errors = process.communicate()
        last = errors.strip().splitlines()[-1]
        assert f"[Errno {errno.EFBIG}] File too large, while 'CUB_200_2011/" in last
        assert snapshot(home / "cub") == before and names(home) == ["cub"]

    def test_the_disk_is_full(self, home, cub_entry, cub_archive):
        """On a file system of 20 kilobytes, where this system lets a user make one."""
        home.mkdir()
        mount = f"mount -t tmpfs -o size=20k none {home}"
        then = (
            f"{sys.executable} -c \"$1\" {cub_archive} {home / 'cub'} ''; ls -A {home}"
        )
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", f"{mount} && ({then})", "sh", PREPARE],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KERAS_BACKEND": "numpy"},
        )
        if "No space left" not in done.stderr and "Errno" not in done.stderr:
            pytest.skip(f"no small file system here: {done.stderr.strip()[-200:]}")
        last = done.stderr.strip().splitlines()[-1]
        assert f"[Errno {errno.ENOSPC}] No space left on device, while 'CUB_200" in last
        assert done.stdout.strip().splitlines()[-1:] != ["cub"]
        assert ".cub.new" not in done.stdout
