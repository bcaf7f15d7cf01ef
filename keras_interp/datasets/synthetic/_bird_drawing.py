"""Draws scenes with birds and finds out which parts are to be seen where."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from keras_interp.datasets.synthetic._bird_body import (
    CLIPPED,
    LANDMARKS,
    PAIRED,
    SHAPES,
    index,
)
from keras_interp.datasets.synthetic._bird_scene import BirdScene, pattern_fields
from keras_interp.datasets.synthetic._drawing import (
    ImageRandom,
    cover_from_front,
    cut_noise,
)

# A part has a landmark if that share of it is not hidden by leaves and twigs; what
# has a shape to tell must be seen better.
_SEEN_SHARE = np.array(
    [0.6 if name in ("beak", "tail") else 0.4 for name in LANDMARKS], np.float32
)
_SEEN_AREA = 0.0008  # ... and if that share of the image shows it
_SEEN_EYE = 0.0005


@dataclasses.dataclass(frozen=True)
class BirdDrawing:
    """n finished images and their annotation, as in `PartsDataset`."""

    images: np.ndarray
    landmarks: np.ndarray
    part_masks: np.ndarray
    boxes: np.ndarray
    texture_masks: np.ndarray


def draw_birds(
    scene: BirdScene, random: ImageRandom, size: tuple[int, int], difficulty: float
) -> BirdDrawing:
    """Draws n scenes of `size`, (height, width) in pixels."""
    height, width = size
    body = scene.body.coverage(height, width)
    _clip(body)
    behind = cover_from_front(body)
    clutter = scene.clutter.coverage(height, width)
    behind = cover_from_front(clutter, behind)
    front = scene.occluders.coverage(height, width)
    in_sight = cover_from_front(front)
    plumage = scene.plumage
    paint = np.concatenate([plumage.colors, plumage.marks, plumage.patterns], axis=2)
    rows = np.concatenate([np.swapaxes(paint, 1, 2), _parts(scene.mirrored)], axis=1)
    mixed = rows @ body
    image, marks, drawn_parts = mixed[:, :3], mixed[:, 3:6], mixed[:, 9:]
    patterned = mixed[:, 6:9]
    strength = (patterned * pattern_fields(scene.body, height, width)).sum(axis=1)
    marks -= image
    marks *= strength[:, None]
    image += marks
    image += np.swapaxes(scene.clutter_colors, 1, 2) @ clutter
    image += behind[:, None] * _backdrop(scene, random, size)
    image *= in_sight[:, None]
    image += np.swapaxes(scene.occluder_colors, 1, 2) @ front
    image *= _light(random, size, difficulty)
    amount = random.uniform(0.01, 0.015 + 0.03 * difficulty)[:, None, None]
    image += amount * cut_noise(random, "grainy", *size, 3)
    image *= 255
    np.clip(np.rint(image, out=image), 0, 255, out=image)
    images = np.moveaxis(image.reshape(-1, 3, height, width), 1, 3).astype(np.uint8)
    landmarks, masks = _visible_parts(drawn_parts, in_sight, size)
    boxes = np.clip(scene.body.bounds(), 0, np.tile([width, height], 2))
    textures = (patterned * in_sight[:, None] >= 0.5).reshape(-1, 3, height, width)
    return BirdDrawing(np.ascontiguousarray(images), landmarks, masks, boxes, textures)


def _clip(coverage: np.ndarray) -> None:
    """Ends patches of feathers, in place, where the body ends.

    In pixels on the outline the body is then covered no more than by the patch: else
    it would show as a fringe around the patch.
    """
    for name, owners in CLIPPED.items():
        patch = coverage[:, index(name)]
        under = [coverage[:, index(owner)] for owner in owners]
        np.minimum(patch, functools.reduce(np.maximum, under), out=patch)
        rest = np.maximum(1 - patch, np.float32(1e-3))
        for cover in under:
            cover -= patch
            cover /= rest
            np.maximum(cover, 0, out=cover)


def _parts(mirrored: np.ndarray) -> np.ndarray:
    """float32 `(n, K, P)`: 1 where a shape belongs to a landmark's part."""
    return _part_table()[mirrored.astype(int)]


@functools.lru_cache(maxsize=1)
def _part_table() -> np.ndarray:
    """float32 `(2, K, P)` for birds that look right and left.

    A bird that looks right shows its right side, which is near.
    """
    belongs = np.zeros((2, len(LANDMARKS), len(SHAPES)), np.float32)
    for mirrored, sides in enumerate(({"near": "right", "far": "left"},) * 2):
        if mirrored:
            sides = {"near": "left", "far": "right"}
        names = {
            f"{where} {p}": f"{side} {p}"
            for where, side in sides.items()
            for p in PAIRED
        }
        for shape, (_, part, _) in enumerate(SHAPES):
            if part:
                belongs[mirrored, LANDMARKS.index(names.get(part, part)), shape] = 1
    return belongs


def _backdrop(
    scene: BirdScene, random: ImageRandom, size: tuple[int, int]
) -> np.ndarray:
    """`(n, 3, pixels)`: clouds of light and dark over the background colour."""
    amount = random.uniform(0.02, 0.08)[:, None, None]
    clouds = cut_noise(random, "cloudy", *size, 1) * amount
    amount = random.uniform(0, 0.05)[:, None, None]
    clouds += cut_noise(random, "mottled", *size, 1) * amount
    return scene.background[:, :, None] + clouds


def _light(random: ImageRandom, size: tuple[int, int], difficulty: float) -> np.ndarray:
    """`(n, 3, pixels)`: brightness and warmth of the light, which comes from above."""
    height, width = size
    level = 1 + random.uniform(-0.30, 0.12, shape=(1,)) * difficulty
    warmth = random.uniform(-0.07, 0.07, shape=(1,)) * difficulty
    color = level * np.concatenate([1 + warmth, 1 + 0 * warmth, 1 - warmth], axis=1)
    sideways = random.uniform(-0.10, 0.10)[:, None, None] * np.linspace(-1, 1, width)
    down = (
        random.uniform(0.03, 0.13)[:, None, None] * np.linspace(1, -1, height)[:, None]
    )
    slope = (1 + sideways + down).astype(np.float32).reshape(len(level), 1, -1)
    return color[:, :, None] * slope


def _visible_parts(
    drawn: np.ndarray, in_sight: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks `(n, K, 2)` on what is seen of a part, and masks.

    Args:
        drawn: `(n, K, pixels)`, the share of each pixel that shows a part where
            nothing is in front of the bird.
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
    masks = drawn >= 0.5
    is_eye = np.array(["eye" in name for name in LANDMARKS])
    area = np.where(is_eye, _SEEN_EYE, _SEEN_AREA).astype(np.float32) * height * width
    hidden = (seen < np.maximum(_SEEN_SHARE * whole, area)) | ~masks.any(axis=2)
    landmarks[hidden] = np.nan
    _move_onto_masks(landmarks, masks, x, y, width)
    return landmarks, masks.reshape(-1, len(LANDMARKS), height, width)


def _move_onto_masks(
    landmarks: np.ndarray, masks: np.ndarray, x: np.ndarray, y: np.ndarray, width: int
) -> None:
    """Moves centroids that lie beside their part, in place, to its nearest pixel."""
    rows, parts = np.nonzero(~np.isnan(landmarks[..., 0]))
    pixel = landmarks[rows, parts].astype(int)
    beside = ~masks[rows, parts, pixel[:, 1] * width + pixel[:, 0]]
    rows, parts = rows[beside], parts[beside]
    point = landmarks[rows, parts]
    distance = (x - point[:, :1]) ** 2 + (y - point[:, 1:]) ** 2
    nearest = np.where(masks[rows, parts], distance, np.inf).argmin(axis=1)
    landmarks[rows, parts] = np.stack([x[nearest], y[nearest]], axis=1)
