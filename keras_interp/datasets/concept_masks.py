"""What can be seen in every pixel of a dataset: parts, colours and textures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp.datasets.color_names import COLOR_NAMES, name_colors
from keras_interp.datasets.field_checks import check_positions
from keras_interp.datasets.parts_dataset import PartsDataset

KINDS = ("part", "color", "texture")


@dataclasses.dataclass(frozen=True, eq=False)
class ConceptMasks:
    """Masks of C named concepts on N pictures.

    Args:
        masks: bool `(N, C, height, width)`, the pixels that show a concept.
        names: the C names, such as `"head"`, `"red"` and `"striped"`.
        categories: the C categories: `"part"`, `"color"` or `"texture"`.
        annotated: bool `(N, C)`, false where nobody said which pixels of a picture show
            the concept, so that an empty mask there means nothing.
    """

    masks: np.ndarray
    names: list[str]
    categories: list[str]
    annotated: np.ndarray

    def __len__(self) -> int:
        return len(self.masks)

    def subset(self, index_or_mask: Any) -> ConceptMasks:
        """Takes some of the pictures, as `PartsDataset.subset` does."""
        positions = check_positions(index_or_mask, len(self))
        return dataclasses.replace(
            self, masks=self.masks[positions], annotated=self.annotated[positions]
        )


def concept_masks(
    dataset: PartsDataset, kinds: Sequence[str] | str | None = None
) -> ConceptMasks:
    """Makes the concepts that network dissection looks for in a dataset.

    - `"part"`: the dataset's part masks. Pictures of the class `"background"` do not
      count as annotated: parts that lie about in them were not marked.
    - `"color"`: each pixel has one of the eleven basic colour names, by fixed borders
      in CIE L*C*h that `keras_interp.datasets.name_colors` lists.
    - `"texture"`: the dataset's texture masks, which only a dataset that is drawn knows
      exactly: `synthetic_parts(texture_masks=True)` and `synthetic_birds` likewise.

    The concepts do not depend on which pictures are in the dataset, so a large one can
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
        dataset: pictures, with part and texture masks where those are wanted.
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
        raise ValueError(f"kinds must be different ones of {KINDS}; got {kinds!r}.")
    for kind in wanted:
        if lacking[kind]:
            raise ValueError(
                f'kinds names "{kind}", but the dataset has no {kind}_masks. Leave it '
                f"out, or load a dataset that has them, such as "
                f"synthetic_parts({kind}_masks=True)."
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
