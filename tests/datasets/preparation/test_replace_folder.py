"""The folder is the old or the new one, also where names cannot be exchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_interp.datasets.preparation import replace_folder as module
from keras_interp.datasets.preparation.replace_folder import (
    clean_up,
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


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_replace(target):
    replace_folder(target)
    assert (target / "file").read_text() == "new"
    assert names(target) == ["cub"]


def test_the_first_time(target):
    (target / "file").unlink()
    target.rmdir()
    replace_folder(target)
    assert (target / "file").read_text() == "new"
    assert names(target) == ["cub"]


def test_nothing_new_leaves_the_old(target):
    (work_folder(target) / "file").unlink()
    work_folder(target).rmdir()
    with pytest.raises(OSError):
        replace_folder(target)
    assert (target / "file").read_text() == "old"
    assert names(target) == ["cub"]


def test_a_half_written_folder_is_removed(target):
    clean_up(target)
    assert (target / "file").read_text() == "old"
    assert names(target) == ["cub"]


def test_killed_between_two_renames(target):
    target.rename(target.with_name(".cub.old"))
    clean_up(target)
    assert (target / "file").read_text() == "old"
    assert names(target) == ["cub"]


def test_killed_before_the_old_folder_was_removed(target):
    target.rename(target.with_name(".cub.old"))
    work_folder(target).rename(target)
    clean_up(target)
    assert (target / "file").read_text() == "new"
    assert names(target) == ["cub"]


def test_links_are_removed_and_what_they_lead_to_is_not(target, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "picture").write_text("mine")
    (target / "images").symlink_to(precious)
    replace_folder(target)
    assert (precious / "picture").read_text() == "mine"
