"""The colours and patterns of the shapes of birds."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.datasets.synthetic.bird_anatomy import SHAPE_NAMES, SHAPE_PARTS, index
from keras_interp.datasets.synthetic.bird_attributes import PALETTE, PARTS, PATTERNS
from keras_interp.datasets.synthetic.bird_individuals import Individuals
from keras_interp.datasets.synthetic.random_numbers import PictureRandom
from keras_interp.datasets.synthetic.shapes import Shapes

_COLORS = np.array(list(PALETTE.values()), np.float32)
_LEG_COLORS = np.array(
    [(0.30, 0.27, 0.25), (0.55, 0.42, 0.32), (0.62, 0.50, 0.30)], np.float32
)
_DARK_EYE, _AMBER_EYE = (0.03, 0.03, 0.04), (0.72, 0.50, 0.16)
# Distances between stripes, spots and bars in units of the torso's length.
_STRIPES, _SPOTS, _BARS = 0.135, 0.15, 0.15


@dataclasses.dataclass(frozen=True)
class Plumage:
    """float32 for each of the P shapes in n pictures.

    `colors` and `marks`, the colours of stripes, spots and bars, are `(n, P, 3)` in
    0..1; `patterns` `(n, P, 3)` is 1 for the pattern that a shape has.
    """

    colors: np.ndarray
    marks: np.ndarray
    patterns: np.ndarray

    def take(self, rows: slice) -> Plumage:
        """The plumage of some of the birds."""
        return Plumage(self.colors[rows], self.marks[rows], self.patterns[rows])


def make_plumage(
    birds: Individuals, random: PictureRandom, difficulty: float
) -> Plumage:
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
