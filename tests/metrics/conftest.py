"""Constructed filters whose figures are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from .dots import dataset, interpretable, ordinary

__all__ = ["dataset", "interpretable", "ordinary"]

SIZE = 224


@dataclasses.dataclass(frozen=True)
class Constructed:
    """Peaks of filters with known behaviour on images with three landmarks."""

    names: tuple[str, ...]
    positions: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __getitem__(self, name: str) -> int:
        return self.names.index(name)

    @property
    def arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """The arguments that the metrics share."""
        return self.positions, self.scores, self.landmarks, SIZE


@pytest.fixture
def constructed(rng) -> Constructed:
    """Filters: at one place, random, on part 1, beside part 1, on part 0 or 2, dead."""
    images = 1000
    landmarks = rng.uniform(20, SIZE - 20, (images, 3, 2))
    either = np.where(rng.random((images, 1)) < 0.5, landmarks[:, 0], landmarks[:, 2])
    filters = {
        "constant": np.broadcast_to([151.3, 40.7], (images, 2)),
        "random": rng.uniform(0, SIZE, (images, 2)),
        "perfect": landmarks[:, 1],
        "offset": landmarks[:, 1] + [9.0, -14.0],
        "two parts": either,
        "dead": np.full((images, 2), np.nan),
    }
    positions = np.stack(list(filters.values()), axis=1)
    scores = rng.uniform(1, 2, positions.shape[:2])
    scores[:, -1] = 0.0
    landmarks[rng.random((images, 3)) < 0.2] = np.nan
    return Constructed(tuple(filters), positions, scores, landmarks)
