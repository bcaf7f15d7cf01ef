"""What the six animals look like: proportions of their bodies and heads."""

from __future__ import annotations

import dataclasses

import numpy as np

PARTS = [
    "head",
    "neck",
    "torso",
    "front_legs",
    "back_legs",
    "tail",
    "ears",
    "beak",
    "horns",
    "trunk",
]

# The shapes of a body from front to back: name, part, and the group that stays
# together where a body is taken apart.
SHAPES = [
    ("eye", "head", "head"),
    ("near_point", "ears", "head"),
    ("near_ear", "ears", "head"),
    ("snout", "head", "head"),
    ("skull", "head", "head"),
    ("trunk_end", "trunk", "head"),
    ("trunk_base", "trunk", "head"),
    ("near_forearm", "front_legs", "near_front_leg"),
    ("near_shoulder", "front_legs", "near_front_leg"),
    ("near_shank", "back_legs", "near_back_leg"),
    ("near_thigh", "back_legs", "near_back_leg"),
    ("wing", "torso", "torso"),
    ("chest", "torso", "torso"),
    ("rump", "torso", "torso"),
    ("mane", "neck", "neck"),
    ("neck", "neck", "neck"),
    ("far_point", "ears", "head"),
    ("far_ear", "ears", "head"),
    ("tail_end", "tail", "tail"),
    ("tail_base", "tail", "tail"),
    ("far_forearm", "front_legs", "far_front_leg"),
    ("far_shoulder", "front_legs", "far_front_leg"),
    ("far_shank", "back_legs", "far_back_leg"),
    ("far_thigh", "back_legs", "far_back_leg"),
]
SHAPE_NAMES = [name for name, _, _ in SHAPES]
TRIANGLES = ["far_point", "near_point"]  # all other shapes are ellipses
GROUPS = list(dict.fromkeys(group for _, _, group in SHAPES))
GROUP_OF_SHAPE = np.array([GROUPS.index(group) for _, _, group in SHAPES])


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """Proportions of a kind of animal that stands in profile and looks right.

    Lengths are in units of the torso's length, angles in degrees counted from the
    direction of view upwards. Sizes of ellipses and triangles are half their length
    and half their width. What an animal lacks has the size 0.
    """

    rump: tuple[float, float]
    chest: tuple[float, float]
    tilt: float
    neck_length: float
    neck_width: float
    neck_angle: float
    head: tuple[float, float]
    head_pitch: float
    snout: tuple[float, float]
    front_leg: float
    back_leg: float
    leg_width: float
    thigh_width: float
    knee: float
    tail: tuple[float, float]
    tail_width: tuple[float, float]
    tail_angle: tuple[float, float]
    ear: tuple[float, float] = (0, 0)
    ear_angle: float = 0
    ear_place: tuple[float, float] = (0, 0)  # from the skull's centre, its half sizes
    point: tuple[float, float] = (0, 0)
    point_angle: float = 0
    point_place: tuple[float, float] = (0, 0)
    point_part: str = "ears"
    two_points: bool = True
    mane: float = 0
    wing: tuple[float, float] = (0, 0)
    trunk: tuple[float, float] = (0, 0)


# fmt: off
ANIMALS = {
    "bird": Anatomy(
        rump=(0.38, 0.23), chest=(0.34, 0.31), tilt=22,
        neck_length=0.22, neck_width=0.15, neck_angle=62,
        head=(0.21, 0.20), head_pitch=0, snout=(0, 0),
        front_leg=0, back_leg=0.56, leg_width=0.035, thigh_width=0.07, knee=30,
        tail=(0.42, 0.28), tail_width=(0.10, 0.12), tail_angle=(170, 175),
        point=(0.22, 0.10), point_angle=-5, point_place=(1.6, -0.1),
        point_part="beak", two_points=False, wing=(0.36, 0.17),
    ),
    "cat": Anatomy(
        rump=(0.32, 0.20), chest=(0.30, 0.19), tilt=2,
        neck_length=0.24, neck_width=0.13, neck_angle=45,
        head=(0.24, 0.22), head_pitch=-4, snout=(0.10, 0.09),
        front_leg=0.40, back_leg=0.42, leg_width=0.055, thigh_width=0.10, knee=20,
        tail=(0.42, 0.42), tail_width=(0.055, 0.05), tail_angle=(135, 80),
        point=(0.17, 0.12), point_angle=85, point_place=(-0.15, 1.05),
    ),
    "cow": Anatomy(
        rump=(0.36, 0.26), chest=(0.36, 0.27), tilt=0,
        neck_length=0.32, neck_width=0.17, neck_angle=22,
        head=(0.24, 0.16), head_pitch=-35, snout=(0.16, 0.14),
        front_leg=0.48, back_leg=0.48, leg_width=0.06, thigh_width=0.11, knee=8,
        tail=(0.40, 0.16), tail_width=(0.03, 0.06), tail_angle=(255, 265),
        ear=(0.15, 0.06), ear_angle=175, ear_place=(-0.9, 0.3),
        point=(0.24, 0.065), point_angle=100, point_place=(-0.35, 1.8),
        point_part="horns",
    ),
    "elephant": Anatomy(
        rump=(0.38, 0.33), chest=(0.36, 0.31), tilt=0,
        neck_length=0.26, neck_width=0.22, neck_angle=32,
        head=(0.25, 0.25), head_pitch=-12, snout=(0.11, 0.13),
        front_leg=0.50, back_leg=0.50, leg_width=0.11, thigh_width=0.14, knee=4,
        tail=(0.28, 0.12), tail_width=(0.028, 0.045), tail_angle=(250, 265),
        ear=(0.27, 0.21), ear_angle=250, ear_place=(-0.75, -0.1),
        point=(0.18, 0.045), point_angle=-25, point_place=(1.25, -0.85),
        point_part="head", two_points=False, trunk=(0.46, 0.40),
    ),
    "horse": Anatomy(
        rump=(0.32, 0.20), chest=(0.34, 0.20), tilt=2,
        neck_length=0.58, neck_width=0.13, neck_angle=52,
        head=(0.24, 0.13), head_pitch=-40, snout=(0.17, 0.10),
        front_leg=0.74, back_leg=0.74, leg_width=0.05, thigh_width=0.10, knee=10,
        tail=(0.34, 0.40), tail_width=(0.07, 0.08), tail_angle=(215, 262),
        point=(0.12, 0.05), point_angle=105, point_place=(-0.7, 1.3), mane=0.09,
    ),
    "rabbit": Anatomy(
        rump=(0.34, 0.30), chest=(0.30, 0.22), tilt=14,
        neck_length=0.20, neck_width=0.14, neck_angle=38,
        head=(0.24, 0.20), head_pitch=-6, snout=(0.11, 0.11),
        front_leg=0.32, back_leg=0.34, leg_width=0.05, thigh_width=0.16, knee=45,
        tail=(0.16, 0.06), tail_width=(0.10, 0.06), tail_angle=(165, 165),
        ear=(0.34, 0.08), ear_angle=105, ear_place=(-0.45, 1.9),
    ),
}
# fmt: on
CATEGORIES = list(ANIMALS)


def table(field: str) -> np.ndarray:
    """One row for each animal with a field of its anatomy."""
    return np.array([getattr(a, field) for a in ANIMALS.values()], np.float32)


def part_table() -> np.ndarray:
    """int array `(animals, shapes)`: the index in `PARTS` of every shape."""
    parts = np.tile([PARTS.index(part) for _, part, _ in SHAPES], (len(ANIMALS), 1))
    for row, animal in zip(parts, ANIMALS.values(), strict=True):
        for name in TRIANGLES:
            row[SHAPE_NAMES.index(name)] = PARTS.index(animal.point_part)
    return parts
