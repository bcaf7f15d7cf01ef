"""Names of colours that nobody would dispute, and the colour space behind them."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.datasets import PartsDataset, concept_masks, concepts, synthetic_parts
from keras_interp.datasets.concepts import (
    COLOR_NAMES,
    lightness_chroma_hue,
    name_colors,
)

# Colours of CSS Color Module Level 4.
CSS = {
    "black": [(0, 0, 0), (20, 20, 20)],
    "gray": [(128, 128, 128), (192, 192, 192), (112, 128, 144)],
    "white": [(255, 255, 255), (248, 248, 255), (255, 250, 240), (245, 245, 220)],
    "red": [(255, 0, 0), (220, 20, 60), (139, 0, 0), (178, 34, 34)],
    "orange": [(255, 165, 0), (255, 140, 0), (255, 69, 0), (244, 164, 96)],
    "brown": [(165, 42, 42), (139, 69, 19), (160, 82, 45), (210, 180, 140)],
    "yellow": [(255, 255, 0), (255, 215, 0), (240, 230, 140)],
    "green": [(0, 128, 0), (0, 255, 0), (107, 142, 35), (46, 139, 87)],
    "blue": [(0, 0, 255), (0, 0, 128), (135, 206, 235), (70, 130, 180), (0, 255, 255)],
    "purple": [(128, 0, 128), (238, 130, 238), (75, 0, 130), (138, 43, 226)],
    "pink": [(255, 192, 203), (255, 105, 180), (250, 128, 114), (255, 182, 193)],
}


@pytest.mark.parametrize("name", COLOR_NAMES)
def test_well_known_colours(name):
    pixels = np.array(CSS[name], np.uint8)[None, None]
    found = [COLOR_NAMES[code] for code in name_colors(pixels)[0, 0]]
    assert found == [name] * len(CSS[name])


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((255, 0, 0), (53.24, 104.55, 40.00)),
        ((0, 255, 0), (87.73, 119.78, 136.02)),
        ((0, 0, 255), (32.30, 133.81, 306.28)),
        ((128, 0, 128), (29.78, 69.31, 328.23)),
    ],
)
def test_lightness_chroma_and_hue_of_the_srgb_primaries(pixel, expected):
    found = lightness_chroma_hue(np.array([pixel], np.uint8))
    np.testing.assert_allclose(np.ravel(found), expected, atol=0.01)


def test_grays_have_no_chroma():
    levels = np.arange(256, dtype=np.uint8)
    lightness, chroma, _ = lightness_chroma_hue(np.repeat(levels[:, None], 3, axis=1))
    assert chroma.max() < 1e-3
    assert (np.diff(lightness) > 0).all()
    assert lightness[[0, 255]] == pytest.approx([0, 100], abs=1e-4)


def test_every_pixel_has_its_name_whatever_is_beside_it(rng, monkeypatch):
    images = rng.integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    names = name_colors(images)
    assert names.shape == (3, 20, 30) and names.dtype == np.uint8
    assert set(np.unique(names)) == set(range(len(COLOR_NAMES)))
    monkeypatch.setattr(concepts, "_PIXELS_AT_ONCE", 7)
    np.testing.assert_array_equal(name_colors(images[1:2]), names[1:2])
    assert name_colors(images[:0]).shape == (0, 20, 30)


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="images as a uint8 NumPy array"):
        name_colors(np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="images of the shape"):
        name_colors(np.zeros((4, 4, 3), np.uint8))


NAN = float("nan")


@pytest.fixture
def dataset():
    """A red image with a head and stripes, and a background image in blue."""
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


def test_parts_of_background_images_are_not_annotated(dataset):
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
        with pytest.raises(ValueError, match=f"a dataset with {kind}_masks for"):
            concept_masks(dataset, ["color", kind])


@pytest.mark.parametrize("kinds", ["shape", [], ["color", "color"], ["part", "scene"]])
def test_unknown_kinds_are_refused(dataset, kinds):
    with pytest.raises(ValueError, match="kinds as different ones of"):
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
