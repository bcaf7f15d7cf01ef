"""The synthetic dataset of birds with sentences: needs no files."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import (
    check_count,
    check_share,
    check_size,
    refused,
)
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.synthetic._bird_body import LANDMARKS
from keras_interp.datasets.synthetic._bird_drawing import draw_birds
from keras_interp.datasets.synthetic._bird_individuals import make_individuals
from keras_interp.datasets.synthetic._bird_scene import make_bird_scene
from keras_interp.datasets.synthetic._drawing import ImageRandom
from keras_interp.datasets.synthetic.bird_sentences import (
    can_be_named,
    mention_weights,
    write_sentences,
)
from keras_interp.datasets.synthetic.bird_species import (
    PATTERNS,
    synthetic_bird_species,
)
from keras_interp.datasets.synthetic.drawn_images import DrawnImages

_SCENES_AT_A_TIME = 256
_PIXELS_AT_A_TIME = 8 * 64 * 64  # what is drawn together should fit in the cache
_SMALLEST, _LARGEST = 32, 224
_SENTENCE_SEED = 0x5E47E9CE  # numbers of their own for the sentences


def synthetic_birds(
    num_images: int = 2400,
    image_size: int | tuple[int, int] = 64,
    *,
    categories: Sequence[str] | None = None,
    test_fraction: float = 0.25,
    difficulty: float = 0.5,
    part_masks: bool = True,
    texture_masks: bool = False,
    captions: bool = True,
    seed: int = 0,
) -> PartsDataset:
    """Draws birds of 48 made-up species and describes each in ten sentences.

    Species are defined by what their parts look like, and have near neighbours that
    differ from them in one part only; `synthetic_bird_species` has the table. Birds of
    a species differ in pose, shade, size in the image and direction of view. In half
    of them one part, always the same, has its second form, as in females. In 40 % some
    part is drab: brown, gray or tan as in young or worn birds. Leaves and twigs hide
    parts.

    A sentence names only parts that have a landmark in the image and look as is
    typical of the species, most often its field marks.

    The image with number i, and its sentences, are the same whatever `num_images` is.
    In another size it shows the same bird, in the same place and light.

    Example:

    ```python
    dataset = ki.datasets.synthetic_birds(96)
    dataset.class_names[:2]  # ["Common Marshfinch", "Black-capped Marshfinch"]
    dataset.landmarks.shape  # (96, 15, 2)
    dataset.captions[0]  # ten sentences about the first image
    ```

    Args:
        num_images: how many images.
        image_size: height and width in pixels, or a (height, width) pair; 32 to 224.
        categories: names of the species wanted, in the order of their labels. Default:
            all 48.
        test_fraction: share of each species in the split `"test"`, 0 to 1.
        difficulty: 0 (nothing hidden, even light, pure colours) to 1.
        part_masks: whether to give `part_masks`, 15 bool images for each image.
        texture_masks: whether to give `texture_masks`: where feathers with stripes
            (`"striped"`), spots (`"spotted"`) and bars (`"barred"`) are seen. The
            images are the same with and without.
        captions: whether to give `captions`, ten sentences for each image.
        seed: any integer; another seed gives other images.

    Returns:
        A `PartsDataset` with the 15 landmarks of CUB-200-2011: a point on what is seen
        of the part, NaN where it is turned away or less than two fifths of it (three
        fifths of a beak or tail) are seen. Left and right are the bird's own. Boxes
        surround the whole bird, hidden parts included.

    Raises:
        ValueError: if an argument is outside its range or a species is unknown.
    """
    return open_synthetic_birds(
        num_images,
        image_size,
        categories=categories,
        test_fraction=test_fraction,
        difficulty=difficulty,
        part_masks=part_masks,
        texture_masks=texture_masks,
        captions=captions,
        seed=seed,
    ).load()


def open_synthetic_birds(
    num_images: int = 2400,
    image_size: int | tuple[int, int] = 64,
    *,
    categories: Sequence[str] | None = None,
    test_fraction: float = 0.25,
    difficulty: float = 0.5,
    part_masks: bool = True,
    texture_masks: bool = False,
    captions: bool = True,
    seed: int = 0,
) -> DrawnImages:
    """Opens `synthetic_birds` for drawing its images a piece at a time.

    Example:

    >>> from keras_interp.datasets import open_synthetic_birds
    >>> images = open_synthetic_birds(1_000_000)
    >>> next(images.chunks(length=8))["landmarks"].shape
    (8, 15, 2)

    Args:
        num_images: how many images.
        image_size: height and width in pixels, or a (height, width) pair; 32 to 224.
        categories: names of the species wanted, in the order of their labels. Default:
            all 48.
        test_fraction: share of each species in the split `"test"`, 0 to 1.
        difficulty: 0 (nothing hidden, even light, pure colours) to 1.
        part_masks: whether to give `part_masks`, 15 bool images for each image.
        texture_masks: whether to give `texture_masks`: where feathers with stripes
            (`"striped"`), spots (`"spotted"`) and bars (`"barred"`) are seen. The
            images are the same with and without.
        captions: whether to give `captions`, ten sentences for each image.
        seed: any integer; another seed gives other images.

    Returns:
        A `DrawnImages`: the same images as those of `synthetic_birds`.

    Raises:
        ValueError: if an argument is outside its range or a species is unknown.
    """
    size = check_size(image_size)
    known = [species.name for species in synthetic_bird_species()]
    names = known if categories is None else list(categories)
    _check_arguments(num_images, size, names, known, test_fraction, difficulty)
    numbers = np.arange(num_images)
    in_class = numbers // len(names)
    # The slack keeps 3 * (1 / 3) from falling below 1.
    steps = np.floor(np.stack([in_class + 1, in_class]) * test_fraction + 1e-9)
    return DrawnImages(
        class_names=names,
        landmark_names=LANDMARKS,
        part_names=LANDMARKS if part_masks else None,
        texture_names=list(PATTERNS[1:]) if texture_masks else None,
        ids=numbers,
        labels=numbers % len(names),
        split=np.where(steps[0] > steps[1], "test", "train"),
        size=size,
        draw=functools.partial(
            _fields,
            species=np.array([known.index(name) for name in names]),
            difficulty=difficulty,
            seed=seed,
            part_masks=part_masks,
            texture_masks=texture_masks,
            captions=captions,
        ),
    )


def _check_arguments(
    num_images: int,
    size: tuple[int, int],
    categories: list[str],
    known: list[str],
    test_fraction: float,
    difficulty: float,
) -> None:
    check_count("num_images", num_images)
    _check_bird_size(size)
    unknown = [name for name in categories if name not in known]
    if unknown or not categories or len(set(categories)) != len(categories):
        raise refused(
            "categories as different names out of synthetic_bird_species(), such as "
            f"{known[:2]}",
            categories=unknown or categories,
        )
    shares = {"test_fraction": test_fraction, "difficulty": difficulty}
    for name, value in shares.items():
        check_share(name, value)


def _check_bird_size(size: tuple[int, int]) -> None:
    if min(size) < _SMALLEST or max(size) > _LARGEST:
        raise refused(
            f"image_size of {_SMALLEST} to {_LARGEST} pixels",
            "PartsDataset.resize makes other sizes",
            image_size=size,
        )


def _fields(
    numbers: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    *,
    species: np.ndarray,
    difficulty: float,
    seed: int,
    part_masks: bool,
    texture_masks: bool,
    captions: bool,
) -> dict[str, Any]:
    """The drawn fields of the images of the given numbers and labels."""
    _check_bird_size(size)
    count = len(numbers)
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    fields: dict[str, Any] = {
        "images": np.empty((count, *size, 3), np.uint8),
        "landmarks": np.empty((count, len(LANDMARKS), 2), np.float32),
        "boxes": np.empty((count, 4), np.float32),
    }
    if part_masks:
        fields["part_masks"] = np.empty((count, len(LANDMARKS), *size), bool)
    if texture_masks:
        fields["texture_masks"] = np.empty((count, len(PATTERNS) - 1, *size), bool)
    if captions:
        fields["captions"] = [[] for _ in range(count)]

    def fill(start: int) -> None:
        rows = slice(start, start + _SCENES_AT_A_TIME)
        _fill(fields, rows, numbers[rows], species[labels[rows]], difficulty, seed)

    # The matrix products are small: threads of the BLAS library would only get in the
    # way of the threads here, and cost a factor of five where processors are busy.
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        list(pool.map(fill, range(0, count, _SCENES_AT_A_TIME)))
    return fields


def _fill(
    fields: dict[str, Any],
    rows: slice,
    numbers: np.ndarray,
    species: np.ndarray,
    difficulty: float,
    seed: int,
) -> None:
    """Draws the images of some rows into the fields and writes their sentences."""
    height, width = fields["images"].shape[1:3]
    random = ImageRandom(seed, numbers)
    birds = make_individuals(species, random)
    scene = make_bird_scene(birds, random, (height, width), difficulty)
    step = max(1, _PIXELS_AT_A_TIME // (height * width))
    drawn = ("images", "landmarks", "boxes", "part_masks", "texture_masks")
    for first in range(0, len(numbers), step):
        some = slice(first, first + step)
        drawing = draw_birds(
            scene.take(some), random.take(some), (height, width), difficulty
        )
        for name in set(drawn) & fields.keys():
            values = getattr(drawing, name)
            start = rows.start + first
            fields[name][start : start + len(values)] = values
    if "captions" in fields:
        named = can_be_named(birds, fields["landmarks"][rows])
        words = ImageRandom(seed + _SENTENCE_SEED, numbers)
        fields["captions"][rows] = write_sentences(
            birds, named, mention_weights(species), words
        )
