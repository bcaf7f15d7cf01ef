"""Places birds in images, on branches and behind leaves, and gives them feathers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.datasets.synthetic._bird_body import (
    SHAPE_NAMES,
    SHAPE_PARTS,
    index,
    pose_birds,
)
from keras_interp.datasets.synthetic._bird_individuals import Individuals
from keras_interp.datasets.synthetic._drawing import ImageRandom, Shapes, rotation
from keras_interp.datasets.synthetic.bird_species import PALETTE, PARTS, PATTERNS

_COLORS = np.array(list(PALETTE.values()), np.float32)
_LEG_COLORS = np.array(
    [(0.30, 0.27, 0.25), (0.55, 0.42, 0.32), (0.62, 0.50, 0.30)], np.float32
)
_DARK_EYE, _AMBER_EYE = (0.03, 0.03, 0.04), (0.72, 0.50, 0.16)
# Distances between stripes, spots and bars in units of the torso's length.
_STRIPES, _SPOTS, _BARS = 0.135, 0.15, 0.15


@dataclasses.dataclass(frozen=True)
class Plumage:
    """float32 for each of the P shapes in n images.

    `colors` and `marks`, the colours of stripes, spots and bars, are `(n, P, 3)` in
    0..1; `patterns` `(n, P, 3)` is 1 for the pattern that a shape has.
    """

    colors: np.ndarray
    marks: np.ndarray
    patterns: np.ndarray

    def take(self, rows: slice) -> Plumage:
        """The plumage of some of the birds."""
        return Plumage(self.colors[rows], self.marks[rows], self.patterns[rows])


def make_plumage(birds: Individuals, random: ImageRandom, difficulty: float) -> Plumage:
    """Colours every shape; no two birds of a species have the very same shade."""
    part_colors = _COLORS[birds.colors]
    spread = 0.03 + 0.05 * difficulty
    lighter = 1 + random.uniform(-1.6 * spread, spread, shape=(1, 1))
    tint = random.uniform(-spread, spread, shape=(len(PARTS), 3))
    part_colors = np.clip(part_colors * lighter + 0.6 * tint, 0.02, 0.98)
    legs = _LEG_COLORS[random.integers(len(_LEG_COLORS))]
    nape = part_colors[:, PARTS.index("nape")].mean(axis=1, keepdims=True)
    eyes = np.where(nape < 0.25, _AMBER_EYE, _DARK_EYE)
    palette = np.concatenate([part_colors, legs[:, None], eyes[:, None]], axis=1)
    names = [*PARTS, "leg", ""]
    columns = [names.index(part) for part in SHAPE_PARTS]
    patterns = np.zeros((len(birds), len(names), len(PATTERNS)), np.float32)
    patterns[:, : len(PARTS)] = birds.patterns[..., None] == np.arange(len(PATTERNS))
    colors = palette[:, columns].astype(np.float32)
    far = np.array([name.startswith("far_") for name in SHAPE_NAMES])
    colors[:, far & (np.array(SHAPE_PARTS) != "eye_ring")] *= 0.8
    light = colors.mean(axis=2, keepdims=True) > 0.42
    marks = np.where(light, 0.25 * colors, 0.2 * colors + 0.72).astype(np.float32)
    return Plumage(colors, marks, patterns[:, columns, 1:])


def pattern_fields(body: Shapes, height: int, width: int) -> np.ndarray:
    """float32 `(n, 3, height * width)` in 0..1: stripes, spots and bars everywhere.

    Stripes run along the body of the bird and bars across it.
    """
    axes = body.axes[:, index("chest")]
    along = axes[:, :, 0] / np.linalg.norm(axes[:, :, 0], axis=1, keepdims=True)
    unit = np.linalg.norm(body.axes[:, index("rump"), :, 0], axis=1) / 0.41
    center = body.centers[:, index("chest")]
    x = np.arange(width, dtype=np.float32) + 0.5 - center[:, :1]
    y = np.arange(height, dtype=np.float32) + 0.5 - center[:, 1:]
    along = along / unit[:, None]
    u = y[:, :, None] * along[:, 1, None, None] + x[:, None] * along[:, 0, None, None]
    v = x[:, None] * along[:, 1, None, None] - y[:, :, None] * along[:, 0, None, None]
    stripes = _wave(v / _STRIPES)
    spots = np.minimum(
        _wave((u + v) / _SPOTS / 2**0.5), _wave((u - v) / _SPOTS / 2**0.5)
    )
    bars = _wave(u / _BARS)
    fields = np.stack([stripes, spots - 0.15, bars], axis=1)
    fields = fields.reshape(len(center), 3, height * width)
    return np.clip(1.6 * fields + 0.5, 0, 1, out=fields)


def _wave(turns: np.ndarray) -> np.ndarray:
    """A triangle wave in -1..1 with its top at the whole numbers."""
    turns = turns - np.floor(turns)
    return np.abs(turns - 0.5) * 4 - 1


_PERCH_SHARE = 0.7
_BERRIES, _LEAVES, _HILLS = 2, 5, 3
_TWIGS = 1
# What a small leaf and a large one in front of the bird may hide.
_SMALL_TARGETS = (
    "crown",
    "nape",
    "throat",
    "beak_base",
    "breast",
    "upper_tail",
    "near_pupil",
)
_LARGE_TARGETS = ("rump", "chest", "back", "near_wing", "upper_tail")
_SURROUNDINGS = np.array(
    [
        (0.62, 0.74, 0.86),  # sky
        (0.40, 0.50, 0.28),  # leaves
        (0.24, 0.33, 0.20),  # deep wood
        (0.55, 0.45, 0.33),  # earth
        (0.70, 0.70, 0.66),  # stone, mist
        (0.35, 0.45, 0.55),  # water
    ],
    np.float32,
)
_WOOD = (0.38, 0.29, 0.21)
_GREEN = np.array((0.30, 0.44, 0.17), np.float32)
_AUTUMN = np.array((0.55, 0.40, 0.17), np.float32)


@dataclasses.dataclass(frozen=True)
class BirdScene:
    """What there is to draw, from front to back, in each of n images.

    Colours are float32 `(n, P, 3)` in 0..1. `mirrored` is true where a bird looks left
    and therefore shows its left side.
    """

    occluders: Shapes
    occluder_colors: np.ndarray
    body: Shapes
    plumage: Plumage
    clutter: Shapes
    clutter_colors: np.ndarray
    background: np.ndarray
    mirrored: np.ndarray

    def take(self, rows: slice) -> BirdScene:
        """The scenes of some of the images."""
        taken: dict[str, Any] = {}
        for name, value in vars(self).items():
            parted = isinstance(value, Shapes | Plumage)
            taken[name] = value.take(rows) if parted else value[rows]
        return BirdScene(**taken)


def make_bird_scene(
    birds: Individuals,
    random: ImageRandom,
    size: tuple[int, int],
    difficulty: float,
) -> BirdScene:
    """Makes up the scenes of n images.

    Args:
        birds: the birds of the n images.
        random: the numbers of the n images.
        size: (height, width) in pixels.
        difficulty: 0 (nothing hidden, plain surroundings) to 1 (crowded, hidden).
    """
    body, mirrored = _place(pose_birds(birds, random), random, size)
    plumage = make_plumage(birds, random, difficulty)
    background = _SURROUNDINGS[random.integers(len(_SURROUNDINGS))]
    background = background * random.uniform(0.7, 1.12, shape=(1,))
    background = background + random.uniform(-0.05, 0.05, shape=(3,))
    clutter, clutter_colors = _clutter(body, background, random, size, difficulty)
    occluders, occluder_colors = _occluders(body, random, size, difficulty)
    return BirdScene(
        occluders=occluders,
        occluder_colors=occluder_colors,
        body=body,
        plumage=plumage,
        clutter=clutter,
        clutter_colors=clutter_colors,
        background=background,
        mirrored=mirrored,
    )


def _place(
    shapes: Shapes, random: ImageRandom, size: tuple[int, int]
) -> tuple[Shapes, np.ndarray]:
    """Fits birds into their images, every second one mirrored."""
    bounds = shapes.bounds()
    frame = np.array([size[1], size[0]], np.float32)
    fill = random.uniform(0.78, 1.04)
    scale = fill * (frame / (bounds[:, 2:] - bounds[:, :2])).min(axis=1)
    mirrored = random.chance(0.5)
    matrix = np.zeros((len(scale), 2, 2), np.float32)
    matrix[:, 0, 0] = np.where(mirrored, -scale, scale)
    matrix[:, 1, 1] = scale
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    # A twentieth of the image's width may be cut off at each side.
    room = frame - (bounds[:, 2:] - bounds[:, :2]) * scale[:, None] + 0.1 * frame
    place = frame / 2 + random.uniform(-0.5, 0.5, shape=(2,)) * room
    return shapes.transform(matrix, middle, place), mirrored


def _clutter(
    body: Shapes,
    background: np.ndarray,
    random: ImageRandom,
    size: tuple[int, int],
    difficulty: float,
) -> tuple[Shapes, np.ndarray]:
    """A branch to sit on; berries, leaves and hills behind the bird."""
    frame = np.array([size[1], size[0]], np.float32)
    perch, perch_color = _perch(body, random, frame)
    spots = _ellipses(random, _BERRIES, frame, (0.03, 0.06), (0.8, 1.0))
    spots = spots.keep(random.chance(0.6 * difficulty, shape=(_BERRIES,)))
    colors = np.array(list(PALETTE.values()), np.float32)
    berries = colors[random.integers(len(colors), shape=(_BERRIES,))]
    leaves = _ellipses(random, _LEAVES, frame, (0.08, 0.22), (0.3, 0.5))
    leaves = leaves.keep(random.chance(0.2 + 0.6 * difficulty, shape=(_LEAVES,)))
    hills = _ellipses(random, _HILLS, frame, (0.2, 0.5), (0.4, 1.0))
    shade = random.uniform(-0.12, 0.12, shape=(_HILLS, 1))
    tint = random.uniform(-0.04, 0.04, shape=(_HILLS, 3))
    all_colors = [
        perch_color,
        berries,
        _leaf_colors(random, _LEAVES),
        background[:, None] + shade + tint,
    ]
    return _join(perch, spots, leaves, hills), np.concatenate(all_colors, axis=1)


def _perch(
    body: Shapes, random: ImageRandom, frame: np.ndarray
) -> tuple[Shapes, np.ndarray]:
    """A branch under the feet, or under the belly of a bird that sits."""
    foot, rump = index("near_foot"), index("rump")
    stands = body.present[:, foot]
    depth = np.sqrt((body.axes[:, rump, 1] ** 2).sum(axis=1))
    below = body.centers[:, rump] + np.stack([0 * depth, 0.96 * depth], axis=1)
    center = np.where(stands[:, None], body.centers[:, foot], below)
    width = random.uniform(0.018, 0.04) * frame.mean()
    center[:, 1] += width
    half = np.stack([0 * width + 1.4 * frame.mean(), width], axis=1)
    axes = rotation(np.deg2rad(random.uniform(-12, 12))) * half[:, None, :]
    shapes = Shapes(center[:, None], axes[:, None], np.zeros(1, bool))
    color = np.array(_WOOD, np.float32) * random.uniform(0.6, 1.4, shape=(1, 1))
    return shapes.keep(random.chance(_PERCH_SHARE, shape=(1,))), color


def _occluders(
    body: Shapes, random: ImageRandom, size: tuple[int, int], difficulty: float
) -> tuple[Shapes, np.ndarray]:
    """Two leaves in front of parts of the bird, and a twig across the image."""
    frame = np.array([size[1], size[0]], np.float32)
    small = _leaf_before(body, _SMALL_TARGETS, random, frame, (0.10, 0.18))
    large = _leaf_before(body, _LARGE_TARGETS, random, frame, (0.17, 0.28))
    leaves = _join(small, large)
    chance = np.array([1.1, 0.8], np.float32) * difficulty
    leaves = leaves.keep(random.chance(chance, shape=(2,)))
    twigs = _ellipses(random, _TWIGS, frame, (0.6, 1.1), (0.012, 0.025))
    twigs = twigs.keep(random.chance(0.6 * difficulty, shape=(_TWIGS,)))
    wood = np.array(_WOOD, np.float32) * random.uniform(0.6, 1.4, shape=(_TWIGS, 1))
    colors = np.concatenate([_leaf_colors(random, 2), wood], axis=1)
    return _join(leaves, twigs), colors


def _leaf_before(
    body: Shapes,
    targets: tuple[str, ...],
    random: ImageRandom,
    frame: np.ndarray,
    length: tuple[float, float],
) -> Shapes:
    """A leaf in front of one of the targets."""
    columns = np.array([index(name) for name in targets])
    target = columns[random.integers(len(columns), shape=(1,))]
    place = np.take_along_axis(body.centers, target[..., None], axis=1)
    leaf = _ellipses(random, 1, frame, length, (0.45, 0.65))
    place = place + random.uniform(-0.04, 0.04, shape=(1, 2)) * frame
    return dataclasses.replace(leaf, centers=place)


def _leaf_colors(random: ImageRandom, count: int) -> np.ndarray:
    autumn = random.chance(0.3, shape=(count, 1))
    color = np.where(autumn, _AUTUMN, _GREEN)
    return color * random.uniform(0.65, 1.4, shape=(count, 1))


def _ellipses(
    random: ImageRandom,
    count: int,
    frame: np.ndarray,
    length: tuple[float, float],
    width: tuple[float, float],
) -> Shapes:
    """Ellipses anywhere; half their length in images, their width in lengths."""
    centers = random.uniform(0, 1, shape=(count, 2)) * frame
    half = random.uniform(*length, shape=(count,)) * frame.mean()
    half = np.stack([half, half * random.uniform(*width, shape=(count,))], axis=2)
    axes = rotation(random.uniform(0, np.pi, shape=(count,))) * half[:, :, None, :]
    return Shapes(centers, axes.astype(np.float32), np.zeros(count, bool))


def _join(*shapes: Shapes) -> Shapes:
    """The first ones in front."""
    return Shapes(
        centers=np.concatenate([some.centers for some in shapes], axis=1),
        axes=np.concatenate([some.axes for some in shapes], axis=1),
        is_triangle=np.concatenate([some.is_triangle for some in shapes]),
    )
