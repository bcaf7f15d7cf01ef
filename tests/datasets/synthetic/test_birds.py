"""The synthetic birds as a whole."""

from __future__ import annotations

import collections
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.datasets import (
    load,
    open_synthetic_birds,
    synthetic_bird_attributes,
    synthetic_bird_mentions,
    synthetic_bird_species,
    synthetic_birds,
    synthetic_parts,
)
from keras_interp.datasets.synthetic import birds
from keras_interp.datasets.synthetic._bird_body import LANDMARKS

NAMES = [species.name for species in synthetic_bird_species()]
FIELDS = ("images", "labels", "landmarks", "part_masks", "boxes", "split", "ids")


@pytest.fixture(scope="module")
def dataset():
    return synthetic_birds(576, seed=5)


def test_fields(dataset):
    assert dataset.images.shape == (576, 64, 64, 3)
    assert dataset.class_names == NAMES
    assert dataset.landmark_names == dataset.part_names == LANDMARKS
    assert dataset.part_masks.shape == (576, 15, 64, 64)
    assert dataset.boxes.shape == (576, 4)
    assert np.bincount(dataset.labels).tolist() == [12] * 48
    assert [len(some) for some in dataset.captions] == [10] * 576


def test_landmarks_are_those_of_cub(real_data):
    path = real_data / "cub" / "CUB_200_2011" / "parts" / "parts.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.partition(" ")[2] for line in lines] == LANDMARKS


def test_a_quarter_of_each_species_is_for_testing(dataset):
    for label in range(48):
        split = dataset.split[dataset.labels == label]
        assert (split == "test").sum() == len(split) // 4


def test_a_image_depends_on_seed_and_number_alone(dataset, monkeypatch):
    monkeypatch.setattr(birds, "_SCENES_AT_A_TIME", 7)
    monkeypatch.setattr(birds, "_PIXELS_AT_A_TIME", 3 * 64 * 64)
    monkeypatch.setattr(birds.os, "cpu_count", lambda: 1)
    few = synthetic_birds(30, seed=5)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(few, field), getattr(dataset, field)[:30])
    assert few.captions == dataset.captions[:30]
    other = synthetic_birds(30, seed=6)
    assert (other.images != few.images).mean() > 0.9
    assert other.captions != few.captions


def test_sentences_name_visible_parts_and_tell_the_truth(dataset):
    attributes = synthetic_bird_attributes(dataset, seed=5)
    own = {"wing": ("left wing", "right wing"), "eye_ring": ("left eye", "right eye")}
    for row, some in enumerate(dataset.captions):
        for sentence in some:
            said = synthetic_bird_mentions(sentence)
            assert said and said <= attributes[row], sentence
            for part in {part for part, _ in said} - {"bird"}:
                points = [LANDMARKS.index(name) for name in own.get(part, (part,))]
                assert not np.isnan(dataset.landmarks[row, points]).all()
                assert dataset.part_masks[row, points].any()


def test_a_species_alone_does_not_give_the_sentences(dataset):
    """Hidden parts and second forms change what can be said of a species."""
    attributes = synthetic_bird_attributes(dataset, seed=5)
    different = {
        label: len(
            {
                frozenset(attributes[row])
                for row in np.flatnonzero(dataset.labels == label)
            }
        )
        for label in range(48)
    }
    assert np.mean(list(different.values())) > 8  # of 12 images


def test_drab_parts_are_visible_but_not_typical(dataset):
    typical = synthetic_bird_attributes(dataset, seed=5)
    visible = synthetic_bird_attributes(dataset, seed=5, typical=False)
    more = [bool(b - a) for a, b in zip(typical, visible, strict=True)]
    assert all(a <= b for a, b in zip(typical, visible, strict=True))
    assert 0.2 < np.mean(more) < 0.5


def test_attributes_follow_the_images_of_a_part_of_the_set(dataset):
    whole = synthetic_bird_attributes(dataset, seed=5)
    some = dataset.subset([400, 2, 77])
    assert synthetic_bird_attributes(some, seed=5) == [whole[k] for k in (400, 2, 77)]
    assert synthetic_bird_attributes(some.resize((32, 32)), seed=5) == [
        whole[k] for k in (400, 2, 77)
    ]


def test_attributes_of_other_datasets_are_refused(dataset):
    with pytest.raises(ValueError, match=r"must come from synthetic_birds.*'bird'"):
        synthetic_bird_attributes(synthetic_parts(4))


def test_colors_of_the_surroundings_do_not_tell_the_species(dataset):
    """The upper and lower border, where birds seldom are, is worth next to nothing."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    border = dataset.images[:, [0, -1]].mean(axis=(1, 2)) / 255
    family = dataset.labels // 4
    scores = cross_val_score(LogisticRegression(max_iter=500), border, family, cv=3)
    assert scores.mean() < 0.17  # chance is 0.083


def test_no_constant_position_finds_a_part(dataset):
    """A tenth of the diagonal around any one place holds few of the crowns."""
    crowns = dataset.landmarks[:, LANDMARKS.index("crown")]
    crowns = crowns[~np.isnan(crowns[:, 0])]
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1).reshape(-1, 1, 2)
    distance = np.linalg.norm(crowns - grid, axis=2)
    assert (distance < 0.1 * np.hypot(64, 64)).mean(axis=1).max() < 0.4


def test_options():
    dataset = synthetic_birds(
        40,
        (48, 96),
        categories=["Common Pinejay", "Common Reedwren"],
        test_fraction=0.2,
        part_masks=False,
        captions=False,
    )
    assert dataset.images.shape == (40, 48, 96, 3)
    assert dataset.class_names == ["Common Pinejay", "Common Reedwren"]
    assert dataset.part_masks is None and dataset.captions is None
    assert (dataset.split == "test").sum() == 8


def test_the_same_species_looks_the_same_under_another_label():
    both = synthetic_birds(8, categories=["Common Pinejay", "Common Reedwren"])
    one = synthetic_birds(8, categories=["Common Pinejay"])
    np.testing.assert_array_equal(one.images[::2], both.images[::2])
    assert one.captions[::2] == both.captions[::2]


def test_load_by_name(monkeypatch):
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    test = load("synthetic_birds", split="test", num_images=192, seed=3)
    whole = synthetic_birds(192, seed=3)
    np.testing.assert_array_equal(test.images, whole.take_split("test").images)
    assert test.captions == whole.take_split("test").captions
    with pytest.raises(ValueError, match="options of synthetic_birds out of"):
        load("synthetic_birds", negatives=0.5)


def test_images_stream(dataset):
    images = pickle.loads(pickle.dumps(open_synthetic_birds(576, seed=5)))
    chunks = list(images.take(slice(100, 110)).chunks(length=4))
    assert [len(chunk["images"]) for chunk in chunks] == [4, 4, 2]
    for field in FIELDS:
        joined = np.concatenate([chunk[field] for chunk in chunks])
        np.testing.assert_array_equal(joined, getattr(dataset, field)[100:110])
    assert sum((c["captions"] for c in chunks), []) == dataset.captions[100:110]
    assert images.fields([0], size=32)["images"].shape == (1, 32, 32, 3)


def test_vocabulary_is_small_and_used(dataset):
    words = collections.Counter(
        " ".join(sum(dataset.captions, [])).replace(",", "").replace(".", "").split()
    )
    assert 60 < len(words) < 150


@settings(max_examples=8, deadline=None)
@given(
    count=st.integers(1, 9),
    size=st.integers(32, 60),
    test_fraction=st.floats(0, 1),
    difficulty=st.floats(0, 1),
    seed=st.integers(-(2**65), 2**65),
)
def test_any_arguments_in_range_give_a_dataset(
    count, size, test_fraction, difficulty, seed
):
    dataset = synthetic_birds(
        count, size, test_fraction=test_fraction, difficulty=difficulty, seed=seed
    )
    assert len(dataset) == len(dataset.captions) == count
    assert dataset.image_size == (size, size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_images": 0}, "num_images as an integer >= 1. Received: num_images=0"),
        (
            {"num_images": 2.5},
            "num_images as an integer >= 1. Received: num_images=2.5",
        ),
        (
            {"image_size": 31},
            r"image_size of 32 to 224 pixels. Received: image_size=\(31, 31\)",
        ),
        ({"image_size": (64, 225)}, "image_size of 32 to 224"),
        ({"image_size": 32.5}, "size as a .height, width. pair"),
        (
            {"categories": ["Dodo"]},
            r"'Common Marshfinch'.*Received: categories=\['Dodo'\]",
        ),
        ({"categories": []}, "different names out of"),
        ({"categories": ["Common Pinejay"] * 2}, "different names out of"),
        ({"test_fraction": -0.1}, r"test_fraction as a number from 0 to 1"),
        ({"difficulty": 2}, r"difficulty as a number from 0 to 1"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        synthetic_birds(**options)


def test_wrong_size_of_a_stream():
    with pytest.raises(ValueError, match="image_size of 32 to 224"):
        open_synthetic_birds(4).fields([0], size=16)
