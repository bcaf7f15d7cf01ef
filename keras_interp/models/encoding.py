"""What an explainer makes of pictures."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Encoding:
    """Maps and track contributions of an explainer on pictures.

    Attributes:
        part_maps: float `(N, h, w, filters)`, conv-interp-2 after the ReLU and before
            the mask.
        interpretable: float `(N, ..., filters)`, what the interpretable track adds to
            the encoded features.
        ordinary: likewise, the ordinary track.
        interpretable_filters: How many leading filters are interpretable; the others
            pass the interpretable track without mask and filter loss.
    """

    part_maps: np.ndarray
    interpretable: np.ndarray
    ordinary: np.ndarray
    interpretable_filters: int

    @property
    def masked_share(self) -> float:
        """Share of the encoded activation that comes through masked filters.

        The ratio p counts the whole interpretable track; this is what is left of it
        without the filters that have no mask.
        """
        masked = self.interpretable[..., : self.interpretable_filters].sum()
        whole = self.interpretable.sum() + self.ordinary.sum()
        return float(masked / whole) if whole > 0 else float("nan")

    @property
    def dead_filters(self) -> float:
        """Share of the interpretable filters that fire on no picture."""
        maps = self.part_maps[..., : self.interpretable_filters]
        if not maps.shape[-1]:
            return float("nan")
        return float((maps.max(axis=(0, 1, 2)) <= 0).mean())
