"""Where prepared datasets lie."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_interp.datasets import PartsDataset, load, prepared_folder, synthetic_parts
from keras_interp.datasets._registry import find_root


def test_the_variable_names_the_folder_of_all_datasets(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path))
    assert prepared_folder("cub") == tmp_path / "cub"


def test_without_it_they_are_at_home(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_INTERP_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert prepared_folder("cub") == tmp_path / ".keras_interp" / "datasets" / "cub"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "/etc", "a\0"])
def test_only_plain_names(name):
    with pytest.raises(ValueError, match="name as that of a dataset"):
        prepared_folder(name)


def test_synthetic_parts_needs_no_files(monkeypatch):
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    dataset = load("synthetic_parts", split="test", num_images=40, seed=3)
    assert isinstance(dataset, PartsDataset)
    whole = synthetic_parts(40, seed=3)
    np.testing.assert_array_equal(dataset.images, whole.take_split("test").images)


def test_root_and_split(cub_root):
    assert len(load("cub", cub_root)) == 3
    assert len(load("cub", root=str(cub_root.parent), split="test")) == 1
    assert load("cub", cub_root, categories=["Wren"], size=8).image_size == (8, 8)


def test_environment_variable(cub_root, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(cub_root.parent.parent))
    cub_root.parent.rename(cub_root.parent.parent / "cub")
    assert len(load("cub")) == 3


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match="name as one of synthetic_parts, .*planted_parts, cub"
    ):
        load("cubs")


def test_unknown_option_lists_the_known_ones(cub_root):
    with pytest.raises(
        ValueError, match=r"options of cub out of .*'crop'.*Received: .'colour'."
    ):
        load("cub", cub_root, colour=1)
    with pytest.raises(ValueError, match="options of synthetic_parts out of"):
        load("synthetic_parts", crop="box")


def test_synthetic_parts_takes_no_root(tmp_path):
    with pytest.raises(ValueError, match="no root for synthetic_parts"):
        load("synthetic_parts", tmp_path)


def test_what_was_prepared_comes_after_the_variable(cub_root, monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    target = tmp_path / "home" / "cub"
    shutil.copytree(cub_root.parent, target, ignore=shutil.ignore_patterns("home"))
    assert len(load("cub")) == 3
    assert find_root("cub") == target
    (tmp_path / "data" / "cub").mkdir(parents=True)
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path / "data"))
    assert find_root("cub") == tmp_path / "data" / "cub"


def test_every_reader_mirrors_and_knows_the_split_of_the_authors(cub_root):
    dataset = load("cub", cub_root, split="authors", mirror=True, size=8)
    assert dataset.split.tolist() == ["train", "test", "train"] * 2


@pytest.mark.parametrize("name", ["cub", "animal_part", "pascal_part"])
def test_no_folder_says_what_is_wanted(name, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=f"'{name}' .*http.*pass root="):
        load(name)
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"{name} is not a folder"):
        load(name)
    with pytest.raises(FileNotFoundError, match="root='absent' is not a folder with"):
        load(name, root="absent")


IMPORTS = """
import sys, keras
before = set(sys.modules)
import keras_interp.datasets.synthetic.animals
import keras_interp.datasets as datasets
assert callable(datasets.synthetic_parts) and callable(datasets.load)
added = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(added & {"PIL", "h5py", "scipy", "threadpoolctl"}))
"""


def test_importing_is_light_and_names_stay_functions():
    result = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
