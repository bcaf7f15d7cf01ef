"""What drawn birds are made of, and their shapes in random poses."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.datasets.synthetic._animal_body import direction
from keras_interp.datasets.synthetic._bird_individuals import Individuals
from keras_interp.datasets.synthetic._drawing import ImageRandom, Shapes, rotation
from keras_interp.datasets.synthetic.bird_species import PARTS

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


_INDIVIDUAL = 0.08  # every length differs by up to this share between birds
_EYE_AZIMUTH, _EYE_HEIGHT = np.deg2rad(50), 0.24
_LIFTED_SHARE = 0.18
_SITTING_SHARE = 0.25


class _Body:
    """Collects the shapes of one bird in each of n images.

    The frame has the torso's length as unit, x in the direction of view and y up.
    """

    def __init__(self, birds: Individuals, random: ImageRandom) -> None:
        self.birds = birds
        self.random = random
        self._centers = np.zeros((len(birds), len(SHAPE_NAMES), 2), np.float32)
        self._axes = np.zeros((len(birds), len(SHAPE_NAMES), 2, 2), np.float32)

    def build(self, field: str) -> np.ndarray:
        """A length of the bird's build, a little different each time."""
        return self.vary(table(BUILDS, field)[self.birds.builds])

    def vary(self, values: np.ndarray) -> np.ndarray:
        """The same values, each up to some per cent off."""
        return values * self.random.uniform(
            1 - _INDIVIDUAL, 1 + _INDIVIDUAL, shape=values.shape[1:]
        )

    def swing(self, spread: float) -> np.ndarray:
        """An angle in radians of up to `spread` degrees to either side."""
        return np.deg2rad(self.random.uniform(-spread, spread))

    def add(
        self,
        name: str,
        center: np.ndarray,
        angle: np.ndarray,
        half_length: np.ndarray,
        half_width: np.ndarray,
    ) -> None:
        """Adds an ellipse or triangle; sizes of 0 leave it out."""
        sizes = np.stack([half_length, half_width], axis=1)
        sizes = sizes * (sizes.min(axis=1, keepdims=True) > 0)
        self._centers[:, index(name)] = center
        self._axes[:, index(name)] = rotation(angle) * sizes[:, None, :]

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
        self.add(name, start + step / 2, angle, length * 0.55, half_width)
        return start + step

    def shapes(self) -> Shapes:
        """The finished bird, with y down as in images."""
        down = np.array([1, -1], np.float32)
        return Shapes(
            centers=self._centers * down,
            axes=self._axes * down[:, None],
            is_triangle=IS_TRIANGLE,
        )


class _Head:
    """Places in the frame of a head that is turned out of the profile by `yaw`.

    Units are half the skull's length and width; x is the direction of view.
    """

    def __init__(
        self, center: np.ndarray, pitch: np.ndarray, yaw: np.ndarray, size: np.ndarray
    ) -> None:
        self.pitch = pitch
        self.turned = np.cos(yaw)  # 1 in profile, 0 where it faces the viewer
        self.yaw = yaw
        self.size = size
        self._center = center

    def at(self, forward: np.ndarray | float, up: float) -> np.ndarray:
        """A place on the image `(n, 2)`."""
        along = direction(self.pitch) * (forward * self.size)[:, None]
        return (
            self._center
            + along
            + direction(self.pitch + np.pi / 2) * ((up * self.size)[:, None])
        )

    def middle(self, forward: float, up: float) -> np.ndarray:
        """A place on the middle line of the head, which a turn moves sideways."""
        return self.at(forward * self.turned, up)


def pose_birds(birds: Individuals, random: ImageRandom) -> Shapes:
    """Birds in random poses, looking right.

    Args:
        birds: the birds of n images.
        random: the numbers of the n images.
    """
    body = _Body(birds, random)
    tilt = np.deg2rad(table(BUILDS, "tilt")[birds.builds]) + body.swing(11)
    along, upward = direction(tilt), direction(tilt + np.pi / 2)
    rump, chest = body.build("rump"), body.build("chest")
    body.add("rump", -0.20 * along, tilt, *rump.T)
    body.add("chest", 0.20 * along, tilt, *chest.T)
    breast = 0.36 * along - 0.03 * upward
    body.add("breast", breast, tilt - 1.0, 0.42 + 0 * tilt, 0.21 * chest[:, 1] / 0.28)
    above = (0.5 * (rump + chest)[:, 1])[:, None] * upward
    body.add(
        "back",
        -0.10 * along + 0.92 * above,
        tilt - 0.06,
        0.62 + 0 * tilt,
        0.5 * rump[:, 1],
    )
    _add_wings(body, tilt, along, upward)
    _add_legs(body, along, upward, rump[:, 1])
    _add_tail(body, -0.50 * along + 0.03 * upward, tilt)
    _add_head(body, *_add_neck(body, 0.36 * along + 0.06 * upward, tilt))
    return body.shapes()


def _add_wings(
    body: _Body, tilt: np.ndarray, along: np.ndarray, upward: np.ndarray
) -> None:
    """Folded along the body, or lifted: then the far wing shows behind the back."""
    lifted = body.random.chance(_LIFTED_SHARE)
    lift = np.deg2rad(body.random.uniform(55, 105)) * lifted
    size = body.build("wing")
    shoulder = 0.30 * along - 0.03 * upward
    for side, behind in (("near", 0.0), ("far", 0.35)):
        angle = tilt + np.pi - 0.04 - lift + behind * lifted + body.swing(4)
        shown = lifted if side == "far" else np.ones_like(lifted)
        half = size * np.where(lifted, 1.1, 1.0)[:, None] * shown[:, None]
        back = direction(angle)
        body.add(f"{side}_wing", shoulder + back * size[:, :1], angle, *half.T)
        tip = shoulder + back * (size[:, :1] * 1.75)
        body.add(f"{side}_wing_tip", tip, angle, 0.75 * half[:, 0], 0.85 * half[:, 1])


def _add_legs(
    body: _Body, along: np.ndarray, upward: np.ndarray, depth: np.ndarray
) -> None:
    """Two legs under the belly; birds that sit hide them."""
    length = body.build("leg") * ~body.random.chance(_SITTING_SHARE)
    for side, place in (("near", -0.06), ("far", 0.10)):
        start = place * along - (0.85 * depth)[:, None] * upward
        angle = body.swing(16) - np.pi / 2
        foot = body.add_limb(f"{side}_shank", start, angle, length, 0.035 + 0 * angle)
        wide = 0.10 * (length > 0)
        forward = np.array([0.04, 0.0], np.float32)
        body.add(f"{side}_foot", foot + forward, 0 * angle, wide, 0.4 * wide)


def _add_tail(body: _Body, start: np.ndarray, tilt: np.ndarray) -> None:
    shape = body.birds.shapes[:, PARTS.index("tail")]
    length = body.vary(table(TAILS, "length")[shape])
    width = body.vary(table(TAILS, "width")[shape])
    spread = np.deg2rad(body.vary(table(TAILS, "spread")[shape]))
    angle = tilt + np.pi + body.swing(17)
    for name, side in (("upper_tail", -0.5), ("lower_tail", 0.5)):
        body.add_limb(name, start, angle + side * spread, length, width)


def _add_neck(
    body: _Body, start: np.ndarray, tilt: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the head is and how far the neck is bent."""
    bend = body.swing(20)
    angle = np.deg2rad(table(BUILDS, "neck_angle")[body.birds.builds]) + bend
    length, width = body.build("neck").T
    return body.add_limb("neck", start, angle + 0.5 * tilt, length, width), bend


def _add_head(body: _Body, center: np.ndarray, bend: np.ndarray) -> None:
    form = np.array(list(HEADS.values()), np.float32)[body.birds.sizes]
    facing = body.birds.facing
    yaw = np.deg2rad(
        np.where(
            facing,
            body.random.uniform(70, 86),
            body.random.uniform(-20, 32),
        )
    )
    pitch = 0.35 * bend + body.swing(13)
    size = body.vary(form[:, :1])[:, 0]
    head = _Head(center + direction(pitch) * size[:, None] * 0.2, pitch, yaw, size)
    body.add("skull", head.at(0, 0), pitch, size, 0.93 * size)
    body.add("crown", head.middle(0.04, 0.66), pitch + 0.06, 0.98 * size, 0.46 * size)
    body.add("forehead", head.middle(0.74, 0.55), pitch, 0.42 * size, 0.50 * size)
    body.add("throat", head.middle(0.50, -0.80), pitch - 0.5, 0.66 * size, 0.60 * size)
    behind = np.abs(head.turned) * size
    body.add("nape", head.middle(-0.92, -0.30), pitch, 0.42 * behind, 0.85 * size)
    crested = body.birds.shapes[:, PARTS.index("crown")] * size
    body.add(
        "crest", head.middle(-0.55, 0.92), pitch + 2.3, 0.62 * crested, 0.42 * crested
    )
    _add_eyes(body, head, form[:, 1] * size)
    _add_beak(body, head)


def _add_eyes(body: _Body, head: _Head, radius: np.ndarray) -> None:
    """The far eye shows only where the head is turned far enough."""
    has_ring = body.birds.colors[:, PARTS.index("eye_ring")] >= 0
    for side, azimuth in (("near", _EYE_AZIMUTH), ("far", -_EYE_AZIMUTH)):
        towards = np.sin(head.yaw + azimuth)
        place = head.at(np.cos(head.yaw + azimuth), _EYE_HEIGHT)
        radii = radius * (towards > 0.15)
        narrow = np.clip(towards / np.sin(_EYE_AZIMUTH), 0, 1)
        body.add(f"{side}_pupil", place, head.pitch, narrow * radii, radii)
        ring = 1.75 * radii * has_ring
        body.add(f"{side}_ring", place, head.pitch, narrow * ring, ring)


def _add_beak(body: _Body, head: _Head) -> None:
    """Seen from in front, a beak is short and points down."""
    shape = body.birds.shapes[:, PARTS.index("beak")]
    facing = body.birds.facing
    size = head.size * np.where(facing, 0.62, 1.0)
    angle = head.pitch - np.where(facing, 1.1, 0.0)
    start = head.middle(0.88, -0.06)
    bent = angle + np.deg2rad(table(BEAKS, "bend")[shape])
    # Each shape: its direction, and where its middle lies along the beak.
    pieces = {
        "base": (angle, 1.0),
        "body": (angle, 0.8),
        "curve": (bent, 0.75),
        "tip": (bent, 0.7),
    }
    joint = start
    for piece, (turn, place) in pieces.items():
        half = body.vary(table(BEAKS, piece)[shape]) * size[:, None]
        center = joint + direction(turn) * half[:, :1] * place
        body.add(f"beak_{piece}", center, turn, *half.T)
        if piece == "body":
            joint = start + direction(turn) * half[:, :1] * 1.3
