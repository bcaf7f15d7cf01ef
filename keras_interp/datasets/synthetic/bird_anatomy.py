"""What drawn birds are made of: shapes, landmarks and proportions."""

from __future__ import annotations

import dataclasses

import numpy as np

# The landmarks of CUB-200-2011, in its order. Left and right are the bird's own.
LANDMARKS = [
    "back",
    "beak",
    "belly",
    "breast",
    "crown",
    "forehead",
    "left eye",
    "left leg",
    "left wing",
    "nape",
    "right eye",
    "right leg",
    "right wing",
    "tail",
    "throat",
]
PAIRED = ("eye", "leg", "wing")

# The shapes of a bird from front to back: name, the landmark it belongs to ("near eye"
# is the left or right one, "" none), and the part of the species table that colours it.
SHAPES = [
    ("near_pupil", "near eye", ""),
    ("far_pupil", "far eye", ""),
    ("near_ring", "near eye", "eye_ring"),
    ("far_ring", "far eye", "eye_ring"),
    ("beak_tip", "beak", "beak"),
    ("beak_base", "beak", "beak"),
    ("beak_curve", "beak", "beak"),
    ("beak_body", "beak", "beak"),
    ("forehead", "forehead", "crown"),
    ("crown", "crown", "crown"),
    ("crest", "crown", "crown"),
    ("throat", "throat", "throat"),
    ("nape", "nape", "nape"),
    ("skull", "", "nape"),
    ("neck", "nape", "nape"),
    ("near_wing", "near wing", "wing"),
    ("near_wing_tip", "near wing", "wing"),
    ("back", "back", "back"),
    ("breast", "breast", "breast"),
    ("chest", "belly", "belly"),
    ("rump", "belly", "belly"),
    ("near_foot", "near leg", "leg"),
    ("near_shank", "near leg", "leg"),
    ("far_foot", "far leg", "leg"),
    ("far_shank", "far leg", "leg"),
    ("upper_tail", "tail", "tail"),
    ("lower_tail", "tail", "tail"),
    ("far_wing", "far wing", "wing"),
    ("far_wing_tip", "far wing", "wing"),
]
SHAPE_NAMES = [name for name, _, _ in SHAPES]
SHAPE_PARTS = [part for _, _, part in SHAPES]
TRIANGLES = ("beak_tip", "beak_base", "crest", "near_wing_tip", "far_wing_tip")
IS_TRIANGLE = np.isin(SHAPE_NAMES, TRIANGLES)

# Feathers lie on the body: these shapes end where the other ones end.
CLIPPED = {
    "crown": ("skull",),
    "forehead": ("crown",),
    "throat": ("skull", "neck"),
    "nape": ("skull", "neck"),
    "back": ("chest", "rump"),
    "breast": ("chest", "rump"),
}


def index(name: str) -> int:
    """The position of a shape in `SHAPES`."""
    return SHAPE_NAMES.index(name)


@dataclasses.dataclass(frozen=True)
class Build:
    """Proportions in units of the torso's length; angles in degrees.

    Sizes of ellipses are half their length and half their width.
    """

    rump: tuple[float, float]
    chest: tuple[float, float]
    tilt: float
    neck: tuple[float, float]  # length and half width
    neck_angle: float
    leg: float
    wing: tuple[float, float]


BUILDS = {
    "plump": Build(
        (0.40, 0.27), (0.36, 0.31), 24, (0.26, 0.20), 56, 0.30, (0.40, 0.17)
    ),
    "slender": Build(
        (0.43, 0.19), (0.36, 0.22), 30, (0.26, 0.15), 52, 0.30, (0.42, 0.13)
    ),
    "long-necked": Build(
        (0.40, 0.24), (0.34, 0.26), 8, (0.52, 0.095), 62, 0.66, (0.44, 0.15)
    ),
}
# Half the skull's length, and the eye's radius in units of that.
HEADS = {"small": (0.265, 0.2), "medium": (0.23, 0.21), "large": (0.20, 0.22)}


@dataclasses.dataclass(frozen=True)
class Beak:
    """Sizes of the shapes of a beak, in units of half the skull's length.

    `base` is a triangle that starts at the face, `body` an ellipse, and at its end,
    turned by `bend` degrees, `curve` an ellipse and `tip` a triangle; (0, 0) leaves
    one out.
    """

    base: tuple[float, float] = (0, 0)
    body: tuple[float, float] = (0, 0)
    curve: tuple[float, float] = (0, 0)
    tip: tuple[float, float] = (0, 0)
    bend: float = 0


BEAKS = {
    "conical": Beak(base=(0.46, 0.44)),
    "pointed": Beak(base=(0.98, 0.24)),
    "hooked": Beak(body=(0.46, 0.36), tip=(0.42, 0.27), bend=-78),
    "curved": Beak(body=(0.50, 0.18), curve=(0.50, 0.135), bend=-40),
}


@dataclasses.dataclass(frozen=True)
class Tail:
    """Length and half width of each of the two feathers, and degrees between them."""

    length: float
    width: float
    spread: float


TAILS = {
    "short": Tail(0.30, 0.085, 16),
    "long": Tail(0.80, 0.075, 5),
    "forked": Tail(0.62, 0.05, 34),
}


def table(forms: dict, field: str) -> np.ndarray:
    """float32: a row with a field for each of the forms."""
    return np.array([getattr(form, field) for form in forms.values()], np.float32)
