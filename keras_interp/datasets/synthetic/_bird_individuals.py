"""The birds of the images: their species, and what is their own."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

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
    PartLook,
    synthetic_bird_species,
)

SECOND_FORM_SHARE = 0.5
DRAB_SHARE = 0.4
FACING_SHARE = 0.12
_DRAB_PARTS = ("crown", "nape", "throat", "breast", "belly", "back", "wing", "tail")


@dataclasses.dataclass(frozen=True)
class Individuals:
    """What is to be drawn and told about the birds of n images.

    Args:
        species: int `(n,)`, positions in `synthetic_bird_species()`.
        colors: int `(n, 10)`, for each of `PARTS` a position in `COLORS`, or -1.
        patterns: int `(n, 10)`, positions in `PATTERNS`.
        shapes: int `(n, 10)`, positions in `SHAPES` of the part, 0 where it has none.
        sizes: int `(n,)`, positions in `SIZES`.
        builds: int `(n,)`, positions in `BUILDS`.
        drab: bool `(n, 10)`, true for a part that is worn or young and therefore not
            as is typical of the species; no more than one of a bird.
        facing: bool `(n,)`, whether the head is turned towards the viewer.
    """

    species: np.ndarray
    colors: np.ndarray
    patterns: np.ndarray
    shapes: np.ndarray
    sizes: np.ndarray
    builds: np.ndarray
    drab: np.ndarray
    facing: np.ndarray

    def __len__(self) -> int:
        return len(self.species)

    def take(self, rows: slice | np.ndarray) -> Individuals:
        """Some of the birds."""
        return Individuals(**{name: value[rows] for name, value in vars(self).items()})


def make_individuals(species: np.ndarray, random: ImageRandom) -> Individuals:
    """Makes up the birds of n images.

    These must be the first numbers that are drawn for an image: so the birds can be
    made up again without drawing them.

    Args:
        species: int `(n,)`, positions in `synthetic_bird_species()`.
        random: the numbers of the n images.
    """
    table = look_table()
    form = random.chance(SECOND_FORM_SHARE).astype(int)
    looks = table.looks[species, form]
    worn = table.drab_parts[random.integers(len(table.drab_parts))]
    drab = random.chance(DRAB_SHARE)[:, None] & (worn[:, None] == np.arange(len(PARTS)))
    choice = random.integers(table.drab_colors.shape[2])
    dull = table.drab_colors[species, :, choice]
    return Individuals(
        species=species,
        colors=np.where(drab, dull, looks[..., 0]),
        patterns=np.where(drab, 0, looks[..., 1]),
        shapes=looks[..., 2],
        sizes=table.sizes[species],
        builds=table.builds[species],
        drab=drab,
        facing=random.chance(FACING_SHARE),
    )


@dataclasses.dataclass(frozen=True)
class LookTable:
    """The species as numbers.

    Args:
        looks: int `(species, form, part, 3)`, the colour, the pattern and the shape.
        sizes: int `(species,)`.
        builds: int `(species,)`.
        marks: bool `(species, part)`, the field marks.
        drab_parts: int `(8,)`, the parts that can be drab.
        drab_colors: int `(species, part, 2)`, what colour they are then.
    """

    looks: np.ndarray
    sizes: np.ndarray
    builds: np.ndarray
    marks: np.ndarray
    drab_parts: np.ndarray
    drab_colors: np.ndarray


@functools.lru_cache(maxsize=1)
def look_table() -> LookTable:
    """The table of `synthetic_bird_species` as numbers."""
    species = synthetic_bird_species()
    forms = [
        [[looks[part] for part in PARTS] for looks in (bird.looks, second)]
        for bird in species
        for second in [bird.looks | dict([bird.second_form])]
    ]
    looks = [
        [
            [_codes(part, look) for part, look in zip(PARTS, form, strict=True)]
            for form in pair
        ]
        for pair in forms
    ]
    families = [[one.family == other.family for one in species] for other in species]
    return LookTable(
        looks=np.array(looks),
        sizes=np.array([SIZES.index(bird.size) for bird in species]),
        builds=np.array([BUILDS.index(bird.build) for bird in species]),
        marks=np.array(
            [[part in bird.field_marks for part in PARTS] for bird in species]
        ),
        drab_parts=np.array([PARTS.index(name) for name in _DRAB_PARTS]),
        drab_colors=_drab_colors(np.array(looks)[..., 0], np.array(families)),
    )


def _drab_colors(colors: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Two drab colours for each part, the same one twice where there is but one.

    No species of the family has them there: else a drab bird could not be told from
    its near neighbours.

    Args:
        colors: int `(species, form, part)`.
        families: bool `(species, species)`, true for two of one family.
    """
    drab = np.array([COLORS.index(name) for name in DRAB_COLORS])
    own = (colors[..., None] == drab).any(axis=1)
    taken = (families[:, :, None, None] & own).any(axis=1)
    order = np.argsort(taken, axis=2, kind="stable")
    second = np.where(np.sort(taken, axis=2)[..., 1], order[..., 0], order[..., 1])
    return drab[np.stack([order[..., 0], second], axis=2)]


def _codes(part: str, look: PartLook) -> tuple[int, int, int]:
    color = -1 if look.color == NO_COLOR else COLORS.index(look.color)
    shape = SHAPES[part].index(look.shape) if part in SHAPES else 0
    return color, PATTERNS.index(look.pattern), shape
