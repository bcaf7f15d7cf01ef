"""Places animals and loose parts in images, colours and draws them."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.datasets.synthetic._animal_body import (
    CATEGORIES,
    GROUP_OF_SHAPE,
    GROUPS,
    PARTS,
    SHAPE_NAMES,
    part_table,
    pose_animals,
)
from keras_interp.datasets.synthetic._drawing import (
    ImageRandom,
    Shapes,
    cover_from_front,
    cut_noise,
    rotation,
    stripes,
    visible_textures,
)

OCCLUDERS = 2
HILLS = 3
LOOSE_ELLIPSES = 10
_IN_GROUP = (GROUP_OF_SHAPE == np.arange(len(GROUPS))[:, None]).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Scene:
    """What there is to draw, from front to back, in each of n images.

    Colours are float32 `(n, P, 3)` in 0..1 and `texture` `(n, P, 2)` says how strongly
    stripes and mottles show on each shape.
    """

    occluders: Shapes
    occluder_colors: np.ndarray
    body: Shapes
    body_colors: np.ndarray
    body_texture: np.ndarray
    clutter: Shapes
    clutter_colors: np.ndarray
    clutter_texture: np.ndarray
    background: np.ndarray

    def take(self, rows: slice) -> Scene:
        """The scenes of some of the images."""
        taken = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        for name, value in taken.items():
            taken[name] = value.take(rows) if isinstance(value, Shapes) else value[rows]
        return Scene(**taken)


def make_scene(
    categories: np.ndarray,
    random: ImageRandom,
    size: tuple[int, int],
    difficulty: float,
) -> Scene:
    """Makes up the scenes of n images.

    Args:
        categories: `(n,)` indices in `anatomy.CATEGORIES`; -1 for an image without
            an animal, where its parts lie about.
        random: the numbers of the n images.
        size: (height, width) in pixels.
        difficulty: 0 (clean) to 1 (crowded, hidden, of little contrast).
    """
    body, scale = _make_body(categories, random, size)
    donors, columns = _make_donors(categories, scale, random, size, difficulty)
    brightness, coat, other = _brightness(random, difficulty)
    background = _color(random, brightness)
    colors, texture = _coat(random, coat)
    same = random.chance(0.5)
    other_colors, other_texture = (
        np.take_along_axis(values, columns[:, :, None], axis=1)
        for values in _coat(random, np.where(same, coat, other))
    )
    hills, hill_colors = _hills(random, background, size)
    occluders = _occluders(random, size, difficulty)
    plain = np.zeros((*hill_colors.shape[:2], 2), np.float32)
    return Scene(
        occluders=occluders,
        occluder_colors=_shades(random, background, OCCLUDERS, 0.2),
        body=body,
        body_colors=colors,
        body_texture=texture,
        clutter=_join(donors, hills),
        clutter_colors=np.concatenate([other_colors, hill_colors], axis=1),
        clutter_texture=np.concatenate([other_texture, plain], axis=1),
        background=background,
    )


def _make_body(
    categories: np.ndarray, random: ImageRandom, size: tuple[int, int]
) -> tuple[Shapes, np.ndarray]:
    """The animal, or the parts of one where there is none, and its scale."""
    is_animal = categories >= 0
    drawn = np.where(is_animal, categories, random.integers(len(CATEGORIES)))
    whole, scale = _place(pose_animals(drawn, random), random, size)
    chance = np.where(is_animal, 1.0, 0.8)[:, None]
    loose = _scatter(whole, random, size, chance)
    body = dataclasses.replace(
        whole,
        centers=np.where(is_animal[:, None, None], whole.centers, loose.centers),
        axes=np.where(is_animal[:, None, None, None], whole.axes, loose.axes),
    )
    return body, scale


def _make_donors(
    categories: np.ndarray,
    scale: np.ndarray,
    random: ImageRandom,
    size: tuple[int, int],
    difficulty: float,
) -> tuple[Shapes, np.ndarray]:
    """Loose parts of other animals, and which shapes of a body they are."""
    donors = pose_animals(random.integers(len(CATEGORIES)), random)
    donors = _resize(donors, scale * random.uniform(0.7, 1.15), random)
    few, many = 0.3 * difficulty, 0.1 + 0.5 * difficulty
    chance = np.where(categories >= 0, few, many)[:, None]
    donors = _scatter(donors, random, size, chance)
    columns = _front_shapes(donors)
    return donors.pick(columns), columns


def _resize(shapes: Shapes, scale: np.ndarray, random: ImageRandom) -> Shapes:
    """Scales, and mirrors every second one."""
    flip = np.where(random.chance(0.5), -1, 1)
    matrix = np.zeros((len(scale), 2, 2), np.float32)
    matrix[:, 0, 0], matrix[:, 1, 1] = scale * flip, scale
    origin = np.zeros((len(scale), 2), np.float32)
    return shapes.transform(matrix, origin, origin)


def _place(
    shapes: Shapes, random: ImageRandom, size: tuple[int, int]
) -> tuple[Shapes, np.ndarray]:
    """Fits a body into the image, mirrored or not; returns its scale too."""
    count = len(shapes.centers)
    origin = np.zeros((count, 2), np.float32)
    turn = rotation(np.deg2rad(random.uniform(-12, 12)))
    shapes = shapes.transform(turn, origin, origin)
    bounds = shapes.bounds()
    extent = bounds[:, 2:] - bounds[:, :2]
    frame = np.array([size[1], size[0]], np.float32)
    fill = random.uniform(0.7, 1.0)
    scale = fill * (frame / extent).min(axis=1)
    shapes = _resize(shapes, scale, random)
    bounds = shapes.bounds()
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    # A twentieth of the image's width may be cut off.
    room = frame - (bounds[:, 2:] - bounds[:, :2]) + 0.1 * frame
    place = frame / 2 + random.uniform(-0.5, 0.5, shape=(2,)) * room
    identity = np.tile(np.eye(2, dtype=np.float32), (count, 1, 1))
    return shapes.transform(identity, middle, place), scale


def _scatter(
    shapes: Shapes, random: ImageRandom, size: tuple[int, int], chance: np.ndarray
) -> Shapes:
    """Takes bodies apart: each group of shapes is turned and put somewhere else."""
    groups = (len(GROUPS),)
    present = shapes.present.astype(np.float32)
    total = _IN_GROUP @ (shapes.centers * present[..., None])
    pivot = total / np.maximum(present @ _IN_GROUP.T, 1)[..., None]
    frame = np.array([size[1], size[0]], np.float32)
    place = random.uniform(0.04, 0.96, shape=(*groups, 2)) * frame
    angle = random.uniform(-1.6, 1.6, shape=groups)
    scale = random.uniform(0.75, 1.25, shape=groups)
    matrix = rotation(angle) * scale[..., None, None]
    kept = random.chance(chance, shape=groups)
    return shapes.transform(
        matrix[:, GROUP_OF_SHAPE], pivot[:, GROUP_OF_SHAPE], place[:, GROUP_OF_SHAPE]
    ).keep(kept[:, GROUP_OF_SHAPE])


def _front_shapes(donors: Shapes) -> np.ndarray:
    """Columns of the shapes of loose parts to draw: both triangles, few ellipses.

    Most of the shapes of a donor are absent; drawing them would take most of the time.
    """
    triangles = np.flatnonzero(donors.is_triangle)
    ellipses = np.flatnonzero(~donors.is_triangle)
    absent = ~donors.present[:, ellipses]
    first = ellipses[np.argsort(absent, axis=1, kind="stable")[:, :LOOSE_ELLIPSES]]
    return np.concatenate([np.tile(triangles, (len(first), 1)), first], axis=1)


def _brightness(
    random: ImageRandom, difficulty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brightness in 0..1 of the background, of the body and of the loose parts.

    Most bodies are lighter than what is behind them; the harder the images, the
    more often it is the other way round.
    """
    background = random.uniform(0, 0.45)
    contrast = 0.5 - 0.2 * difficulty
    coats = random.uniform(background + contrast, 1.0)
    others = random.uniform(background + contrast, 1.0)
    inverted = random.chance(0.3 * difficulty)
    turned = [
        np.where(inverted, 1 - values, values) for values in (background, coats, others)
    ]
    return turned[0], turned[1], turned[2]


def _color(random: ImageRandom, brightness: np.ndarray) -> np.ndarray:
    """Colours `(n, 3)` of a given brightness in 0..1."""
    tint = random.uniform(-0.13, 0.13, shape=(3,))
    tint -= tint.mean(axis=1, keepdims=True)
    return np.clip(0.1 + 0.8 * brightness[:, None] + tint, 0.02, 0.98)


def _shades(
    random: ImageRandom, color: np.ndarray, count: int, spread: float
) -> np.ndarray:
    """`(n, count, 3)` colours that are lighter or darker than `(n, 3)` ones."""
    lighter = random.uniform(-spread, spread, shape=(count, 1))
    tint = random.uniform(-0.06, 0.06, shape=(count, 3))
    return np.clip(color[:, None] + lighter + tint, 0, 1)


def _coat(random: ImageRandom, brightness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours `(n, P, 3)` and textures `(n, P, 2)` of the shapes of a body.

    All kinds of animals take them from the same distribution, so that colour tells
    nothing about the category.
    """
    first = _color(random, brightness)
    second = _color(random, (brightness + random.uniform(-0.18, 0.18)).clip(0, 1))
    patched = random.chance(0.3, shape=(len(GROUPS),))[:, GROUP_OF_SHAPE, None]
    colors = np.where(patched, second[:, None], first[:, None])
    shade = 1 + random.uniform(-0.07, 0.07, shape=(len(SHAPE_NAMES), 1))
    far = [name.startswith("far_") for name in SHAPE_NAMES]
    shade[:, far] *= 0.78
    accents = np.isin(SHAPE_NAMES, ["near_point", "far_point", "mane", "near_ear"])
    accent = second * random.uniform(0.6, 1.4)[:, None]
    colors = np.where(accents[:, None], accent[:, None], colors) * shade
    dark = colors[:, SHAPE_NAMES.index("skull")].mean(axis=1, keepdims=True) < 0.45
    colors[:, SHAPE_NAMES.index("eye")] = np.where(dark, 0.95, 0.03)
    amount = random.uniform(0, 0.13, shape=(1, 2)) * random.chance(0.5, shape=(1, 2))
    texture = np.tile(amount, (1, len(SHAPE_NAMES), 1)).astype(np.float32)
    texture[:, SHAPE_NAMES.index("eye")] = 0
    return np.clip(colors, 0, 1), texture


def _hills(
    random: ImageRandom, background: np.ndarray, size: tuple[int, int]
) -> tuple[Shapes, np.ndarray]:
    """Large ellipses behind everything, in shades of the background."""
    frame = np.array([size[1], size[0]], np.float32)
    centers = random.uniform(-0.1, 1.1, shape=(HILLS, 2)) * frame
    half = random.uniform(0.12, 0.5, shape=(HILLS, 2)) * frame
    turn = rotation(random.uniform(0, np.pi, shape=(HILLS,)))
    shapes = Shapes(centers, turn * half[:, :, None, :], np.zeros(HILLS, bool))
    return shapes, _shades(random, background, HILLS, 0.12)


def _occluders(random: ImageRandom, size: tuple[int, int], difficulty: float) -> Shapes:
    """Trunks, branches and bushes in front of everything."""
    frame = np.array([size[1], size[0]], np.float32)
    centers = random.uniform(0, 1, shape=(OCCLUDERS, 2)) * frame
    slender = random.chance(0.6, shape=(OCCLUDERS,))
    length = np.where(slender, 0.9, 0.13) * random.uniform(0.6, 1.2, shape=(OCCLUDERS,))
    width = np.where(slender, 0.035, 0.11) * random.uniform(
        0.6, 1.2, shape=(OCCLUDERS,)
    )
    half = (np.stack([length, width], axis=2) * frame.mean()).astype(np.float32)
    lean = random.uniform(-0.5, 0.5, shape=(OCCLUDERS,)) + np.pi / 2
    axes = rotation(np.where(random.chance(0.75, (OCCLUDERS,)), lean, 0.3 * lean))
    shapes = Shapes(centers, axes * half[:, :, None, :], np.zeros(OCCLUDERS, bool))
    return shapes.keep(random.chance(0.5 * difficulty, shape=(OCCLUDERS,)))


def _join(first: Shapes, second: Shapes) -> Shapes:
    return Shapes(
        centers=np.concatenate([first.centers, second.centers], axis=1),
        axes=np.concatenate([first.axes, second.axes], axis=1),
        is_triangle=np.concatenate([first.is_triangle, second.is_triangle]),
    )


_SEEN_SHARE = 0.4  # a part has a landmark if that much of it is not hidden
_SEEN_AREA = 0.001  # ... and if that share of the image shows it


@dataclasses.dataclass(frozen=True)
class Drawing:
    """n finished images and their annotation, as in `PartsDataset`."""

    images: np.ndarray
    landmarks: np.ndarray
    part_masks: np.ndarray
    boxes: np.ndarray
    texture_masks: np.ndarray


def draw(
    scene: Scene,
    categories: np.ndarray,
    random: ImageRandom,
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
    image = colors[:, :3] + pattern.sum(axis=1, keepdims=True)
    backdrop, mottles = _backdrop(scene, random, size)
    image += behind[:, None] * backdrop
    strength[:, 1] += behind * mottles
    strength *= in_sight[:, None]
    image *= in_sight[:, None]
    image += np.swapaxes(scene.occluder_colors, 1, 2) @ front
    amount = random.uniform(0.01, 0.02 + 0.05 * difficulty)[:, None, None]
    image += amount * cut_noise(random, "grainy", *size, 3)
    image *= 255
    np.clip(np.rint(image, out=image), 0, 255, out=image)
    images = np.moveaxis(image.reshape(-1, 3, height, width), 1, 3).astype(np.uint8)
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
    scene: Scene, random: ImageRandom, size: tuple[int, int]
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
