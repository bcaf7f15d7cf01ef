"""What can be seen in every pixel of a dataset: parts, colours and textures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import check_images, check_positions, refused
from keras_interp.datasets.parts_dataset import PartsDataset

COLOR_NAMES = (
    "black",
    "gray",
    "white",
    "red",
    "orange",
    "brown",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
)

_PIXELS_AT_ONCE = 2**14  # what is worked on together should fit in the cache
# Linear sRGB to CIE XYZ, each row divided by that coordinate of the white point D65.
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_TO_XYZ /= _TO_XYZ.sum(axis=1, keepdims=True)


def name_colors(images: Any) -> np.ndarray:
    """Names the colour of every pixel by its place in CIE L*C*h.

    Lightness L runs from 0 to 100, chroma C from 0 (gray) to about 130, and the hue h
    is an angle in degrees (sRGB red lies at 40, yellow at 103, green at 136, blue at
    306). The first rule that fits names the pixel:

    | name | rule |
    |---|---|
    | black | L < 12, or C < 12 and L < 30 |
    | white | L >= 85, and C < 12 or else C < 25 and 45 <= h < 110 (cream) |
    | gray | C < 12 |
    | pink | h >= 340 or h < 45, and L >= 60 |
    | brown | 25 <= h < 45 and L < 40 and C < 60 |
    | red | h >= 340 or h < 45 |
    | orange | h < 85 and C >= 40, and L >= 60 or C >= 90 |
    | brown | h < 85 and L < 85, or h < 95 and L < 60 |
    | yellow | h < 110 and L >= 60 |
    | green | h < 185 |
    | blue | h < 310 |
    | purple | all others |

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> images = np.zeros((1, 4, 4, 3), "uint8")
    >>> images[..., 0] = 255
    >>> code = ki.datasets.name_colors(images)[0, 0, 0]
    >>> ki.datasets.COLOR_NAMES[code]
    'red'

    Args:
        images: uint8 `(N, height, width, 3)`, red, green and blue of sRGB.

    Returns:
        uint8 `(N, height, width)`, indices into `COLOR_NAMES`.

    Raises:
        ValueError: if the images are not uint8 of that shape.

    Reference:
        The names are those of Berlin and Kay, Basic Color Terms, 1969, which Bau et
        al., Network Dissection, CVPR 2017, take as colour concepts; the borders
        between them are this library's.
    """
    check_images(images)
    pixels = images.reshape(-1, 3)
    names = np.empty(len(pixels), np.uint8)
    for start in range(0, len(pixels), _PIXELS_AT_ONCE):
        chunk = slice(start, start + _PIXELS_AT_ONCE)
        names[chunk] = _name(*lightness_chroma_hue(pixels[chunk]))
    return names.reshape(images.shape[:3])


def lightness_chroma_hue(pixels: np.ndarray) -> tuple[np.ndarray, ...]:
    """L*, C* and h in degrees of uint8 sRGB `(n, 3)`, under D65.

    Reference:
        CIE 15:2004; IEC 61966-2-1 for sRGB.
    """
    levels = np.arange(256) / 255
    linear = np.where(
        levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4
    )
    xyz = linear.astype(np.float32)[pixels] @ _TO_XYZ.T.astype(np.float32)
    dark = xyz <= (6 / 29) ** 3
    x, y, z = np.where(dark, xyz * (841 / 108) + 4 / 29, np.cbrt(xyz)).T
    a, b = 500 * (x - y), 200 * (y - z)
    return 116 * y - 16, np.hypot(a, b), np.rad2deg(np.arctan2(b, a)) % 360


def _name(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """The first rule that fits, in the order of the table of `name_colors`."""
    dull = chroma < 12
    reddish = (hue >= 340) | (hue < 45)
    cream = (hue >= 45) & (hue < 110)
    light, vivid = lightness >= 60, chroma >= 90
    rules = [
        ("black", (lightness < 12) | (dull & (lightness < 30))),
        ("white", (dull | (cream & (chroma < 25))) & (lightness >= 85)),
        ("gray", dull),
        ("pink", reddish & light),
        ("brown", (hue >= 25) & (hue < 45) & (lightness < 40) & (chroma < 60)),
        ("red", reddish),
        ("orange", (hue < 85) & (chroma >= 40) & (light | vivid)),
        ("brown", ((hue < 85) & (lightness < 85)) | ((hue < 95) & ~light)),
        ("yellow", (hue < 110) & light),
        ("green", hue < 185),
        ("blue", hue < 310),
    ]
    fits = [fit for _, fit in rules]
    codes = [np.uint8(COLOR_NAMES.index(name)) for name, _ in rules]
    return np.select(fits, codes, default=np.uint8(COLOR_NAMES.index("purple")))


KINDS = ("part", "color", "texture")


@dataclasses.dataclass(frozen=True, eq=False)
class ConceptMasks:
    """Masks of C named concepts on N images.

    Args:
        masks: bool `(N, C, height, width)`, the pixels that show a concept.
        names: the C names, such as `"head"`, `"red"` and `"striped"`.
        categories: the C categories: `"part"`, `"color"` or `"texture"`.
        annotated: bool `(N, C)`, false where nobody said which pixels of an image show
            the concept, so that an empty mask there means nothing.
    """

    masks: np.ndarray
    names: list[str]
    categories: list[str]
    annotated: np.ndarray

    def __len__(self) -> int:
        return len(self.masks)

    def subset(self, index_or_mask: Any) -> ConceptMasks:
        """Takes some of the images, as `PartsDataset.subset` does."""
        positions = check_positions(index_or_mask, len(self))
        return dataclasses.replace(
            self, masks=self.masks[positions], annotated=self.annotated[positions]
        )


def concept_masks(
    dataset: PartsDataset, kinds: Sequence[str] | str | None = None
) -> ConceptMasks:
    """Makes the concepts that network dissection looks for in a dataset.

    - `"part"`: the dataset's part masks. Images of the class `"background"` do not
      count as annotated: parts that lie about in them were not marked.
    - `"color"`: each pixel has one of the eleven basic colour names, by fixed borders
      in CIE L*C*h that `keras_interp.datasets.name_colors` lists.
    - `"texture"`: the dataset's texture masks, which only a dataset that is drawn knows
      exactly: `synthetic_parts` and `synthetic_birds`, with `texture_masks=True`.

    The concepts do not depend on which images are in the dataset, so a large one can
    be gone through in pieces: `concept_masks(dataset.subset(piece))`.

    Example:

    >>> import keras_interp as ki
    >>> dataset = ki.datasets.synthetic_parts(8, texture_masks=True)
    >>> concepts = ki.datasets.concept_masks(dataset)
    >>> concepts.masks.shape
    (8, 24, 64, 64)
    >>> concepts.names[:2], concepts.categories[-1]
    (['head', 'neck'], 'texture')

    Args:
        dataset: images, with part and texture masks where those are wanted.
        kinds: one or some of `"part"`, `"color"`, `"texture"`. Default: all that the
            dataset has.

    Returns:
        `ConceptMasks`; `keras_interp.metrics.network_dissection` takes it as it is.

    Raises:
        ValueError: if a kind is unknown or the dataset lacks its masks.
    """
    made = [_MAKERS[kind](dataset) for kind in _wanted(dataset, kinds)]
    return ConceptMasks(
        masks=np.concatenate([one.masks for one in made], axis=1),
        names=[name for one in made for name in one.names],
        categories=[category for one in made for category in one.categories],
        annotated=np.concatenate([one.annotated for one in made], axis=1),
    )


def _wanted(dataset: PartsDataset, kinds: Sequence[str] | str | None) -> list[str]:
    lacking = {"part": dataset.part_masks is None, "color": False}
    lacking["texture"] = dataset.texture_masks is None
    if kinds is None:
        return [kind for kind in KINDS if not lacking[kind]]
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    if not wanted or len(set(wanted)) != len(wanted) or not set(wanted) <= set(KINDS):
        raise refused(f"kinds as different ones of {KINDS}", kinds=kinds)
    for kind in wanted:
        if lacking[kind]:
            raise refused(
                f"a dataset with {kind}_masks for the kind {kind!r}",
                f"Leave the kind out, or load a dataset that has them, such as "
                f"synthetic_parts({kind}_masks=True)",
                kinds=kinds,
            )
    return wanted


def _parts(dataset: PartsDataset) -> ConceptMasks:
    names, masks = dataset.part_names, dataset.part_masks
    assert names is not None and masks is not None  # as _wanted has seen
    annotated = np.repeat(~dataset.is_background[:, None], len(names), axis=1)
    return ConceptMasks(masks, names, ["part"] * len(names), annotated)


def _colors(dataset: PartsDataset) -> ConceptMasks:
    names = name_colors(dataset.images)
    codes = np.arange(len(COLOR_NAMES), dtype=np.uint8)
    masks = names[:, None] == codes[:, None, None]
    return _annotated_everywhere(masks, list(COLOR_NAMES), "color")


def _textures(dataset: PartsDataset) -> ConceptMasks:
    names, masks = dataset.texture_names, dataset.texture_masks
    assert names is not None and masks is not None  # as _wanted has seen
    return _annotated_everywhere(masks, names, "texture")


def _annotated_everywhere(
    masks: np.ndarray, names: list[str], category: str
) -> ConceptMasks:
    annotated = np.ones(masks.shape[:2], bool)
    return ConceptMasks(masks, names, [category] * len(names), annotated)


_MAKERS = {"part": _parts, "color": _colors, "texture": _textures}
