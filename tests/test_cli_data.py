"""The commands `keras-interp data list` and `keras-interp data prepare`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keras_interp.cli import app
from keras_interp.datasets import catalogue, load


def run(*arguments: object, width: int = 80) -> str:
    words = ["data", *map(str, arguments)]
    environment = {"COLUMNS": str(width)}
    result = CliRunner().invoke(app, words, env=environment, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def nothing_here(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    return tmp_path


def test_list_names_every_dataset_and_how_to_get_it(nothing_here):
    output = run("list", width=500)
    for entry in catalogue().values():
        for words in (entry.name, entry.holds, entry.pictures, entry.size):
            assert words in output
        assert entry.licence in output
    assert "cub: run keras-interp data prepare cub" in output
    assert "by hand: keras-interp data prepare animal_part says how" in output
    assert output.count("here: drawn when it is loaded") == 3


def test_the_table_fits_a_narrow_window(nothing_here):
    table, _, _ = run("list").partition("synthetic_parts: ")
    assert all(len(line) <= 80 for line in table.splitlines())


def test_list_says_where_a_dataset_was_found(nothing_here, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(nothing_here))
    (nothing_here / "cub").mkdir()
    (nothing_here / "home" / "animal_part").mkdir(parents=True)
    output = run("list")
    assert f"found in {nothing_here / 'cub'}; without ten English sentences" in output
    assert f"found in {nothing_here / 'home' / 'animal_part'}" in output


def test_prepare_real_birds_for_load(real_data, nothing_here):
    output = run("prepare", "cub", "--root", real_data / "cub")
    assert "which must stay" in output
    found = load("cub", split="test", max_images_per_category=1, size=32)
    assert len(found) > 100
    assert f"found in {nothing_here / 'home' / 'cub'}\n" in run("list")
    other = run("prepare", "cub", "--root", real_data / "cub", "--out", "elsewhere/cub")
    assert "elsewhere" in other.replace("\n", "")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_error_is_one_message_and_no_traceback(nothing_here):
    command = [sys.executable, "-m", "keras_interp.cli", "data", "prepare"]
    paths = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    result = subprocess.run(
        [*command, "animal_part"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **paths, "KERAS_BACKEND": "numpy"},
    )
    assert result.returncode == 2
    assert result.stderr.startswith("keras-interp: animal_part has archives that you")
    assert "Traceback" not in result.stderr


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["data", "prepare", *map(str, arguments)])
    assert isinstance(result.exception, ValueError | FileNotFoundError)
    return str(result.exception)


def test_options_that_do_not_go_together(nothing_here):
    assert "need --tfds" in refused("cub", "--beam-runner", "DirectRunner")
    assert "takes no --archive" in refused("cub", "--tfds", "--archive", "x.tgz")
    assert "takes no --archive and no --out" in refused("cub", "--tfds", "--out", "x")


def test_recipes_that_are_not_there(nothing_here):
    missing = refused("cub", "--tfds", "--recipes", nothing_here / "none")
    assert "Clone the source and pass its folder data_recipes with --recipes" in missing
    (nothing_here / "empty").mkdir()
    assert "has no recipe 'cub'; it has" in refused(
        "cub", "--tfds", "--recipes", nothing_here / "empty"
    )
    assert "is not a folder" in refused("cub", "--tfds", "--root", "none")
