"""The synthetic dataset of animals with parts: needs no files."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import (
    BACKGROUND,
    check_count,
    check_share,
    check_size,
    refused,
)
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.synthetic._animal_body import CATEGORIES, PARTS, parts_of
from keras_interp.datasets.synthetic._animal_scene import Drawing, draw, make_scene
from keras_interp.datasets.synthetic._drawing import TEXTURES, ImageRandom
from keras_interp.datasets.synthetic.drawn_images import DrawnImages

_SCENES_AT_A_TIME = 256
_PIXELS_AT_A_TIME = 8 * 64 * 64  # what is drawn together should fit in the cache


def synthetic_parts(
    num_images: int = 2000,
    image_size: int | tuple[int, int] = 64,
    *,
    categories: Sequence[str] | None = None,
    negatives: float = 0.25,
    test_fraction: float = 0.25,
    difficulty: float = 0.5,
    part_masks: bool = True,
    texture_masks: bool = False,
    seed: int = 0,
) -> PartsDataset:
    """Draws birds, cats, cows, elephants, horses and rabbits made of parts.

    The animals stand in profile, look left or right and differ in pose, size, turn
    and coat; the colours of coat and surroundings tell nothing about the category.
    Loose heads, legs and tails of other animals lie about, and trunks and bushes hide
    some parts. Images of the class `"background"` show the loose parts alone.

    The image with number i is the same whatever `num_images` is.

    Example:

    >>> from keras_interp.datasets import synthetic_parts
    >>> dataset = synthetic_parts(100, categories=["cat", "bird"])
    >>> dataset.class_names
    ['cat', 'bird', 'background']
    >>> dataset.landmarks.shape
    (100, 8, 2)

    Args:
        num_images: how many images.
        image_size: height and width in pixels, or a (height, width) pair; 16 or more.
        categories: those wanted, in the order of their labels. Default: all six.
        negatives: share of the images of the class `"background"`, 0 to 1. With 0
            there is no such class.
        test_fraction: share of each class in the split `"test"`, 0 to 1.
        difficulty: 0 (no loose parts, nothing hidden, strong contrast) to 1.
        part_masks: whether to give `part_masks`, a bool image for each landmark.
        texture_masks: whether to give `texture_masks`: where the stripes (`"striped"`)
            and the mottles (`"mottled"`) that were drawn have a standard deviation of
            at least 0.03 of white, and where both stay below 0.01 (`"plain"`, under
            which clouds and grain may lie). The images are the same with and without.
        seed: any integer; another seed gives other images.

    Returns:
        A `PartsDataset` with those of the landmarks `"head"`, `"neck"`, `"torso"`,
        `"front_legs"`, `"back_legs"`, `"tail"`, `"ears"`, `"beak"`, `"horns"` and
        `"trunk"` that occur in its categories: birds have a head, torso, back legs,
        tail and beak. A landmark is the centroid of what is seen of the part, NaN where
        the animal has no such part or less than two fifths of it are seen. Boxes
        surround the whole animal, hidden parts included.

    Raises:
        ValueError: if an argument is outside its range or a category is unknown.
    """
    return open_synthetic_parts(
        num_images,
        image_size,
        categories=categories,
        negatives=negatives,
        test_fraction=test_fraction,
        difficulty=difficulty,
        part_masks=part_masks,
        texture_masks=texture_masks,
        seed=seed,
    ).load()


def open_synthetic_parts(
    num_images: int = 2000,
    image_size: int | tuple[int, int] = 64,
    *,
    categories: Sequence[str] | None = None,
    negatives: float = 0.25,
    test_fraction: float = 0.25,
    difficulty: float = 0.5,
    part_masks: bool = True,
    texture_masks: bool = False,
    seed: int = 0,
) -> DrawnImages:
    """Opens `synthetic_parts` for drawing its images a piece at a time.

    Example:

    >>> from keras_interp.datasets import open_synthetic_parts
    >>> images = open_synthetic_parts(1_000_000)
    >>> next(images.chunks(length=8))["images"].shape
    (8, 64, 64, 3)

    Args:
        num_images: how many images.
        image_size: height and width in pixels, or a (height, width) pair; 16 or more.
        categories: those wanted, in the order of their labels. Default: all six.
        negatives: share of the images of the class `"background"`, 0 to 1. With 0
            there is no such class.
        test_fraction: share of each class in the split `"test"`, 0 to 1.
        difficulty: 0 (no loose parts, nothing hidden, strong contrast) to 1.
        part_masks: whether to give `part_masks`, a bool image for each landmark.
        texture_masks: whether to give `texture_masks`: where the stripes (`"striped"`)
            and the mottles (`"mottled"`) that were drawn have a standard deviation of
            at least 0.03 of white, and where both stay below 0.01 (`"plain"`, under
            which clouds and grain may lie). The images are the same with and without.
        seed: any integer; another seed gives other images.

    Returns:
        A `DrawnImages`: the same images as those of `synthetic_parts`.

    Raises:
        ValueError: if an argument is outside its range or a category is unknown.
    """
    size = check_size(image_size)
    names = list(CATEGORIES) if categories is None else list(categories)
    _check_arguments(num_images, size, names, negatives, test_fraction, difficulty)
    labels, in_class = _labels(num_images, len(names), negatives)
    # The slack keeps 3 * (1 / 3) from falling below 1.
    steps = np.floor(np.stack([in_class + 1, in_class]) * test_fraction + 1e-9)
    parts = parts_of(names)
    return DrawnImages(
        class_names=names + [BACKGROUND] * (negatives > 0),
        landmark_names=parts,
        part_names=parts if part_masks else None,
        texture_names=TEXTURES if texture_masks else None,
        ids=np.arange(num_images),
        labels=labels,
        split=np.where(steps[0] > steps[1], "test", "train"),
        size=size,
        draw=functools.partial(
            _fields,
            anatomies=np.array([CATEGORIES.index(name) for name in names] + [-1]),
            columns=np.array([PARTS.index(part) for part in parts]),
            difficulty=difficulty,
            seed=seed,
            part_masks=part_masks,
            texture_masks=texture_masks,
        ),
    )


def _check_arguments(
    num_images: int,
    size: tuple[int, int],
    categories: list[str],
    negatives: float,
    test_fraction: float,
    difficulty: float,
) -> None:
    check_count("num_images", num_images)
    if min(size) < 16:
        raise refused("image_size of 16 pixels or more", image_size=size)
    unknown = [name for name in categories if name not in CATEGORIES]
    if unknown or not categories or len(set(categories)) != len(categories):
        raise refused(
            f"categories as different names out of {CATEGORIES}", categories=categories
        )
    shares = {
        "negatives": negatives,
        "test_fraction": test_fraction,
        "difficulty": difficulty,
    }
    for name, value in shares.items():
        check_share(name, value)


def _labels(
    count: int, categories: int, negatives: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels, evenly mixed, and how many images of its class come before each."""
    numbers = np.arange(count)
    before = np.floor(numbers * negatives + 1e-9).astype(np.int64)
    is_negative = np.floor((numbers + 1) * negatives + 1e-9) > before
    positives = numbers - before
    labels = np.where(is_negative, categories, positives % categories)
    return labels, np.where(is_negative, before, positives // categories)


def _fields(
    numbers: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    *,
    anatomies: np.ndarray,
    columns: np.ndarray,
    part_masks: bool,
    texture_masks: bool,
    **scene: Any,
) -> dict[str, Any]:
    """The drawn fields of the images of the given numbers and labels."""
    drawing = _draw_all(
        numbers,
        anatomies[labels],
        size,
        part_masks=part_masks,
        texture_masks=texture_masks,
        **scene,
    )
    wanted = {"part_masks": part_masks, "texture_masks": texture_masks}
    fields = {
        field.name: getattr(drawing, field.name)
        for field in dataclasses.fields(drawing)
        if wanted.get(field.name, True)
    }
    if len(columns) < len(PARTS):
        for name in {"landmarks", "part_masks"} & fields.keys():
            fields[name] = fields[name][:, columns]
    return fields


def _draw_all(
    image_numbers: np.ndarray,
    categories: np.ndarray,
    size: tuple[int, int],
    difficulty: float,
    seed: int,
    part_masks: bool,
    texture_masks: bool,
) -> Drawing:
    count = len(categories)
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    images = np.empty((count, *size, 3), np.uint8)
    landmarks = np.empty((count, len(PARTS), 2), np.float32)
    masks = np.empty((count if part_masks else 0, len(PARTS), *size), bool)
    boxes = np.empty((count, 4), np.float32)
    textures = np.empty((count if texture_masks else 0, len(TEXTURES), *size), bool)
    step = max(1, _PIXELS_AT_A_TIME // (size[0] * size[1]))

    def draw_scenes(start: int) -> None:
        numbers = np.arange(start, min(start + _SCENES_AT_A_TIME, count))
        random = ImageRandom(seed, image_numbers[numbers])
        scenes = make_scene(categories[numbers], random, size, difficulty)
        for first in range(0, len(numbers), step):
            some = slice(first, first + step)
            rows = numbers[some]
            drawing = draw(
                scenes.take(some), categories[rows], random.take(some), size, difficulty
            )
            images[rows] = drawing.images
            landmarks[rows] = drawing.landmarks
            boxes[rows] = drawing.boxes
            if part_masks:
                masks[rows] = drawing.part_masks
            if texture_masks:
                textures[rows] = drawing.texture_masks

    # The matrix products are small: threads of the BLAS library would only get in the
    # way of the threads here, and cost a factor of five where processors are busy.
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        list(pool.map(draw_scenes, range(0, count, _SCENES_AT_A_TIME)))
    return Drawing(images, landmarks, masks, boxes, textures)
