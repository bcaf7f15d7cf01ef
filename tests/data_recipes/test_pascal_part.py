"""The recipe of `pascal_part`."""

from __future__ import annotations

import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="TensorFlow Datasets' own test case needs dill")

from data_recipes.pascal_part import (  # noqa: E402
    pascal_part_dataset_builder as recipe,
)
from keras_interp import datasets  # noqa: E402
from keras_interp.datasets.tfds_builder import PartsConfig  # noqa: E402

DUMMY = recipe.Builder.code_path.parent / "dummy_data"


class PascalPartTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = recipe.Builder
    SPLITS = {"train": 5, "test": 1}


def test_original_parts(prepare, collect, assert_identical):
    options = {"parts": "original", "categories": ["horse"]}
    config = PartsConfig(name="horses", root=str(DUMMY), size=32, options=options)
    got = collect(prepare(recipe.Builder, config))
    assert "left_front_upper_leg" in got.part_names
    assert_identical(got, datasets.load("pascal_part", DUMMY, size=32, **options))


def test_without_masks(prepare, collect, assert_identical):
    options = {"part_masks": False}
    config = PartsConfig(name="points", root=str(DUMMY), size=32, options=options)
    got = collect(prepare(recipe.Builder, config))
    assert got.part_masks is None
    assert_identical(got, datasets.load("pascal_part", DUMMY, size=32, **options))


def test_a_manual_download_is_asked_for(prepare):
    with pytest.raises(FileNotFoundError, match="(?s)Annotations_Part.*VOCdevkit"):
        prepare(recipe.Builder)


def test_real_objects_are_those_of_load(real_data, prepare, collect, assert_identical):
    root = real_data / "pascal_part"
    config = PartsConfig(name="here", root=str(root))
    got = collect(prepare(recipe.Builder, config))
    assert_identical(got, datasets.load("pascal_part", root))
