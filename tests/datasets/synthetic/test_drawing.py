"""Numbers that depend on the seed and the image alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats
from threadpoolctl import threadpool_limits

from keras_interp.datasets import (
    synthetic_bird_attributes,
    synthetic_birds,
    synthetic_parts,
)
from keras_interp.datasets.synthetic._animal_scene import draw, make_scene
from keras_interp.datasets.synthetic._drawing import (
    TEXTURES,
    ImageRandom,
    Shapes,
    rotation,
    visible_textures,
)


def test_a_image_has_its_numbers_in_any_company():
    together = ImageRandom(7, np.arange(100))
    alone = ImageRandom(7, np.array([41]))
    some = together.take(slice(40, 42))
    for shape in ((), (3,), (2, 5)):
        expected = together.uniform(shape=shape)
        np.testing.assert_array_equal(alone.uniform(shape=shape)[0], expected[41])
        np.testing.assert_array_equal(some.uniform(shape=shape), expected[40:42])


def test_a_part_goes_on_where_the_whole_was():
    random = ImageRandom(0, np.arange(6))
    random.uniform(shape=(4,))
    some = random.take(slice(2, 4))
    np.testing.assert_array_equal(some.uniform(), random.uniform()[2:4])


@pytest.mark.parametrize("seed", [0, 1, -5, 2**70])
def test_numbers_are_uniform_and_independent(seed):
    values = ImageRandom(seed, np.arange(400)).uniform(shape=(50,))
    assert values.dtype == np.float32 and values.min() >= 0 and values.max() < 1
    assert scipy.stats.kstest(values.ravel(), "uniform").pvalue > 1e-4
    across = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    along = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert abs(across) < 0.03 and abs(along) < 0.03


def test_seeds_differ():
    numbers = np.arange(10)
    first, second = (ImageRandom(seed, numbers).uniform() for seed in (0, 1))
    assert not np.isin(first, second).any()


def test_ranges():
    random = ImageRandom(0, np.arange(2000))
    assert set(random.integers(3)) == {0, 1, 2}
    low = np.array([0.0, 10.0])
    values = random.uniform(low, low + 1, shape=(2,))
    assert (values >= low).all() and (values < low + 1).all()
    assert random.chance(0.25).mean() == pytest.approx(0.25, abs=0.04)
    assert not random.chance(0).any() and random.chance(1).all()


def one(center, angle, half_sizes, triangle=False) -> Shapes:
    axes = rotation(np.array([[angle]])) * np.array(half_sizes, np.float32)
    return Shapes(
        np.array([[center]], np.float32), axes.astype(np.float32), np.array([triangle])
    )


def exact_cover(shape: Shapes, height: int, width: int, fine: int = 8) -> np.ndarray:
    """The share of each pixel's fine grid of points that lies inside."""
    y, x = (np.mgrid[: height * fine, : width * fine] + 0.5) / fine
    points = np.stack([x, y], axis=-1) - shape.centers[0, 0]
    unit = points @ np.linalg.inv(shape.axes[0, 0]).T
    if shape.is_triangle[0]:
        inside = (unit[..., 0] >= -1) & (np.abs(unit[..., 1]) <= (1 - unit[..., 0]) / 2)
    else:
        inside = (unit**2).sum(-1) <= 1
    return inside.reshape(height, fine, width, fine).mean(axis=(1, 3))


@pytest.mark.parametrize("triangle", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.6, 2.5])
def test_coverage_is_the_covered_share(triangle, angle):
    shape = one((21.3, 14.8), angle, (12, 7), triangle)
    cover = shape.coverage(32, 40)[0, 0].reshape(32, 40)
    expected = exact_cover(shape, 32, 40)
    assert np.abs(cover - expected).max() < 0.45  # tips are drawn softer
    assert np.abs(cover - expected).mean() < 0.01
    assert cover.sum() == pytest.approx(expected.sum(), rel=0.03)
    assert ((cover >= 0.5) != (expected >= 0.5)).mean() < 0.01


def test_an_absent_shape_covers_nothing():
    shape = one((8, 8), 0.3, (0, 0))
    assert not shape.present.any()
    assert not shape.coverage(16, 16).any()
    kept = one((8, 8), 0.3, (4, 4)).keep(np.array([[False]]))
    assert not kept.coverage(16, 16).any()


def test_transform_turns_about_the_pivot():
    shape = one((10, 4), 0, (3, 1))
    turn = rotation(np.array([np.pi / 2])) * 2
    moved = shape.transform(turn, np.array([[8, 4]], "f4"), np.array([[20, 30]], "f4"))
    # 2 to the right of the pivot becomes 4 below the new place (y points down).
    np.testing.assert_allclose(moved.centers[0, 0], [20, 34], atol=1e-5)
    np.testing.assert_allclose(np.abs(moved.axes[0, 0]), [[0, 2], [6, 0]], atol=1e-5)


def test_bounds_surround_the_shapes_that_are_present():
    shape = one((10, 20), 0.7, (5, 2))
    both = Shapes(
        np.concatenate([shape.centers, shape.centers + 50], axis=1),
        np.concatenate([shape.axes, np.zeros_like(shape.axes)], axis=1),
        np.array([False, False]),
    )
    rows, columns = np.nonzero(exact_cover(shape, 40, 40))
    x0, y0, x1, y1 = both.bounds()[0]
    np.testing.assert_allclose([x0, x1], [columns.min(), columns.max() + 1], atol=1)
    np.testing.assert_allclose([y0, y1], [rows.min(), rows.max() + 1], atol=1)
    turned = np.hypot(5 * np.cos(0.7), 2 * np.sin(0.7))
    assert (x1 - x0) / 2 == pytest.approx(turned, rel=1e-5)


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
    """Images whose bodies all have the given strength of stripes and mottles."""
    categories = np.arange(12) % 6
    random = ImageRandom(4, np.arange(12))
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
