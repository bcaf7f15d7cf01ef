"""The recipe of `animal_part`."""

from __future__ import annotations

import shutil

import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="TensorFlow Datasets' own test case needs dill")

from data_recipes.animal_part import (  # noqa: E402
    animal_part_dataset_builder as recipe,
)
from keras_interp import datasets  # noqa: E402
from keras_interp.datasets.tfds_builder import PartsConfig  # noqa: E402

DUMMY = recipe.Builder.code_path.parent / "dummy_data"


class AnimalPartTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = recipe.Builder
    SPLITS = {"train": 15, "test": 4}


def test_options_reach_the_reader(prepare, collect, assert_identical):
    options = {"part_masks": True, "negatives": False, "multiple_boxes": "first"}
    config = PartsConfig(name="cats", root=str(DUMMY), size=32, options=options)
    got = collect(prepare(recipe.Builder, config))
    assert got.class_names == ["goldfish", "bird", "cat"]
    assert got.part_names == ["head", "front_legs"]
    assert_identical(got, datasets.load("animal_part", DUMMY, size=32, **options))


def test_a_manual_download_is_asked_for(prepare):
    with pytest.raises(FileNotFoundError, match="(?s)git clone .*/detanimalpart"):
        prepare(recipe.Builder)


def test_a_folder_for_manual_downloads_is_found(prepare, tmp_path):
    # Where TensorFlow Datasets looks if nobody names a folder.
    shutil.copytree(DUMMY, tmp_path / "downloads/manual/animal_part")
    assert prepare(recipe.Builder).info.splits["train"].num_examples == 15


@pytest.mark.slow
def test_real_animals_are_those_of_load(real_data, prepare, collect, assert_identical):
    root = real_data / "animal_part"
    options = {
        "categories": ["bird", "horse", "cat"],
        "max_images_per_category": 12,
        "negatives": 5,
    }
    config = PartsConfig(name="three", root=str(root), options=options)
    got = collect(prepare(recipe.Builder, config))
    assert_identical(got, datasets.load("animal_part", root, **options))
