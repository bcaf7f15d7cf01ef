"""The table of bird species."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from keras_interp.datasets import PartLook, synthetic_bird_species
from keras_interp.datasets.synthetic._bird_individuals import make_individuals
from keras_interp.datasets.synthetic._drawing import ImageRandom
from keras_interp.datasets.synthetic.bird_species import (
    BUILDS,
    COLORS,
    DRAB_COLORS,
    NO_COLOR,
    PARTS,
    PATTERNS,
    SHAPES,
    SIZES,
    read_look,
)

SPECIES = synthetic_bird_species()
BY_NAME = {species.name: species for species in SPECIES}


def differing(one, other):
    return [part for part in PARTS if one.looks[part] != other.looks[part]]


def test_48_species_in_12_families():
    assert len(BY_NAME) == len(SPECIES) == 48
    families = [species.family for species in SPECIES]
    assert families == [name for name in dict.fromkeys(families) for _ in range(4)]


def test_values_come_from_the_lists():
    for species in SPECIES:
        assert tuple(species.looks) == PARTS
        assert species.size in SIZES and species.build in BUILDS
        assert species.name.endswith(f" {species.family}")
        for part, look in [*species.looks.items(), species.second_form]:
            assert look.pattern in PATTERNS
            assert look.shape in SHAPES.get(part, ("",))
            assert look.color in COLORS or (part, look.color) == ("eye_ring", NO_COLOR)


def test_near_neighbors_differ_in_exactly_one_part():
    """The common species from each other one of its family, these in two parts."""
    for start in range(0, 48, 4):
        common, *others = SPECIES[start : start + 4]
        assert common.name.startswith("Common ")
        parts = [differing(common, other) for other in others]
        assert [len(some) for some in parts] == [1, 1, 1]
        assert len({some[0] for some in parts}) == 3
        for one, other in itertools.combinations(others, 2):
            assert len(differing(one, other)) == 2
        for other in others:
            assert (other.size, other.build) == (common.size, common.build)


def test_families_differ_in_many_parts():
    pairs = itertools.combinations(SPECIES, 2)
    assert min(len(differing(a, b)) for a, b in pairs if a.family != b.family) >= 5


def test_every_part_sets_some_neighbors_apart():
    found = {
        part
        for start in range(0, 48, 4)
        for other in SPECIES[start + 1 : start + 4]
        for part in differing(SPECIES[start], other)
    }
    assert found == set(PARTS)


def test_no_form_of_a_species_is_a_form_of_another():
    forms = [
        tuple(form[part] for part in PARTS)
        for species in SPECIES
        for form in (species.looks, species.looks | dict([species.second_form]))
    ]
    assert len(set(forms)) == len(forms) == 96


def test_field_marks_are_what_differs_and_what_the_family_shares():
    for start in range(0, 48, 4):
        common, *others = SPECIES[start : start + 4]
        shared = set(others[0].field_marks) & set(others[1].field_marks)
        assert common.second_form[0] in shared and len(shared) == 2
        for other in others:
            assert set(other.field_marks) == shared | set(differing(common, other))
        told = {part for other in others for part in other.field_marks}
        assert set(common.field_marks) == told


@pytest.mark.parametrize(
    ("name", "part", "look"),
    [
        ("Black-capped Marshfinch", "crown", PartLook("black", "plain", "smooth")),
        ("Fork-tailed Marshfinch", "tail", PartLook("brown", "plain", "forked")),
        ("Long-billed Reedwren", "beak", PartLook("black", "plain", "pointed")),
        ("Bar-backed Barkpecker", "back", PartLook("black", "barred")),
        ("Yellow-eyed Stonethrush", "eye_ring", PartLook("yellow")),
    ],
)
def test_neighbors_are_named_after_the_part_that_differs(name, part, look):
    assert BY_NAME[name].looks[part] == look


def test_looks_are_read_from_words_in_any_order():
    assert read_look("tail", "barred long black") == PartLook("black", "barred", "long")
    assert read_look("crown", "red") == PartLook("red", "plain", "smooth")
    with pytest.raises(ValueError, match="'hooked' in 'red hooked' .* bird's crown"):
        read_look("crown", "red hooked")


def test_the_list_is_the_callers_own():
    synthetic_bird_species().clear()
    assert len(synthetic_bird_species()) == 48


SPECIES_TABLE = synthetic_bird_species()


@pytest.fixture(scope="module")
def birds():
    numbers = np.arange(4800)
    return make_individuals(numbers % 48, ImageRandom(3, numbers))


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
        species = SPECIES_TABLE[birds.species[row]]
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
    again = make_individuals(some % 48, ImageRandom(3, some))
    for name, value in vars(again).items():
        np.testing.assert_array_equal(value, getattr(birds, name)[some])
