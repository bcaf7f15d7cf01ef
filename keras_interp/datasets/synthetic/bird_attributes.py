"""What the parts of a drawn bird can look like."""

from __future__ import annotations

import dataclasses

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
