"""The species of the drawn birds: twelve families of four near neighbours."""

from __future__ import annotations

import dataclasses
import functools

PALETTE = {
    "black": (0.07, 0.07, 0.09),
    "white": (0.93, 0.93, 0.91),
    "gray": (0.54, 0.55, 0.58),
    "brown": (0.42, 0.25, 0.13),
    "tan": (0.84, 0.69, 0.47),
    "red": (0.80, 0.09, 0.11),
    "orange": (0.94, 0.49, 0.08),
    "yellow": (0.95, 0.85, 0.14),
    "green": (0.29, 0.52, 0.15),
    "blue": (0.14, 0.34, 0.80),
    "purple": (0.48, 0.17, 0.60),
}
COLORS = tuple(PALETTE)
DRAB_COLORS = ("brown", "gray", "tan")  # the colours of worn and of young feathers
PATTERNS = ("plain", "striped", "spotted", "barred")
SIZES = ("small", "medium", "large")
BUILDS = ("plump", "slender", "long-necked")
# The parts that differ between species, and the shapes of those that have several.
PARTS = (
    "crown",
    "nape",
    "throat",
    "beak",
    "breast",
    "belly",
    "back",
    "wing",
    "tail",
    "eye_ring",
)
SHAPES = {
    "crown": ("smooth", "crested"),
    "beak": ("conical", "pointed", "hooked", "curved"),
    "tail": ("short", "long", "forked"),
}
NO_COLOR = "none"  # that of the eye ring of a species without one


@dataclasses.dataclass(frozen=True)
class PartLook:
    """What one part of a bird looks like.

    Args:
        color: one of eleven names; `"none"` for the eye ring of a bird without one.
        pattern: `"plain"`, `"striped"` (along the bird), `"spotted"` or `"barred"`
            (across the bird).
        shape: of a beak `"conical"` (and short), `"pointed"` (and long), `"hooked"`
            or `"curved"`; of a tail `"short"`, `"long"` or `"forked"`; of a crown
            `"smooth"` or `"crested"`; empty for the other parts.
    """

    color: str
    pattern: str = "plain"
    shape: str = ""


def read_look(part: str, words: str) -> PartLook:
    """Reads a look from words in any order, as in `"black barred long"`.

    What is not said is plain, and a crown smooth.
    """
    known = {
        "color": (*COLORS, NO_COLOR),
        "pattern": PATTERNS,
        "shape": SHAPES.get(part, ()),
    }
    values = {"shape": "smooth"} if part == "crown" else {}
    for word in words.split():
        kinds = [kind for kind, names in known.items() if word in names]
        if not kinds:
            raise ValueError(f"{word!r} in {words!r} does not describe a bird's {part}")
        values[kinds[0]] = word
    return PartLook(**values)


@dataclasses.dataclass(frozen=True)
class BirdSpecies:
    """A made-up species of birds, by what its parts look like.

    Args:
        name: such as `"Red-billed Reedwren"`.
        family: the last word of the name; the species of a family resemble each other.
        size: `"small"`, `"medium"` or `"large"`.
        build: `"plump"`, `"slender"` or `"long-necked"`.
        looks: what the ten parts look like, by their names.
        second_form: a part that looks otherwise in half of the birds of the species,
            as females do, and what it looks like then.
        field_marks: the parts that sentences name most often: those that tell the
            species from its near neighbours, the part with a second form, and one by
            which the family is known.
    """

    name: str
    family: str
    size: str
    build: str
    looks: dict[str, PartLook]
    second_form: tuple[str, PartLook]
    field_marks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Family:
    """The common species of a family and in what the others differ from it.

    `looks` has the words for the ten parts in the order of `PARTS`; `neighbors` gives
    for each other species the part that differs and its words.
    """

    size: str
    build: str
    looks: tuple[str, ...]
    second_form: tuple[str, str]
    mark: str
    neighbors: tuple[tuple[str, str], ...]


# fmt: off
_FAMILIES = {
    # crown, nape, throat, beak, breast, belly, back, wing, tail, eye ring
    "Marshfinch": _Family(
        "small", "plump",
        ("red", "brown", "white", "gray conical", "tan striped", "white",
         "brown", "brown barred", "brown short", "none"),
        ("throat", "tan"), "wing",
        (("crown", "black"), ("breast", "yellow"), ("tail", "brown forked")),
    ),
    "Reedwren": _Family(
        "small", "plump",
        ("brown striped", "tan", "white", "black curved", "white", "tan",
         "brown", "brown barred", "brown barred short", "white"),
        ("belly", "white"), "nape",
        (("beak", "black pointed"), ("crown", "orange"), ("breast", "gray")),
    ),
    "Thornwarbler": _Family(
        "small", "slender",
        ("yellow", "green", "black", "black conical", "yellow striped", "yellow",
         "green", "black barred", "black short", "none"),
        ("throat", "yellow"), "back",
        (("crown", "black"), ("belly", "white"), ("wing", "blue barred")),
    ),
    "Stonethrush": _Family(
        "medium", "plump",
        ("blue", "blue", "blue", "yellow pointed", "orange", "orange",
         "blue", "brown", "brown short", "none"),
        ("back", "brown"), "wing",
        (("throat", "white"), ("belly", "white"), ("eye_ring", "yellow")),
    ),
    "Dunelark": _Family(
        "small", "slender",
        ("tan crested", "tan", "yellow", "gray conical", "white striped", "white",
         "tan striped", "brown", "black long", "white"),
        ("nape", "gray"), "belly",
        (("throat", "black"), ("breast", "black"), ("tail", "black short")),
    ),
    "Pinejay": _Family(
        "large", "slender",
        ("blue crested", "blue", "white", "black conical", "gray", "gray",
         "blue", "blue barred", "blue barred long", "none"),
        ("breast", "tan"), "tail",
        (("crown", "black crested"), ("nape", "white"), ("wing", "black barred")),
    ),
    "Shorepiper": _Family(
        "medium", "long-necked",
        ("black", "white", "white", "orange pointed", "black", "white",
         "brown spotted", "gray", "white short", "red"),
        ("crown", "gray"), "belly",
        (("beak", "orange curved"), ("nape", "orange"), ("breast", "white spotted")),
    ),
    "Cragfalcon": _Family(
        "large", "plump",
        ("gray", "gray", "white", "yellow hooked", "white barred", "white barred",
         "gray", "gray", "gray barred long", "yellow"),
        ("throat", "tan"), "belly",
        (("crown", "red"), ("breast", "orange"), ("wing", "brown spotted")),
    ),
    "Riverking": _Family(
        "medium", "plump",
        ("green crested", "white", "white", "black pointed", "red", "white",
         "green", "green spotted", "green short", "none"),
        ("crown", "blue crested"), "nape",
        (("beak", "red pointed"), ("breast", "green"), ("belly", "orange")),
    ),
    "Skyswallow": _Family(
        "small", "slender",
        ("purple", "purple", "red", "black conical", "white", "white",
         "purple", "black", "black forked", "none"),
        ("wing", "brown"), "belly",
        (("throat", "white"), ("back", "white"), ("tail", "black long")),
    ),
    "Honeysipper": _Family(
        "medium", "slender",
        ("green", "green", "purple", "black curved", "red", "yellow",
         "green", "black", "black long", "none"),
        ("crown", "brown"), "back",
        (("beak", "red curved"), ("throat", "orange"), ("eye_ring", "white")),
    ),
    "Barkpecker": _Family(
        "medium", "slender",
        ("red crested", "black", "black", "gray pointed", "white", "white spotted",
         "black", "black spotted", "black short", "white"),
        ("throat", "white"), "wing",
        (("crown", "yellow crested"), ("nape", "red"), ("back", "black barred")),
    ),
}
# fmt: on

_NAMED_PARTS = {
    "crown": "capped",
    "nape": "naped",
    "throat": "throated",
    "beak": "billed",
    "breast": "breasted",
    "belly": "bellied",
    "back": "backed",
    "wing": "winged",
    "tail": "tailed",
    "eye_ring": "eyed",
}
_NAMED_VALUES = {
    "striped": "stripe",
    "spotted": "spot",
    "barred": "bar",
    "forked": "fork",
    "curved": "curve",
    "pointed": "long",
    "conical": "cone",
    "hooked": "hook",
}


def synthetic_bird_species() -> list[BirdSpecies]:
    """Lists the species of `synthetic_birds`: twelve families of four.

    The first species of a family, the common one, differs from each of the three
    others in exactly one part, after which the other one is named: the black-capped
    marshfinch is a common marshfinch with a black crown.

    Example:

    >>> from keras_interp.datasets import synthetic_bird_species
    >>> species = synthetic_bird_species()
    >>> len(species), species[1].name
    (48, 'Black-capped Marshfinch')
    >>> species[0].looks["crown"].color, species[1].looks["crown"].color
    ('red', 'black')

    Returns:
        48 species in the order of the labels.
    """
    return list(_species())


@functools.lru_cache(maxsize=1)
def _species() -> tuple[BirdSpecies, ...]:
    return tuple(
        species for name, family in _FAMILIES.items() for species in _make(name, family)
    )


def _make(name: str, family: _Family) -> list[BirdSpecies]:
    """The four species of a family, the common one first."""
    looks = {
        part: read_look(part, words)
        for part, words in zip(PARTS, family.looks, strict=True)
    }
    part, words = family.second_form
    shared = (part, family.mark)
    common = BirdSpecies(
        name=f"Common {name}",
        family=name,
        size=family.size,
        build=family.build,
        looks=looks,
        second_form=(part, read_look(part, words)),
        field_marks=(*(part for part, _ in family.neighbors), *shared),
    )
    return [common] + [
        _neighbor(common, part, read_look(part, words), shared)
        for part, words in family.neighbors
    ]


def _neighbor(
    common: BirdSpecies, part: str, look: PartLook, marks: tuple[str, ...]
) -> BirdSpecies:
    """A species that differs from the common one in a part, and is named after it."""
    usual = common.looks[part]
    value = look.color
    if look.color == usual.color:
        value = look.shape if look.shape != usual.shape else look.pattern
    value = _NAMED_VALUES.get(value, value).capitalize()
    return dataclasses.replace(
        common,
        name=f"{value}-{_NAMED_PARTS[part]} {common.family}",
        looks=common.looks | {part: look},
        field_marks=tuple(dict.fromkeys((part, *marks))),
    )
