"""The recipe of `synthetic_birds`."""

from __future__ import annotations

import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="TensorFlow Datasets' own test case needs dill")

from data_recipes.synthetic_birds import (  # noqa: E402
    synthetic_birds_dataset_builder as recipe,
)
from keras_interp.datasets.synthetic.birds import synthetic_birds  # noqa: E402
from keras_interp.datasets.tfds_builder import DrawnConfig  # noqa: E402


class SyntheticBirdsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = recipe.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [DrawnConfig(name="few", size=32, num_images=192)]
    SPLITS = {"train": 144, "test": 48}


def test_prepared_images_are_those_of_load(prepare, collect, assert_identical):
    config = DrawnConfig(name="some", num_images=96)
    got = collect(prepare(recipe.Builder, config))
    assert_identical(got, synthetic_birds(96))


def test_options_reach_the_reader(prepare, collect, assert_identical):
    options = {"part_masks": False, "captions": False, "seed": 2}
    config = DrawnConfig(name="plain", size=32, num_images=50, options=options)
    got = collect(prepare(recipe.Builder, config))
    assert_identical(got, synthetic_birds(50, 32, **options))
