"""The recipe of `cub_captions`."""

from __future__ import annotations

import shutil

import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="TensorFlow Datasets' own test case needs dill")

from data_recipes.cub_captions import (  # noqa: E402
    cub_captions_dataset_builder as recipe,
)
from keras_interp import datasets  # noqa: E402
from keras_interp.datasets.tfds_builder import PartsConfig  # noqa: E402

DUMMY = recipe.Builder.code_path.parent / "dummy_data"


class CubCaptionsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = recipe.Builder
    SPLITS = {"train": 2, "test": 2}


def test_sentences_join_by_name(prepare):
    config = PartsConfig(name="given", root=str(DUMMY), size=16)
    builder = prepare(recipe.Builder, config)
    examples = {e["id"]: e for e in tfds.as_numpy(builder.as_dataset(split="test"))}
    sentences = examples[b"001.Dummy_A/Dummy_A_0002_2"]["captions"]
    assert len(sentences) == 10
    assert sentences[9] == b"this bird is drawing 2 and sentence 10 is about it."


def test_sentences_by_hand_join_images_from_elsewhere(prepare, tmp_path, monkeypatch):
    shutil.copytree(DUMMY / "CUB_200_2011", tmp_path / "data/cub/CUB_200_2011")
    shutil.copytree(DUMMY / "text_c10", tmp_path / "manual/text_c10")
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path / "data"))
    builder = prepare(recipe.Builder, manual_dir=tmp_path / "manual")
    assert builder.info.splits.total_num_examples == 4


def test_missing_sentences_are_asked_for(prepare, tmp_path):
    shutil.copytree(DUMMY / "CUB_200_2011", tmp_path / "data/CUB_200_2011")
    config = PartsConfig(name="given", root=str(tmp_path / "data"), size=16)
    with pytest.raises(FileNotFoundError, match="captions_root=.*text_c10|reedscot"):
        prepare(recipe.Builder, config)


def test_real_sentences_are_those_of_load(
    real_data, prepare, collect, assert_identical
):
    options = {"categories": [1, 4], "max_images_per_category": 8}
    root = real_data / "cub"
    config = PartsConfig(name="two", root=str(root), options=options)
    got = collect(prepare(recipe.Builder, config))
    want = datasets.load("cub", root, size=224, captions=True, **options)
    assert all(len(sentences) == 10 for sentences in want.captions)
    assert_identical(got, want)
