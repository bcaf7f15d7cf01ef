"""A dataset taken apart and put together again is the same."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_interp import datasets
from keras_interp.datasets import catalogue, prepare_tfds
from keras_interp.datasets._tfds import parts_features, recipe_names, to_examples

tfds = pytest.importorskip("tensorflow_datasets")

INFO_FIELDS = {"landmark_names": ["head", "tail"], "part_names": None}


@pytest.fixture
def fields(rng) -> dict:
    """Three images of 5x4 pixels with everything that an image may have."""
    landmarks = rng.uniform(0, 4, (3, 2, 2)).astype(np.float32)
    landmarks[1, 0] = np.nan
    return {
        "images": rng.integers(0, 256, (3, 5, 4, 3)).astype(np.uint8),
        "labels": np.array([1, 0, 1]),
        "landmarks": landmarks,
        "boxes": np.array([[0, 0, 4, 5], [np.nan] * 4, [1, 1, 2, 3]], np.float32),
        "ids": np.array(["a/1", "a/2", "b/é"]),
        "split": np.array(["train", "test", "train"]),
        "groups": np.array([7, 7, 10**15]),
        "part_masks": rng.random((3, 2, 5, 4)) < 0.5,
        "captions": [["one bird."], [], ["a bird.", "a small bird’s beak."]],
    }


def through_tfds(fields: dict, **kinds):
    """Serializes and reads back, as a prepared dataset does."""
    features = tfds.features.FeaturesDict(parts_features((5, 4), 2, **kinds))
    features["label"].names = ["gull", "wren"]
    examples = [
        {
            name: value.numpy()
            for name, value in features.deserialize_example(
                features.serialize_example(example)
            ).items()
        }
        for example in to_examples(fields)
    ]
    metadata = INFO_FIELDS | (
        {"part_names": ["head", "tail"]} if "num_part_masks" in kinds else {}
    )
    info = types.SimpleNamespace(name="tiny", features=features, metadata=metadata)
    return examples, info


def test_everything_comes_back(fields):
    kinds = {"num_part_masks": 2, "captions": True, "groups": True}
    got = datasets.from_tfds(*through_tfds(fields, **kinds))
    assert got.class_names == ["gull", "wren"]
    assert got.landmark_names == got.part_names == ["head", "tail"]
    assert got.captions == fields["captions"]
    for name in ("images", "labels", "landmarks", "boxes", "ids", "split", "groups"):
        np.testing.assert_array_equal(getattr(got, name), fields[name], err_msg=name)
    np.testing.assert_array_equal(got.part_masks, fields["part_masks"])


def test_what_is_not_there_stays_away(fields):
    wanted = {name: fields[name] for name in list(fields)[:6]}
    wanted["ids"] = np.array([3, 1, 2])
    got = datasets.from_tfds(*through_tfds(wanted, numbered=True))
    assert got.ids.tolist() == [3, 1, 2]
    assert got.part_masks is got.captions is got.groups is got.part_names is None


def test_the_number_of_parts_may_be_left_open(fields):
    features = parts_features((5, 4), None, num_part_masks=None)
    assert features["landmarks"].shape == (None, 2)
    assert features["part_masks"].shape == (None, 5, 4)
    del fields["captions"], fields["groups"]
    got = datasets.from_tfds(*through_tfds(fields, num_part_masks=None))
    np.testing.assert_array_equal(got.part_masks, fields["part_masks"])


def test_images_are_stored_without_loss(fields):
    example = next(to_examples(fields))
    image = Image.open(io.BytesIO(example["image"]))
    assert image.format == "PNG"
    np.testing.assert_array_equal(np.asarray(image), fields["images"][0])
    assert example["landmarks_visible"].tolist() == [True, True]


def test_no_examples_are_an_error(fields):
    _, info = through_tfds(fields, num_part_masks=2, captions=True, groups=True)
    with pytest.raises(ValueError, match="got 0 of tiny"):
        datasets.from_tfds([], info)


def test_examples_of_other_recipes_are_an_error(fields):
    info = types.SimpleNamespace(name="mnist", metadata=None)
    with pytest.raises(ValueError, match="recipe of keras_interp.*mnist"):
        datasets.from_tfds([{"image": fields["images"][0]}], info)


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
    checkout = Path(__file__).resolve().parents[2] / "data_recipes"
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
