"""The recipe of `synthetic_parts`."""

from __future__ import annotations

import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="TensorFlow Datasets' own test case needs dill")

from data_recipes.synthetic_parts import (  # noqa: E402
    synthetic_parts_dataset_builder as recipe,
)
from keras_interp import datasets  # noqa: E402
from keras_interp.datasets.tfds_builder import DrawnConfig  # noqa: E402


class SyntheticPartsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = recipe.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [
        DrawnConfig(
            name="few",
            size=32,
            num_images=20,
            options={"categories": ["cat"], "negatives": 0},
        )
    ]
    SPLITS = {"train": 15, "test": 5}


def test_prepared_images_are_those_of_load(prepare, collect, assert_identical):
    config = DrawnConfig(name="some", num_images=120)
    got = collect(prepare(recipe.Builder, config))
    assert_identical(got, datasets.load("synthetic_parts", num_images=120))


def test_options_reach_the_reader(prepare, collect, assert_identical):
    options = {"categories": ["cat", "bird"], "part_masks": False, "seed": 3}
    config = DrawnConfig(name="pets", size=32, num_images=30, options=options)
    want = datasets.load("synthetic_parts", num_images=30, image_size=32, **options)
    assert_identical(collect(prepare(recipe.Builder, config)), want)
