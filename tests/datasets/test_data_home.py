"""Where prepared datasets lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_interp.datasets import prepared_folder


def test_the_variable_names_the_folder_of_all_datasets(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path))
    assert prepared_folder("cub") == tmp_path / "cub"


def test_without_it_they_are_at_home(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_INTERP_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert prepared_folder("cub") == tmp_path / ".keras_interp" / "datasets" / "cub"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "/etc", "a\0"])
def test_only_plain_names(name):
    with pytest.raises(ValueError, match="name must be that of a dataset"):
        prepared_folder(name)
