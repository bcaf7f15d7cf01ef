"""Puts the shapes of animals together in random poses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_interp.datasets.synthetic.anatomy import SHAPE_NAMES, TRIANGLES, table
from keras_interp.datasets.synthetic.random_numbers import PictureRandom
from keras_interp.datasets.synthetic.shapes import Shapes, rotation

_INDIVIDUAL = 0.12  # every length differs by up to this share between animals


class Body:
    """Collects the shapes of one animal in each of n pictures.

    The frame has the torso's length as unit, x in the direction of view and y up.
    """

    def __init__(self, categories: np.ndarray, random: PictureRandom) -> None:
        self._categories = categories
        self._random = random
        count = len(categories)
        self._centers = np.zeros((count, len(SHAPE_NAMES), 2), np.float32)
        self._axes = np.zeros((count, len(SHAPE_NAMES), 2, 2), np.float32)

    def length(self, field: str) -> np.ndarray:
        """A length of the anatomy for each picture, a little different each time."""
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
        """The finished body, with y down as in pictures."""
        down = np.array([1, -1], np.float32)
        return Shapes(
            centers=self._centers * down,
            axes=self._axes * down[:, None],
            is_triangle=np.isin(SHAPE_NAMES, TRIANGLES),
        )


def direction(angle: np.ndarray) -> np.ndarray:
    """Unit vectors `(n, 2)`."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def pose_animals(categories: np.ndarray, random: PictureRandom) -> Shapes:
    """Animals of the given categories in random poses, looking right.

    Args:
        categories: int array `(n,)`, indices in `anatomy.CATEGORIES`.
        random: the numbers of the n pictures.
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
