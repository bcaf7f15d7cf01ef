"""Drawn one by one or all at once, images are the same."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp import datasets
from keras_interp.datasets import synthetic_parts
from keras_interp.datasets.synthetic import animals
from keras_interp.datasets.synthetic._animal_body import CATEGORIES, PARTS


@pytest.fixture(scope="module")
def images() -> datasets.DrawnImages:
    return datasets.open_synthetic_parts(60, 24, texture_masks=True)


@pytest.fixture(scope="module")
def drawn() -> datasets.PartsDataset:
    return datasets.synthetic_parts(60, 24, texture_masks=True)


@pytest.mark.parametrize("length", [1, 7, 256])
def test_chunks_are_what_is_drawn_at_once(images, drawn, length):
    rows = np.random.default_rng(0).permutation(60)[:20]
    chunks = list(pickle.loads(pickle.dumps(images)).take(rows).chunks(length=length))
    assert len(chunks) == -(-20 // length)
    want = drawn.subset(rows)
    names = ("images", "labels", "landmarks", "boxes", "ids", "split", "part_masks")
    for name in (*names, "texture_masks"):
        got = np.concatenate([chunk[name] for chunk in chunks])
        np.testing.assert_array_equal(got, getattr(want, name), err_msg=name)


def test_masks_are_there_if_asked_for():
    images = datasets.open_synthetic_parts(3, 16, part_masks=False)
    assert images.part_names is None
    assert not {"part_masks", "texture_masks"} & images.fields([0]).keys()


def test_another_size_draws_the_same_scene(images):
    (fields,) = images.take([5]).chunks(size=48)
    assert fields["images"].shape == (1, 48, 48, 3)
    small = images.fields([5])
    np.testing.assert_allclose(fields["boxes"], small["boxes"] * 2, atol=1e-3)


def test_it_says_what_it_is(images):
    assert len(images) == 60
    assert repr(images) == (
        "DrawnImages(60 images, 7 classes, 10 landmarks, 24x24 pixels)"
    )


def test_a_chunk_needs_a_length(images):
    with pytest.raises(
        ValueError, match="length as an integer >= 1. Received: length=0"
    ):
        next(images.chunks(length=0))


def test_classes_are_taken_with_new_labels(images):
    some = pickle.loads(pickle.dumps(images.take_classes(["background", "cow"])))
    assert some.class_names == ["background", "cow"] and set(some.labels) == {0, 1}
    dataset = some.load()
    assert dataset.is_background.tolist() == (some.labels == 0).tolist()
    whole = images.load()
    np.testing.assert_array_equal(dataset.images, whole.images[some.ids])
    np.testing.assert_array_equal(dataset.landmarks, whole.landmarks[some.ids])
    for names in (["dragon"], ["cow", "cow"], "cow"):
        with pytest.raises(ValueError, match="Expected different names out of"):
            images.take_classes(names)


@pytest.mark.parametrize(
    ("categories", "missing"),
    [
        (["bird"], {"neck", "front_legs", "ears", "horns", "trunk"}),
        (["horse", "cat"], {"beak", "horns", "trunk"}),
        (["elephant", "bird"], {"horns"}),
        (None, set()),
    ],
)
def test_only_landmarks_that_occur_are_named(categories, missing):
    """Whoever draws birds alone does not want to read `nan` about their ears."""
    some = synthetic_parts(120, 32, categories=categories, difficulty=0, seed=3)
    names = [name for name in PARTS if name not in missing]
    assert some.landmark_names == some.part_names == names
    assert some.part_masks.shape[1] == some.landmarks.shape[1] == len(names)
    assert np.isfinite(some.landmarks[..., 0]).any(axis=0).all()
    assert some.part_masks.any(axis=(0, 2, 3)).all()


def test_parts_left_out_change_nothing_else():
    everything = synthetic_parts(40, 32, categories=["bird", "cow", "elephant"])
    birds = synthetic_parts(40, 32, categories=["bird"])
    row = [everything.landmark_names.index(name) for name in birds.landmark_names]
    assert np.allclose(everything.landmarks[0, row], birds.landmarks[0], equal_nan=True)
    np.testing.assert_array_equal(everything.part_masks[0, row], birds.part_masks[0])


ONLY = {"beak": ["bird"], "horns": ["cow"], "trunk": ["elephant"]}


@pytest.fixture(scope="module")
def dataset():
    return synthetic_parts(600, seed=5)


def test_fields(dataset):
    assert dataset.images.shape == (600, 64, 64, 3)
    assert dataset.class_names == [*CATEGORIES, "background"]
    assert dataset.landmark_names == dataset.part_names == PARTS
    assert dataset.part_masks.shape == (600, 10, 64, 64)
    assert np.bincount(dataset.labels).tolist() == [75] * 6 + [150]
    assert dataset.is_background.mean() == 0.25


def test_a_quarter_of_each_class_is_for_testing(dataset):
    for label in range(7):
        split = dataset.split[dataset.labels == label]
        assert (split == "test").sum() == len(split) // 4


def test_a_image_depends_on_seed_and_number_alone(dataset, monkeypatch):
    monkeypatch.setattr(animals, "_SCENES_AT_A_TIME", 7)
    monkeypatch.setattr(animals, "_PIXELS_AT_A_TIME", 3 * 64 * 64)
    monkeypatch.setattr(animals.os, "cpu_count", lambda: 1)
    few = synthetic_parts(30, seed=5)
    for field in ("images", "labels", "landmarks", "part_masks", "boxes", "split"):
        np.testing.assert_array_equal(getattr(few, field), getattr(dataset, field)[:30])
    other = synthetic_parts(30, seed=6)
    assert (other.images != few.images).mean() > 0.9


def test_landmarks_are_the_centroids_of_visible_parts(dataset):
    y, x = np.mgrid[:64, :64] + 0.5
    masks = dataset.part_masks.astype(float)
    area = masks.sum(axis=(2, 3))
    clear = (area > 25) & ~np.isnan(dataset.landmarks[..., 0])
    assert clear.sum() > 2000
    centroid = np.stack([(masks * x).sum((2, 3)), (masks * y).sum((2, 3))], -1)
    centroid = centroid[clear] / area[clear][:, None]
    distance = np.linalg.norm(centroid - dataset.landmarks[clear], axis=1)
    # Masks leave out pixels that are covered by less than half.
    assert np.median(distance) < 0.3 and distance.max() < 4


def test_absent_parts_have_neither_landmark_nor_mask(dataset):
    absent = np.isnan(dataset.landmarks[..., 0])
    assert absent[dataset.is_background].all()
    assert not dataset.part_masks[dataset.is_background].any()
    assert np.isnan(dataset.boxes[dataset.is_background]).all()
    for part, owners in ONLY.items():
        k = PARTS.index(part)
        owns = np.isin(dataset.labels, [CATEGORIES.index(name) for name in owners])
        assert absent[~owns, k].all() and absent[owns, k].mean() < 0.2
        assert not dataset.part_masks[~owns, k].any()
    bird = dataset.labels == CATEGORIES.index("bird")
    assert absent[bird, PARTS.index("front_legs")].all()


def test_boxes_surround_the_parts(dataset):
    animal = ~dataset.is_background
    boxes = dataset.boxes[animal]
    assert (boxes >= 0).all() and (boxes <= 64).all()
    y, x = np.nonzero(np.ones((64, 64)))
    inside = (
        (x + 1 >= boxes[:, :1])
        & (x <= boxes[:, 2:3])
        & (y + 1 >= boxes[:, 1:2])
        & (y <= boxes[:, 3:])
    )
    visible = dataset.part_masks[animal].any(axis=1).reshape(len(boxes), -1)
    assert (visible & ~inside).sum() < 0.002 * visible.sum()  # soft tips
    points = dataset.landmarks[~np.isnan(dataset.landmarks)]
    assert points.min() >= 0 and points.max() <= 64


def test_parts_of_a_image_do_not_overlap(dataset):
    assert dataset.part_masks.sum(axis=1).max() <= 2
    assert (dataset.part_masks.sum(axis=1) > 1).mean() < 1e-3


def test_no_constant_position_finds_the_head(dataset):
    """A tenth of the diagonal around any one place holds few of the heads."""
    heads = dataset.landmarks[:, PARTS.index("head")]
    heads = heads[~np.isnan(heads[:, 0])]
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1).reshape(-1, 1, 2)
    distance = np.linalg.norm(heads - grid, axis=2)
    assert (distance < 0.1 * np.hypot(64, 64)).mean(axis=1).max() < 0.25


def test_colours_do_not_tell_the_category(dataset):
    """A linear classifier on colour histograms stays near chance."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    animal = ~dataset.is_background
    levels = dataset.images[animal].reshape(animal.sum(), -1, 3) // 64
    histograms = np.stack(
        [(levels == level).mean(axis=1) for level in range(4)], axis=2
    ).reshape(animal.sum(), -1)
    classifier = LogisticRegression(C=10, max_iter=500)
    scores = cross_val_score(classifier, histograms, dataset.labels[animal], cv=3)
    assert scores.mean() < 0.35  # chance is 0.17


def test_difficulty_adds_loose_parts_and_hides_parts():
    easy = synthetic_parts(200, difficulty=0)
    hard = synthetic_parts(200, difficulty=1)
    assert easy.part_masks.sum() > hard.part_masks.sum()
    seen = [(~np.isnan(d.landmarks[..., 0])).mean() for d in (easy, hard)]
    assert seen[0] > seen[1]


def test_options():
    dataset = synthetic_parts(
        50,
        (48, 96),
        categories=["rabbit", "cat"],
        negatives=0.5,
        test_fraction=0.2,
        part_masks=False,
    )
    assert dataset.images.shape == (50, 48, 96, 3)
    assert dataset.class_names == ["rabbit", "cat", "background"]
    assert dataset.part_masks is None
    assert (dataset.split == "test").mean() == pytest.approx(0.2, abs=0.05)
    without = synthetic_parts(12, negatives=0)
    assert without.class_names == CATEGORIES and not without.is_background.any()
    nothing = synthetic_parts(4, negatives=1)
    assert nothing.is_background.all()


@settings(max_examples=8, deadline=None)
@given(
    count=st.integers(1, 9),
    size=st.integers(16, 40),
    negatives=st.floats(0, 1),
    difficulty=st.floats(0, 1),
    seed=st.integers(-(2**65), 2**65),
)
def test_any_arguments_in_range_give_a_dataset(
    count, size, negatives, difficulty, seed
):
    dataset = synthetic_parts(
        count, size, negatives=negatives, difficulty=difficulty, seed=seed
    )
    assert len(dataset) == count and dataset.image_size == (size, size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_images": 0}, "num_images as an integer >= 1"),
        ({"image_size": 8}, "image_size of 16 pixels or more"),
        ({"image_size": 32.5}, "size as a .height, width. pair"),
        ({"categories": ["dragon"]}, r"out of \['bird'.*'dragon'"),
        ({"categories": []}, "different names out of"),
        ({"categories": ["cat", "cat"]}, "different names out of"),
        ({"negatives": 1.5}, r"negatives as a number from 0 to 1"),
        ({"test_fraction": -0.1}, r"test_fraction as a number from 0 to 1"),
        ({"difficulty": 2}, r"difficulty as a number from 0 to 1"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        synthetic_parts(**options)
