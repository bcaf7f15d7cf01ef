"""Part masks of one object of PASCAL-Part, read when they are needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets.antialiased_resize import resize_patches
from keras_interp.datasets.pascal_part_annotations import read_pascal_picture, unite


@dataclasses.dataclass(frozen=True, eq=False)
class PascalMasks:
    """The masks of one object.

    `number` is its position in the file `path`, and `codes` has the codes of the
    published parts that each of the P masks unites.
    """

    path: Path
    number: int
    codes: Sequence[Sequence[str]]

    def draw(self, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool masks `(P, height, width)` of what `frame` shows, see `PartMasks`.

        Resized masks are true where the part covers at least half of a pixel, so very
        small parts vanish in small pictures.
        """
        masks = np.zeros((len(self.codes), *size), bool)
        parts = read_pascal_picture(self.path).objects[self.number].parts
        left, top, right, bottom = (int(edge) for edge in frame)
        united = [
            unite([part for part in parts if part.code in codes])
            for codes in self.codes
        ]
        present = [row for row, part in enumerate(united) if part is not None]
        patches = [
            (part.x - left, part.y - top, part.mask)
            for part in united
            if part is not None
        ]
        masks[present] = resize_patches(patches, (bottom - top, right - left), size)
        return masks
