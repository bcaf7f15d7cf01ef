"""Every recipe has the files that TensorFlow Datasets asks for, and a true README."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

tfds = pytest.importorskip("tensorflow_datasets")

from keras_interp.datasets.preparation.entries import catalogue  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "data_recipes"
RECIPES = [name for entry in catalogue().values() for name in entry.recipes]


def builder_of(recipe: str, folder: Path):
    module = importlib.import_module(f"data_recipes.{recipe}.{recipe}_dataset_builder")
    return module.Builder(data_dir=folder)


def readme(recipe: str) -> str:
    return (FOLDER / recipe / "README.md").read_text(encoding="utf-8")


def test_the_catalogue_names_all_recipes():
    folders = {path.name for path in FOLDER.iterdir() if (path / "README.md").exists()}
    assert set(RECIPES) == folders


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_files_of_a_recipe(recipe):
    wanted = ["CITATIONS.bib", "README.md", "TAGS.txt", "checksums.tsv", "dummy_data"]
    wanted += ["__init__.py", f"{recipe}_dataset_builder.py"]
    present = {path.name for path in (FOLDER / recipe).iterdir()}
    assert set(wanted) - present == set()
    # Photographs stay with their owners.
    assert ("mosaic.png" in present) == recipe.startswith("synthetic")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_readme_lists_the_features(recipe, tmp_path):
    features = set(builder_of(recipe, tmp_path).info.features)
    listed = set(re.findall(r"^\| `(\w+)` \|", readme(recipe), flags=re.MULTILINE))
    if recipe == "cub_captions":
        others = re.findall(r"^\| `(\w+)` \|", readme("cub_parts"), flags=re.MULTILINE)
        listed |= {name for name in others if not name.startswith("attribute")}
    assert listed - {"part_masks"} == features - {"part_masks"}
    assert "part_masks" in listed or "part_masks" not in features


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_examples_of_the_readme_parse(recipe):
    text = readme(recipe)
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    blocks += re.findall(r"python -c '\n(.*?)'\n", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        ast.parse(block)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_links_of_the_readme_lead_somewhere(recipe):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", readme(recipe))
    missing = [t for t in targets if not (FOLDER / recipe / t).exists()]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["synthetic_parts", "animal_part"])
def test_tfds_build_in_the_folder_of_the_recipe(recipe, tmp_path):
    pytest.importorskip("mlcroissant", reason="the command tfds needs mlcroissant")
    folder = FOLDER / recipe
    command = [sys.executable, "-m", "tensorflow_datasets.scripts.cli.main", "build"]
    command += [f"--data_dir={tmp_path}", f"--manual_dir={folder / 'dummy_data'}"]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    subprocess.run(command, cwd=folder, env=environment, check=True)
    examples, info = tfds.load(recipe, split="train", data_dir=tmp_path, with_info=True)
    assert len(examples) == info.splits["train"].num_examples > 0
