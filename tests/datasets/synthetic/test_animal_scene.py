"""The scenes that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.datasets.synthetic._animal_body import CATEGORIES, SHAPE_NAMES
from keras_interp.datasets.synthetic._animal_scene import make_scene
from keras_interp.datasets.synthetic._drawing import (
    ImageRandom,
    Shapes,
    cover_from_front,
)

SIZE = (64, 96)


def scenes(categories, difficulty=0.5):
    random = ImageRandom(1, np.arange(len(categories)))
    return make_scene(np.asarray(categories), random, SIZE, difficulty)


def test_everything_is_float32():
    """One float64 array would make all images twice as slow to draw."""
    scene = scenes([0, 1, -1])
    for name, value in vars(scene).items():
        arrays = [value]
        if isinstance(value, Shapes):
            arrays = [value.centers, value.axes, value.coverage(*SIZE)]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}, name


def test_animals_fit_into_the_image():
    bounds = scenes(np.arange(240) % 6).body.bounds()
    height, width = SIZE
    inside = np.clip(bounds, 0, [width, height, width, height])
    shown = np.prod(inside[:, 2:] - inside[:, :2], axis=1)
    whole = np.prod(bounds[:, 2:] - bounds[:, :2], axis=1)
    assert (shown / whole).min() > 0.85


def test_animals_look_to_both_sides():
    scene = scenes(np.arange(240) % 6)
    skull, rump = SHAPE_NAMES.index("skull"), SHAPE_NAMES.index("rump")
    right = scene.body.centers[:, skull, 0] > scene.body.centers[:, rump, 0]
    assert 0.35 < right.mean() < 0.65


def test_eyes_and_near_legs_are_in_front_of_the_body():
    whole = scenes(np.arange(60) % 6).body.coverage(*SIZE)
    seen = whole.copy()
    cover_from_front(seen)

    def share_in_sight(name):
        shape = SHAPE_NAMES.index(name)
        return seen[:, shape].sum() / whole[:, shape].sum()

    assert share_in_sight("eye") > 0.999
    assert share_in_sight("near_thigh") > share_in_sight("far_thigh") + 0.2


@pytest.mark.parametrize("name", ["bird", "elephant"])
def test_parts_hang_together_only_where_there_is_an_animal(name):
    """The distance from the skull to the neck, in units of the skull's length."""
    skull, neck = SHAPE_NAMES.index("skull"), SHAPE_NAMES.index("neck")

    def distance(scene):
        present = scene.body.present[:, [skull, neck]].all(axis=1)
        gap = scene.body.centers[present, skull] - scene.body.centers[present, neck]
        length = np.linalg.norm(scene.body.axes[present, skull, :, 0], axis=1)
        return np.linalg.norm(gap, axis=1) / length

    whole = distance(scenes([CATEGORIES.index(name)] * 100))
    loose = distance(scenes([-1] * 100))
    assert len(whole) == 100 and whole.max() < 2
    assert np.median(loose) > 2


def test_no_loose_parts_and_nothing_in_front_at_difficulty_0():
    scene = scenes([0] * 50, difficulty=0)
    shapes = scene.clutter.present
    assert not shapes[:, :-3].any() and shapes[:, -3:].all()  # hills only
    assert not scene.occluders.present.any()
    hard = scenes([0] * 50, difficulty=1)
    assert hard.clutter.present[:, :-3].any(axis=1).mean() > 0.5
    assert hard.occluders.present.any(axis=1).mean() > 0.5
