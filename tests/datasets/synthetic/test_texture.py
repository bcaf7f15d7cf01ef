"""Where stripes and mottles are said to be, they are."""

from __future__ import annotations

import dataclasses

import numpy as np
from threadpoolctl import threadpool_limits

from keras_interp.datasets import (
    synthetic_bird_attributes,
    synthetic_birds,
    synthetic_parts,
)
from keras_interp.datasets.synthetic.random_numbers import PictureRandom
from keras_interp.datasets.synthetic.renderer import draw
from keras_interp.datasets.synthetic.scene import make_scene
from keras_interp.datasets.synthetic.texture import TEXTURES, visible_textures

SIZE = (64, 64)


def test_what_counts_as_seen_by_hand():
    strength = np.zeros((1, 2, 5), np.float32)
    # Stripes of 0.0519 and 0.0520 deviate by just under and just over 0.03.
    strength[0, 0] = [0.0519, 0.0520, 0.0, 0.0, 0.01]
    strength[0, 1] = [0.0, 0.0, 0.031, 0.02, 0.009]
    masks = visible_textures(strength, 1, 5)[0, :, 0]
    assert TEXTURES == ["striped", "mottled", "plain"]
    assert masks.tolist() == [
        [False, True, False, False, False],
        [False, False, True, False, False],
        [False, False, False, False, True],
    ]


def drawn(texture):
    """Pictures whose bodies all have the given strength of stripes and mottles."""
    categories = np.arange(12) % 6
    random = PictureRandom(4, np.arange(12))
    scene = make_scene(categories, random, SIZE, 0.0)
    strengths = np.zeros_like(scene.body_texture) + np.float32(texture)
    scene = dataclasses.replace(scene, body_texture=strengths)
    with threadpool_limits(1, user_api="blas"):
        return draw(scene, categories, random, SIZE, 0.0)


def test_masks_cover_the_bodies_that_have_the_texture():
    bodies = drawn([0.0, 0.0]).part_masks.any(axis=1)
    # Inside the outline, where the body covers the whole of a pixel.
    inside = bodies[:, 2:-2, 2:-2].copy()
    for y in range(5):
        for x in range(5):
            inside &= bodies[:, y : 60 + y, x : 60 + x]
    for texture, expected in [
        ([0.12, 0.0], [True, False, False]),
        ([0.0, 0.12], [False, True, False]),
        ([0.12, 0.12], [True, True, False]),
        ([0.0, 0.0], [False, False, True]),
    ]:
        masks = drawn(texture).texture_masks[:, :, 2:-2, 2:-2]
        for mask, shown in zip(masks.transpose(1, 0, 2, 3), expected, strict=True):
            assert (mask[inside] == shown).mean() > 0.99


def test_striped_pixels_vary_as_stripes_do():
    """What the stripes add has the deviation that the mask is defined by."""
    striped, plain = drawn([0.12, 0.0]), drawn([0.0, 0.0])
    added = striped.images.astype(float) - plain.images
    mask = striped.texture_masks[:, 0]
    assert added[~mask].std() < 2
    # 0.12 of white, less a little where values are cut off at white.
    assert 0.9 < added[mask].std() / (0.12 * 255 / 3**0.5) < 1.05


def test_the_option_changes_nothing_else():
    with_masks = synthetic_parts(20, 32, texture_masks=True, part_masks=False)
    without = synthetic_parts(20, 32)
    assert without.texture_masks is None and without.texture_names is None
    np.testing.assert_array_equal(with_masks.images, without.images)
    assert with_masks.texture_names == TEXTURES
    assert with_masks.texture_masks.shape == (20, 3, 32, 32)
    plain, patterned = with_masks.texture_masks[:, 2], with_masks.texture_masks[:, :2]
    assert not (plain & patterned.any(axis=1)).any()
    assert 0.02 < with_masks.texture_masks[:, 0].mean() < 0.2


def test_the_feathers_of_drawn_birds_have_the_patterns_of_their_parts():
    dataset = synthetic_birds(96, texture_masks=True, difficulty=0.0, captions=False)
    assert dataset.texture_names == ["striped", "spotted", "barred"]
    area = dataset.texture_masks.sum(axis=(2, 3))
    attributes = synthetic_bird_attributes(dataset, typical=False)
    for column, name in enumerate(dataset.texture_names):
        shown = np.array([name in {value for _, value in some} for some in attributes])
        assert 0 < shown.sum() < 96
        assert (area[shown, column] > 0).all()
        # A few pixels of a part that is too small to be named may show.
        assert np.median(area[~shown, column]) == 0
        assert np.median(area[shown, column]) > 20
    plain = synthetic_birds(96, difficulty=0.0, captions=False, part_masks=False)
    np.testing.assert_array_equal(plain.images, dataset.images)
    assert plain.texture_masks is None


def test_a_feather_is_no_two_textures_at_once():
    masks = synthetic_birds(48, 96, texture_masks=True, captions=False).texture_masks
    assert masks.sum(axis=1).max() == 1
    assert 0.01 < masks.any(axis=1).mean() < 0.1
