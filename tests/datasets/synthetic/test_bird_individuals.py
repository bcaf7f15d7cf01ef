"""The birds of the pictures before they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.datasets import synthetic_bird_species
from keras_interp.datasets.synthetic.bird_attributes import (
    COLORS,
    DRAB_COLORS,
    PARTS,
    PATTERNS,
    SHAPES,
    PartLook,
)
from keras_interp.datasets.synthetic.bird_individuals import make_individuals
from keras_interp.datasets.synthetic.random_numbers import PictureRandom

SPECIES = synthetic_bird_species()


@pytest.fixture(scope="module")
def birds():
    numbers = np.arange(4800)
    return make_individuals(numbers % 48, PictureRandom(3, numbers))


def look(birds, row, part):
    column = PARTS.index(part)
    color = birds.colors[row, column]
    shapes = SHAPES.get(part, ("",))
    return PartLook(
        COLORS[color] if color >= 0 else "none",
        PATTERNS[birds.patterns[row, column]],
        shapes[birds.shapes[row, column]],
    )


def test_looks_are_those_of_one_of_the_two_forms(birds):
    second = 0
    for row in range(0, len(birds), 7):
        species = SPECIES[birds.species[row]]
        part, other = species.second_form
        for name in PARTS:
            if birds.drab[row, PARTS.index(name)]:
                assert look(birds, row, name).color in DRAB_COLORS
                assert look(birds, row, name).color != species.looks[name].color
                assert look(birds, row, name).pattern == "plain"
            elif name != part:
                assert look(birds, row, name) == species.looks[name]
            else:
                assert look(birds, row, name) in (species.looks[name], other)
                second += look(birds, row, name) == other
    assert 0.4 < second / len(range(0, len(birds), 7)) < 0.6


def test_shares(birds):
    assert birds.drab.sum(axis=1).max() == 1
    assert birds.drab.any(axis=1).mean() == pytest.approx(0.4, abs=0.03)
    assert birds.facing.mean() == pytest.approx(0.12, abs=0.02)
    for part in ("beak", "eye_ring"):
        assert not birds.drab[:, PARTS.index(part)].any()


def test_a_bird_depends_on_its_own_number_alone(birds):
    some = np.array([4000, 7, 96])
    again = make_individuals(some % 48, PictureRandom(3, some))
    for name, value in vars(again).items():
        np.testing.assert_array_equal(value, getattr(birds, name)[some])
