"""The recipe of `cub_parts`."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="TensorFlow Datasets' own test case needs dill")

from data_recipes.cub_parts import cub_parts_dataset_builder as recipe  # noqa: E402
from keras_interp import datasets  # noqa: E402
from keras_interp.datasets.tfds_builder import PartsConfig  # noqa: E402

DUMMY = recipe.Builder.code_path.parent / "dummy_data"


class CubPartsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = recipe.Builder
    SPLITS = {"train": 3, "test": 2}


def test_the_archive_has_the_checksum_that_tfds_states():
    theirs = tfds.builder_cls("caltech_birds2011").url_infos
    assert recipe.Builder.url_infos == {
        recipe.Builder.DOWNLOAD: theirs[recipe.Builder.DOWNLOAD]
    }


def test_fields(prepare):
    config = PartsConfig(name="given", root=str(DUMMY), size=32)
    builder = prepare(recipe.Builder, config)
    metadata = builder.info.metadata
    assert metadata["landmark_names"][:3] == ["back", "beak", "belly"]
    assert metadata["attribute_names"][311] == "has_dummy::value_312"
    assert builder.info.features["label"].names == [
        f"00{k}.Dummy_{c}" for k, c in enumerate("ABC", start=1)
    ]
    examples = {e["id"]: e for e in tfds.as_numpy(builder.as_dataset(split="train"))}
    bird = examples[b"001.Dummy_A/Dummy_A_0001_1"]
    assert bird["image"].shape == (32, 32, 3)
    np.testing.assert_array_equal(bird["box"], [0, 0, 32, 32])
    assert bird["landmarks_visible"].sum() == np.isfinite(bird["landmarks"]).sum() / 2
    assert bird["group"] == 1 and bird["split"] == b"train"
    # Lines "1 150 1 4" and "1 7 0 1" of the file; of most others nobody saw the part.
    assert bird["attributes"][149] and not bird["attributes"][6]
    assert bird["attribute_certainties"][[149, 6, 0]].tolist() == [4, 1, 3]
    assert np.count_nonzero(bird["attribute_certainties"]) == 312


@pytest.mark.parametrize("place", ["manual", "manual/cub"])
def test_a_folder_for_manual_downloads_is_found(prepare, tmp_path, place):
    shutil.copytree(DUMMY, tmp_path / place)
    builder = prepare(recipe.Builder, manual_dir=tmp_path / "manual")
    assert builder.info.splits["train"].num_examples == 3


def test_the_folder_of_the_environment_is_found(prepare, tmp_path, monkeypatch):
    shutil.copytree(DUMMY, tmp_path / "data" / "cub")
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path / "data"))
    builder = prepare(recipe.Builder)
    assert builder.info.splits["test"].num_examples == 2


def test_without_attributes_nothing_is_listed(prepare, tmp_path):
    shutil.copytree(DUMMY, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "CUB_200_2011" / "attributes")
    config = PartsConfig(name="given", root=str(tmp_path / "data"), size=16)
    builder = prepare(recipe.Builder, config)
    assert builder.info.metadata["attribute_names"] is None
    for example in tfds.as_numpy(builder.as_dataset(split="test")):
        assert not example["attribute_certainties"].any()


def test_nothing_is_left_of_a_preparation_that_fails(prepare, tmp_path):
    shutil.copytree(DUMMY, tmp_path / "data")
    (image,) = (tmp_path / "data").glob("CUB_200_2011/images/003*/*.jpg")
    image.write_bytes(image.read_bytes()[:500])
    config = PartsConfig(name="given", root=str(tmp_path / "data"))
    with pytest.raises(Exception, match=image.name):
        prepare(recipe.Builder, config)
    assert not list((tmp_path / "prepared").rglob("*tfrecord*"))


def test_real_birds_are_those_of_load(real_data, prepare, collect, assert_identical):
    options = {"categories": [1, 4, 10], "max_images_per_category": 12}
    root = real_data / "cub"
    config = PartsConfig(name="three", root=str(root), options=options)
    got = collect(prepare(recipe.Builder, config))
    assert_identical(got, datasets.load("cub", root, size=224, **options))
