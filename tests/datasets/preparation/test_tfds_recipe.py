"""Recipes of TensorFlow Datasets, run from wherever they lie."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from keras_interp.datasets import catalogue, prepare_tfds
from keras_interp.datasets.preparation.tfds_recipe import recipe_names

pytest.importorskip("tensorflow_datasets")
pytest.importorskip("apache_beam")

RECIPE = """
import numpy as np
import tensorflow_datasets as tfds


class Builder(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Put the file numbers.txt there."

    def _info(self):
        features = {"number": tfds.features.Scalar(np.int64)}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        text = (dl_manager.manual_dir / "numbers.txt").read_text()
        return {"train": self._generate_examples([int(n) for n in text.split()])}

    def _generate_examples(self, numbers):
        import apache_beam as beam

        return beam.Create(numbers) | beam.Map(lambda n: (n, {"number": n}))
"""


@pytest.fixture
def recipes(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "data_recipes" / "a_few_numbers"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "a_few_numbers_dataset_builder.py").write_text(RECIPE)
    yield folder.parent
    for name in [n for n in sys.modules if n.startswith("a_few_numbers")]:
        del sys.modules[name]


def test_a_recipe_that_uses_beam(recipes, tmp_path):
    import tensorflow_datasets as tfds

    root = tmp_path / "numbers"
    root.mkdir()
    (root / "numbers.txt").write_text("3 1 4 1000")
    folder = prepare_tfds(
        "a_few_numbers",
        root=root,
        data_dir=tmp_path / "tfds",
        recipes=recipes,
        beam_runner="DirectRunner",
        beam_options=["--direct_num_workers=1"],
    )
    assert folder == tmp_path / "tfds" / "a_few_numbers" / "1.0.0"
    loaded = tfds.builder_from_directory(folder).as_dataset(split="train")
    assert sorted(int(e["number"]) for e in loaded) == [1, 3, 4, 1000]
    again = prepare_tfds("a_few_numbers", data_dir=tmp_path / "tfds", recipes=recipes)
    assert again == folder


def test_the_recipes_of_the_catalogue_are_there():
    checkout = Path(__file__).resolve().parents[3] / "data_recipes"
    wanted = {recipe for entry in catalogue().values() for recipe in entry.recipes}
    assert wanted <= set(recipe_names(checkout))


def test_names(recipes):
    assert recipe_names(recipes) == ["a_few_numbers"]
    with pytest.raises(ValueError, match="no recipe 'cub'; it has a_few_numbers"):
        prepare_tfds("cub", recipes=recipes)
    with pytest.raises(FileNotFoundError, match="Clone the source"):
        prepare_tfds("cub", recipes=recipes / "none")
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        prepare_tfds("cub", root="none", recipes=recipes)
