"""Concepts of a dataset: its parts, its colours and its textures."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.datasets import PartsDataset, concept_masks, synthetic_parts
from keras_interp.datasets.color_names import COLOR_NAMES

NAN = float("nan")


@pytest.fixture
def dataset():
    """A red picture with a head and stripes, and a background picture in blue."""
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[0, ..., 0], images[1, ..., 2] = 255, 255
    images[0, 0, 0] = 255
    parts, textures = np.zeros((2, 2, 1, 4, 4), bool)
    parts[0, 0, :2], textures[0, 0, 2:] = True, True
    return PartsDataset(
        images=images,
        labels=[0, 1],
        class_names=["bird", "background"],
        landmarks=[[[2.0, 1.0]], [[NAN, NAN]]],
        landmark_names=["head"],
        part_masks=parts,
        texture_masks=textures,
        texture_names=["striped"],
    )


def test_all_kinds_by_default(dataset):
    concepts = concept_masks(dataset)
    assert concepts.names == ["head", *COLOR_NAMES, "striped"]
    assert concepts.categories == ["part"] + ["color"] * 11 + ["texture"]
    assert concepts.masks.shape == (2, 13, 4, 4) and concepts.masks.dtype == bool
    np.testing.assert_array_equal(concepts.masks[:, 0], dataset.part_masks[:, 0])
    np.testing.assert_array_equal(concepts.masks[:, -1], dataset.texture_masks[:, 0])


def test_every_pixel_has_one_colour(dataset):
    concepts = concept_masks(dataset, "color")
    np.testing.assert_array_equal(concepts.masks.sum(axis=1), 1)
    shown = concepts.masks.sum(axis=(2, 3))
    areas = [dict(zip(concepts.names, row, strict=True)) for row in shown.tolist()]
    assert (areas[0]["red"], areas[0]["white"], areas[1]["blue"]) == (15, 1, 16)


def test_parts_of_background_pictures_are_not_annotated(dataset):
    concepts = concept_masks(dataset)
    assert concepts.annotated[0].all()
    assert concepts.annotated[1].tolist() == [False] + [True] * 12


def test_pieces_have_the_same_concepts_as_the_whole():
    dataset = synthetic_parts(12, 32, texture_masks=True)
    whole = concept_masks(dataset)
    for rows in (slice(0, 5), [7, 3], np.arange(12) == 11):
        piece = concept_masks(dataset.subset(rows))
        taken = whole.subset(rows)
        assert piece.names == taken.names and len(piece) == len(taken)
        np.testing.assert_array_equal(piece.masks, taken.masks)
        np.testing.assert_array_equal(piece.annotated, taken.annotated)


def test_only_what_the_dataset_has():
    dataset = synthetic_parts(4, 32, part_masks=False)
    assert set(concept_masks(dataset).categories) == {"color"}
    for kind in ("part", "texture"):
        with pytest.raises(ValueError, match=f"the dataset has no {kind}_masks"):
            concept_masks(dataset, ["color", kind])


@pytest.mark.parametrize("kinds", ["shape", [], ["color", "color"], ["part", "scene"]])
def test_unknown_kinds_are_refused(dataset, kinds):
    with pytest.raises(ValueError, match="kinds must be different ones of"):
        concept_masks(dataset, kinds)


def test_filters_that_are_concepts_are_found():
    """Maps made of the masks themselves: each filter detects its own concept."""
    dataset = synthetic_parts(40, 32, texture_masks=True)
    concepts = concept_masks(dataset)
    wanted = ["head", "red", "striped"]
    columns = [concepts.names.index(name) for name in wanted]
    maps = concepts.masks[:, columns].transpose(0, 2, 3, 1).astype("float32")
    scores = ki.metrics.network_dissection(maps, concepts, thresholds=[0.5] * 3)
    assert [concepts.names[place] for place in scores.concept] == wanted
    np.testing.assert_array_equal(scores.per_filter, 1.0)
    assert scores.unique_detectors_by_category == {"part": 1, "color": 1, "texture": 1}


@pytest.fixture(scope="module")
def birds(real_data):
    return ki.datasets.load(
        "cub",
        real_data / "cub",
        categories=["Brewer_Blackbird", "Indigo_Bunting", "American_Goldfinch"],
        max_images_per_category=5,
    )


@pytest.mark.parametrize(
    ("bird", "color"),
    [("Blackbird", "black"), ("Bunting", "blue"), ("Goldfinch", "yellow")],
)
def test_colours_of_real_birds(birds, bird, color):
    concepts = concept_masks(birds, "color")
    shares = concepts.masks[:, concepts.names.index(color)].mean(axis=(1, 2))
    own = np.array([bird in birds.class_names[label] for label in birds.labels])
    assert own.sum() == 5
    assert shares[own].mean() > 2 * shares[~own].mean() > 0
