"""A dataset taken apart and put together again is the same."""

from __future__ import annotations

import io
import types

import numpy as np
import pytest
from PIL import Image

from keras_interp import datasets
from keras_interp.datasets.tfds_examples import parts_features, to_examples

tfds = pytest.importorskip("tensorflow_datasets")

INFO_FIELDS = {"landmark_names": ["head", "tail"], "part_names": None}


@pytest.fixture
def fields(rng) -> dict:
    """Three pictures of 5x4 pixels with everything that a picture may have."""
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


def test_pictures_are_stored_without_loss(fields):
    example = next(to_examples(fields))
    picture = Image.open(io.BytesIO(example["image"]))
    assert picture.format == "PNG"
    np.testing.assert_array_equal(np.asarray(picture), fields["images"][0])
    assert example["landmarks_visible"].tolist() == [True, True]


def test_no_examples_are_an_error(fields):
    _, info = through_tfds(fields, num_part_masks=2, captions=True, groups=True)
    with pytest.raises(ValueError, match="got 0 of tiny"):
        datasets.from_tfds([], info)


def test_examples_of_other_recipes_are_an_error(fields):
    info = types.SimpleNamespace(name="mnist", metadata=None)
    with pytest.raises(ValueError, match="recipe of keras_interp.*mnist"):
        datasets.from_tfds([{"image": fields["images"][0]}], info)
