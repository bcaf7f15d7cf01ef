"""Birds of given species, drawn for the tests."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from keras_interp.datasets.synthetic._bird_drawing import BirdDrawing, draw_birds
from keras_interp.datasets.synthetic._bird_individuals import (
    Individuals,
    make_individuals,
)
from keras_interp.datasets.synthetic._bird_scene import BirdScene, make_bird_scene
from keras_interp.datasets.synthetic._drawing import ImageRandom


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Birds, where they are and how they were drawn."""

    birds: Individuals
    scene: BirdScene
    drawing: BirdDrawing


def draw(species, size=64, difficulty=0.5, seed=0) -> Drawn:
    random = ImageRandom(seed, np.arange(len(species)))
    birds = make_individuals(np.asarray(species), random)
    scene = make_bird_scene(birds, random, (size, size), difficulty)
    rows = [slice(first, first + 8) for first in range(0, len(species), 8)]
    with threadpool_limits(1, user_api="blas"):  # as in `synthetic_birds`
        parts = [
            draw_birds(scene.take(some), random.take(some), (size, size), difficulty)
            for some in rows
        ]
    fields = [field.name for field in dataclasses.fields(BirdDrawing)]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in fields
    }
    return Drawn(birds, scene, BirdDrawing(**joined))


@pytest.fixture(scope="session")
def draw_species():
    """Draws images 0, 1, ... of a set in which they show these species."""
    return draw
