"""What the six animals look like, and their shapes in random poses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from keras_interp.datasets.synthetic._drawing import ImageRandom, Shapes, rotation

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
# What is never seen of an animal: it has none, or the rest hides it (a bird's neck can
# be seen in one image of a thousand).
_UNSEEN = {
    "bird": ("neck", "front_legs", "ears", "horns", "trunk"),
    "cat": ("beak", "horns", "trunk"),
    "cow": ("beak", "trunk"),
    "elephant": ("beak", "horns"),
    "horse": ("beak", "horns", "trunk"),
    "rabbit": ("beak", "horns", "trunk"),
}


def parts_of(categories: Sequence[str]) -> list[str]:
    """The parts that occur in images of some animals, in the order of `PARTS`."""
    return [
        part for part in PARTS if any(part not in _UNSEEN[name] for name in categories)
    ]


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


_INDIVIDUAL = 0.12  # every length differs by up to this share between animals


class Body:
    """Collects the shapes of one animal in each of n images.

    The frame has the torso's length as unit, x in the direction of view and y up.
    """

    def __init__(self, categories: np.ndarray, random: ImageRandom) -> None:
        self._categories = categories
        self._random = random
        count = len(categories)
        self._centers = np.zeros((count, len(SHAPE_NAMES), 2), np.float32)
        self._axes = np.zeros((count, len(SHAPE_NAMES), 2, 2), np.float32)

    def length(self, field: str) -> np.ndarray:
        """A length of the anatomy for each image, a little different each time."""
        values = table(field)[self._categories]
        jitter = self._random.uniform(
            1 - _INDIVIDUAL, 1 + _INDIVIDUAL, shape=values.shape[1:]
        )
        return values * jitter

    def angle(self, field: str, spread: float) -> np.ndarray:
        """An angle of the anatomy in radians, up to `spread` degrees off."""
        values = table(field)[self._categories]
        jitter = self._random.uniform(-spread, spread, shape=values.shape[1:])
        return np.deg2rad(values + jitter)

    def swing(self, spread: float) -> np.ndarray:
        """An angle in radians of up to `spread` degrees to either side."""
        return np.deg2rad(self._random.uniform(-spread, spread))

    def add(
        self,
        name: str,
        center: np.ndarray,
        angle: np.ndarray,
        half_length: np.ndarray,
        half_width: np.ndarray,
    ) -> None:
        """Adds an ellipse or triangle; sizes of 0 leave it out."""
        shape = SHAPE_NAMES.index(name)
        sizes = np.stack([half_length, half_width], axis=1)
        sizes = sizes * (sizes.min(axis=1, keepdims=True) > 0)
        self._centers[:, shape] = center
        self._axes[:, shape] = rotation(angle) * sizes[:, None, :]

    def add_limb(
        self,
        name: str,
        start: np.ndarray,
        angle: np.ndarray,
        length: np.ndarray,
        half_width: np.ndarray,
    ) -> np.ndarray:
        """Adds an ellipse from a joint on; returns the joint at its other end."""
        step = direction(angle) * length[:, None]
        # A little longer than the bone, so that limbs overlap at the joints.
        self.add(name, start + step / 2, angle, length * 0.55, half_width)
        return start + step

    def shapes(self) -> Shapes:
        """The finished body, with y down as in images."""
        down = np.array([1, -1], np.float32)
        return Shapes(
            centers=self._centers * down,
            axes=self._axes * down[:, None],
            is_triangle=np.isin(SHAPE_NAMES, TRIANGLES),
        )


def direction(angle: np.ndarray) -> np.ndarray:
    """Unit vectors `(n, 2)`."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def pose_animals(categories: np.ndarray, random: ImageRandom) -> Shapes:
    """Animals of the given categories in random poses, looking right.

    Args:
        categories: int array `(n,)`, indices in `anatomy.CATEGORIES`.
        random: the numbers of the n images.
    """
    body = Body(categories, random)
    tilt = body.angle("tilt", 9)
    along, upward = direction(tilt), direction(tilt + np.pi / 2)
    rump, chest = body.length("rump"), body.length("chest")
    body.add("rump", -0.22 * along, tilt, *rump.T)
    body.add("chest", 0.22 * along, tilt, *chest.T)
    body.add("wing", -0.08 * along, tilt + body.swing(12) - 0.1, *body.length("wing").T)
    _add_legs(body, along, upward)
    _add_tail(body, -0.50 * along + 0.06 * upward)
    _add_head(body, *_add_neck(body, 0.36 * along + 0.08 * upward, tilt))
    return body.shapes()


def _add_legs(body: Body, along: np.ndarray, upward: np.ndarray) -> None:
    knee = body.angle("knee", 8)
    legs = (("back", -0.34, "thigh", "shank"), ("front", 0.30, "shoulder", "forearm"))
    for end, place, upper, lower in legs:
        length = body.length(f"{end}_leg")
        width = body.length("leg_width") * (length > 0)
        thigh = body.length("thigh_width" if end == "back" else "leg_width")
        thigh = np.maximum(thigh, 1.25 * width) * (length > 0)
        bend = knee * (1 if end == "back" else -0.35)
        for side, shift in (("far", 0.09), ("near", -0.02)):
            swing = body.swing(24) - np.pi / 2
            start = (place + shift) * along - 0.08 * upward
            joint = body.add_limb(
                f"{side}_{upper}", start, swing + bend, 0.55 * length, thigh
            )
            body.add_limb(f"{side}_{lower}", joint, swing - bend, 0.5 * length, width)


def _add_tail(body: Body, start: np.ndarray) -> None:
    lengths, widths = body.length("tail"), body.length("tail_width")
    angles = body.angle("tail_angle", 18) + body.swing(14)[:, None]
    joint = body.add_limb("tail_base", start, angles[:, 0], lengths[:, 0], widths[:, 0])
    body.add_limb("tail_end", joint, angles[:, 1], lengths[:, 1], widths[:, 1])


def _add_neck(
    body: Body, start: np.ndarray, tilt: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the head is and its direction."""
    bend = body.swing(38)
    angle = body.angle("neck_angle", 0) + tilt + bend
    end = body.add_limb(
        "neck", start, angle, body.length("neck_length"), body.length("neck_width")
    )
    mane = body.length("mane")
    beside = start + 0.55 * (end - start) + direction(angle + np.pi / 2) * 0.11
    body.add("mane", beside, angle, 0.5 * body.length("neck_length"), mane)
    return end, body.angle("head_pitch", 14) + 0.6 * bend


def _add_head(body: Body, center: np.ndarray, pitch: np.ndarray) -> None:
    size = body.length("head")
    center = center + direction(pitch) * size[:, :1] * 0.3

    def at(place: np.ndarray) -> np.ndarray:
        forward = direction(pitch) * (place[:, 0] * size[:, 0])[:, None]
        return (
            center
            + forward
            + direction(pitch + np.pi / 2) * ((place[:, 1] * size[:, 1])[:, None])
        )

    def spot(forward: float, up: float) -> np.ndarray:
        return at(np.tile(np.array([forward, up], np.float32), (len(center), 1)))

    body.add("skull", center, pitch, *size.T)
    body.add("snout", spot(1.0, -0.25), pitch, *body.length("snout").T)
    body.add("eye", spot(0.3, 0.25), pitch, 0.16 * size[:, 0], 0.16 * size[:, 0])
    _add_ears(body, at, pitch)
    trunk = body.length("trunk")
    curl = pitch - 1.05 + body.swing(25)
    width = 0.1 * (trunk[:, 0] > 0)
    joint = body.add_limb("trunk_base", spot(1.0, -0.3), curl, trunk[:, 0], width)
    body.add_limb("trunk_end", joint, curl + body.swing(45), trunk[:, 1], 0.75 * width)


def _add_ears(
    body: Body, at: Callable[[np.ndarray], np.ndarray], pitch: np.ndarray
) -> None:
    """Ears, and what is pointed: cat's and horse's ears, horns, beak, tusk."""
    for kind in ("ear", "point"):
        place = body.length(f"{kind}_place")
        size = body.length(kind)
        angle = body.angle(f"{kind}_angle", 9) + pitch
        body.add(f"near_{kind}", at(place), angle, *size.T)
        far = size.copy()
        if kind == "point":
            far = far * body.length("two_points")[:, None]
        behind = place + np.array([0.45, 0.05], np.float32)
        body.add(f"far_{kind}", at(behind), angle - 0.25, *far.T)
