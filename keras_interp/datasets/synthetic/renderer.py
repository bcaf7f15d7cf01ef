"""Draws scenes and finds out which parts are to be seen where."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.datasets.synthetic.anatomy import PARTS, part_table
from keras_interp.datasets.synthetic.random_numbers import PictureRandom
from keras_interp.datasets.synthetic.scene import Scene
from keras_interp.datasets.synthetic.shapes import cover_from_front
from keras_interp.datasets.synthetic.texture import (
    cut_noise,
    stripes,
    visible_textures,
)

_SEEN_SHARE = 0.4  # a part has a landmark if that much of it is not hidden
_SEEN_AREA = 0.001  # ... and if that share of the picture shows it


@dataclasses.dataclass(frozen=True)
class Drawing:
    """n finished pictures and their annotation, as in `PartsDataset`."""

    images: np.ndarray
    landmarks: np.ndarray
    part_masks: np.ndarray
    boxes: np.ndarray
    texture_masks: np.ndarray


def draw(
    scene: Scene,
    categories: np.ndarray,
    random: PictureRandom,
    size: tuple[int, int],
    difficulty: float,
) -> Drawing:
    """Draws n scenes; `categories` are -1 where there is no animal."""
    height, width = size
    body = scene.body.coverage(height, width)
    behind = cover_from_front(body)
    clutter = scene.clutter.coverage(height, width)
    behind = cover_from_front(clutter, behind)
    front = scene.occluders.coverage(height, width)
    in_sight = cover_from_front(front)
    paint = np.concatenate([scene.body_colors, scene.body_texture], axis=2)
    mixed = (
        np.concatenate([np.swapaxes(paint, 1, 2), _parts(categories)], axis=1) @ body
    )
    colors, drawn_parts = mixed[:, :5], mixed[:, 5:]
    paint = np.concatenate([scene.clutter_colors, scene.clutter_texture], axis=2)
    colors += np.swapaxes(paint, 1, 2) @ clutter
    strength = colors[:, 3:]
    pattern = strength * np.stack(
        [stripes(random, *size), cut_noise(random, "mottled", *size, 1)[:, 0]], axis=1
    )
    picture = colors[:, :3] + pattern.sum(axis=1, keepdims=True)
    backdrop, mottles = _backdrop(scene, random, size)
    picture += behind[:, None] * backdrop
    strength[:, 1] += behind * mottles
    strength *= in_sight[:, None]
    picture *= in_sight[:, None]
    picture += np.swapaxes(scene.occluder_colors, 1, 2) @ front
    amount = random.uniform(0.01, 0.02 + 0.05 * difficulty)[:, None, None]
    picture += amount * cut_noise(random, "grainy", *size, 3)
    picture *= 255
    np.clip(np.rint(picture, out=picture), 0, 255, out=picture)
    images = np.moveaxis(picture.reshape(-1, 3, height, width), 1, 3).astype(np.uint8)
    landmarks, masks = _visible_parts(drawn_parts, in_sight, size)
    boxes = np.clip(scene.body.bounds(), 0, np.tile([width, height], 2))
    boxes[categories < 0] = np.nan
    textures = visible_textures(strength, height, width)
    return Drawing(np.ascontiguousarray(images), landmarks, masks, boxes, textures)


def _parts(categories: np.ndarray) -> np.ndarray:
    """float32 `(n, K, P)`: 1 where a shape belongs to a part of an animal."""
    parts = part_table()[categories]
    belongs = parts[:, None, :] == np.arange(len(PARTS))[:, None]
    return (belongs & (categories >= 0)[:, None, None]).astype(np.float32)


def _backdrop(
    scene: Scene, random: PictureRandom, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Clouds of light and dark over the background colour, and how mottled they are.

    Returns:
        `(n, 3, pixels)` and `(n, 1)`.
    """
    amount = random.uniform(0.02, 0.09)[:, None, None]
    clouds = cut_noise(random, "cloudy", *size, 1) * amount
    amount = random.uniform(0, 0.09)[:, None, None]
    clouds += cut_noise(random, "mottled", *size, 1) * amount
    return scene.background[:, :, None] + clouds, amount[:, 0]


def _visible_parts(
    drawn: np.ndarray, in_sight: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks `(n, K, 2)`, the centroids of what is seen of a part, and masks.

    Args:
        drawn: `(n, K, pixels)`, the share of each pixel that shows a part where
            nothing is in front of the animal.
        in_sight: `(n, pixels)`, the share of each pixel that has nothing in front.
        size: (height, width) in pixels.
    """
    height, width = size
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(np.float32) + 0.5
    one = np.ones_like(x)
    whole = drawn @ one
    drawn = drawn * in_sight[:, None]
    moments = drawn @ np.stack([x, y, one], axis=1)
    seen = moments[..., 2]
    landmarks = moments[..., :2] / np.maximum(seen, 1e-6)[..., None]
    enough = np.maximum(_SEEN_SHARE * whole, _SEEN_AREA * height * width)
    landmarks[seen < enough] = np.nan
    return landmarks, (drawn >= 0.5).reshape(-1, len(PARTS), height, width)
